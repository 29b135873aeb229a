"""Settings of the benchmarks: the least a project needs, on the database of DATABASE_URL.

What is measured is what a project gets that changes nothing: no DURABLE setting, no connection
option (but those in the URL), and for SQLite what the system check recommends.
"""

import json
import os
from typing import Any

import environ

DATABASES = {"default": environ.Env().db_url("DATABASE_URL")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "durable_django",
    "benchmarks",
]

# For the load "clusters": what a process of Django-Q2, and the worker beside it, are told.
Q_CLUSTER: dict[str, Any] = json.loads(os.environ.get("DURABLE_BENCHMARK_Q_CLUSTER", "{}"))
DURABLE: dict[str, Any] = {}
if Q_CLUSTER:
    INSTALLED_APPS.append("django_q")
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    DURABLE["EXECUTOR"] = "django_q"

SECRET_KEY = "only for benchmarks"
USE_TZ = True
DEBUG = False  # Django would keep every statement in memory.
