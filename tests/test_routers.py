"""The router: durable_django's tables stand in its database, and nobody else's are touched."""

import json
import sqlite3
import subprocess
import sys

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import router
from django.test import override_settings

from durable_django.models import Execution, StepRun
from durable_django.routers import DurableRouter

OURS = list(apps.get_app_config("durable_django").get_models())

pytestmark = pytest.mark.usefixtures("_routed")


@pytest.fixture
def _routed():
    with override_settings(
        DURABLE={"DATABASE": "durable"},
        DATABASE_ROUTERS=["durable_django.routers.DurableRouter"],
    ):
        yield


@pytest.mark.parametrize("model", OURS)
def test_our_models_are_read_and_written_in_their_database(model):
    assert router.db_for_read(model) == "durable"
    assert router.db_for_write(model) == "durable"
    assert model.objects.all().db == "durable"


def test_others_stay_where_they_are():
    assert router.db_for_read(User) == router.db_for_write(User) == "default"


def test_it_says_nothing_of_others_so_that_another_router_may():
    ours = DurableRouter()
    assert ours.db_for_read(User) is None
    assert ours.db_for_write(User) is None
    assert ours.allow_migrate("durable", "auth") is None
    assert ours.allow_migrate("default", "auth") is None
    assert ours.allow_relation(User(), User()) is None
    assert ours.allow_relation(Execution(), User()) is None
    assert ours.allow_relation(User(), Execution()) is None


def test_our_tables_are_made_in_their_database_only():
    assert all(router.allow_migrate_model("durable", model) for model in OURS)
    assert not any(router.allow_migrate_model("default", model) for model in OURS)
    assert router.allow_migrate("default", "durable_django") is False


def test_our_rows_belong_together_wherever_they_were_read():
    first, second = Execution(), StepRun()
    first._state.db, second._state.db = "durable", "replica"
    assert router.allow_relation(first, second)


def test_the_setting_is_read_when_it_is_needed():
    with override_settings(DURABLE={}):
        assert router.db_for_write(Execution) == "default"


PROJECT = """
import json, sys
from django.conf import settings

names = dict(zip(("default", "durable"), sys.argv[1:]))
engine = "django.db.backends.sqlite3"
options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "durable_django"],
    DATABASES={a: {"ENGINE": engine, "NAME": n, "OPTIONS": options} for a, n in names.items()},
    DATABASE_ROUTERS=["durable_django.routers.DurableRouter"],
    DURABLE={"DATABASE": "durable"},
    USE_TZ=True,
    SECRET_KEY="x",
)
import django
django.setup()
from django.core.management import call_command
for alias in names:
    call_command("migrate", database=alias, verbosity=0, skip_checks=False)
call_command("check", databases=list(names), fail_level="WARNING")

import durable_django as durable

class Greet(durable.Workflow):
    @durable.step
    def hello(self):
        return "hello"

execution = Greet.start()
call_command("durable_worker", burst=True, threads=1)
print(json.dumps(execution.get_result(timeout=10)))
"""


def test_a_run_in_a_database_of_its_own_leaves_nothing_in_the_default_one(tmp_path):
    files = [tmp_path / "default.sqlite3", tmp_path / "durable.sqlite3"]
    done = subprocess.run(
        [sys.executable, "-c", PROJECT, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == "hello"
    default, durable = (_tables(file) for file in files)
    assert durable >= {model._meta.db_table for model in OURS}
    assert {table for table in default if table.startswith("durable")} == set()


def _tables(file):
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}
    finally:
        connection.close()
