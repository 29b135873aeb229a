"""System checks: what a project can misconfigure, told by ``manage.py check`` with a hint.

They judge settings and definitions; only one, and only when Django names the database
(``check --database``, ``migrate``), opens it. None writes. ``docs/checks.md`` says more of each.

=====================  ============================================================================
durable_django.E001    DURABLE is not a dict
durable_django.E002    DURABLE has an unknown key
durable_django.E003    a setting has a wrong type or is out of range
durable_django.E004    QUEUES has a bad name, bad options or an unknown option
durable_django.E005    LEASE_SECONDS is shorter than three heartbeats
durable_django.E006    USE_TZ is False
durable_django.E007    DATABASE is no alias in DATABASES, or one without an ENGINE
durable_django.E008    the database routers send durable_django's tables elsewhere
durable_django.E009    PostgreSQL is used through psycopg2
durable_django.E010    the database has AUTOCOMMIT turned off
durable_django.E011    the queue of a workflow or a schedule is not in QUEUES
durable_django.E012    a workflow waits for a callback, and BASE_URL is not set
durable_django.E013    a workflow waits for a callback, and our URLs are not included
durable_django.E014    a workflow starts another by a name that is not registered
durable_django.E015    a schedule's cron expression cannot be read
durable_django.E016    a schedule's time zone is none that this machine has
durable_django.E017    a schedule's input cannot be stored
durable_django.W002    the database is neither PostgreSQL nor SQLite
durable_django.W003    SQLite's transactions do not begin with IMMEDIATE
durable_django.W004    SQLite's journal is not in WAL mode
durable_django.W005    SQLite's database is in memory, where no worker process can see it
durable_django.W006    a schedule never ticks
durable_django.W007    a schedule's jitter is longer than the time between two of its ticks
=====================  ============================================================================
"""

from django.core.checks import Tags, register

from .database import check_database
from .schedules import check_schedules
from .values import check_settings
from .workflows import check_workflows

register(check_settings)
register(check_database, Tags.database)
register(check_workflows)
register(check_schedules)
