"""Settings of the example project; nothing here is secret, and nothing is for production.

    DATABASE_URL   default: a SQLite file in example_project/var
                   postgresql://user:password@host/name for PostgreSQL
    BASE_URL       where the admin is served, for links in mails and for callbacks
    SECONDS_A_DAY  how long a day is, for those who do not want to wait for one (default: 86,400)
    EXECUTOR       who runs the steps: threads (the default), or django_q, a cluster of Django-Q2
    REDIS_URL      the cluster's broker; without it, the database is

Everything the project writes goes into example_project/var.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

env = environ.Env()

PROJECT = Path(__file__).resolve().parent
VAR = PROJECT / "var"
VAR.mkdir(exist_ok=True)


def database(default_url: str) -> dict[str, Any]:
    """The entry of DATABASES for DATABASE_URL, with what durable_django recommends for SQLite."""
    config: dict[str, Any] = env.db_url("DATABASE_URL", default=default_url)
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config.setdefault("OPTIONS", {}).update(
            # One writer at a time, who waits for its turn instead of failing in mid-transaction …
            transaction_mode="IMMEDIATE",
            timeout=20,
            # … beside any number of readers, and a commit that survives a power cut.
            init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        )
    return config


DATABASES = {
    # Kept open: a connection for each task of a cluster would take longer than most of its work.
    "default": database(f"sqlite:///{VAR / 'db.sqlite3'}") | {"CONN_MAX_AGE": 600}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DEBUG = True
SECRET_KEY = "an example has no secrets"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "durable_django",
    "example_project.shop",
    "example_project.trips",
    "example_project.reports",
    "example_project.expenses",
    "example_project.trials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the admin in the browser's language
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
ASGI_APPLICATION = "example_project.asgi.application"
STATIC_URL = "static/"

USE_TZ = True
TIME_ZONE = "UTC"

# The shop's mails are files that one can read.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = "orders@shop.example"

# Every key is optional; the first two are the defaults that one meets first. BASE_URL is needed as
# soon as a workflow waits for a callback.
DURABLE = {
    "THREADS": 8,
    "LOG_LEVEL": "INFO",
    "BASE_URL": env("BASE_URL", default="http://127.0.0.1:8000"),
    "EXECUTOR": env("EXECUTOR", default="threads"),
}

# What the workflows here call a day, see days.py.
A_DAY = timedelta(seconds=env.float("SECONDS_A_DAY", default=86_400.0))

# For EXECUTOR=django_q: runs are carried by a cluster of Django-Q2 then, by way of the database, or
# of Redis where there is a REDIS_URL. The system checks tell why each value is what it is.
CLUSTER_WORKERS = env.int("CLUSTER_WORKERS", default=2)
Q_CLUSTER: dict[str, Any] = {
    "name": "shop",
    "workers": CLUSTER_WORKERS,
    "queue_limit": CLUSTER_WORKERS,
    "bulk": 1,
    "poll": 0.05,
    "timeout": 90,
    "retry": 120,
    "save_limit": -1,
    "log_level": "WARNING",
    # Started with Q_CLUSTER_NAME=heavy: for the runs of the queue "heavy".
    "ALT_CLUSTERS": {"heavy": {"workers": 1, "queue_limit": 1}},
}
if "REDIS_URL" in env:
    Q_CLUSTER["redis"] = env("REDIS_URL")
else:
    Q_CLUSTER["orm"] = "default"
if DURABLE["EXECUTOR"] == "django_q":
    DURABLE["QUEUES"] = {"default": {}, "heavy": {"cluster": "heavy"}}
