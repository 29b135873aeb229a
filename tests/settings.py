"""Settings of the tests: the example project's apps on whichever database DATABASE_URL names.

Without one, SQLite in a file of a fresh directory: worker threads and processes need a database
they can share, and an in-memory one is nobody else's. Tests override DURABLE, not this module.
"""

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

from example_project.settings import *  # noqa: F403
from example_project.settings import database

_DIRECTORY = "DURABLE_TESTS_DIRECTORY"


def _directory() -> Path:
    """One temporary directory for a test session, shared with the processes that it starts."""
    if _DIRECTORY not in os.environ:
        os.environ[_DIRECTORY] = made = tempfile.mkdtemp(prefix="durable-tests-")
        maker = os.getpid()

        @atexit.register
        def remove() -> None:
            # A forked child that exits the plain way comes here too, and must not.
            if os.getpid() == maker:
                shutil.rmtree(made, ignore_errors=True)

    return Path(os.environ[_DIRECTORY])


VAR = _directory()
DEBUG = False
SECRET_KEY = "only for tests"
DATABASES = {"default": database(f"sqlite:///{VAR / 'tests.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}
    # Nobody cuts the power in a test, and what a killed process has committed stays without fsync.
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF"
    )

EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Hashing passwords well is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {}

INSTALLED_APPS = [*INSTALLED_APPS, "tests.killing"]  # noqa: F405
# A test has no other way to change the settings of a process that it starts.
DURABLE = {**DURABLE, **json.loads(os.environ.get("DURABLE_TESTS_SETTINGS", "{}"))}  # noqa: F405
Q_CLUSTER = {**Q_CLUSTER, **json.loads(os.environ.get("DURABLE_TESTS_Q_CLUSTER", "{}"))}  # noqa: F405
