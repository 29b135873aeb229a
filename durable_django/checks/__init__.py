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
durable_django.E011    the queue of a workflow is not in QUEUES
durable_django.E012    a workflow waits for a callback, and BASE_URL is not set
durable_django.E013    a workflow waits for a callback, and our URLs are not included
durable_django.E014    a workflow starts another by a name that is not registered
durable_django.E018    the executor cannot be loaded
durable_django.E019    the executor is Django-Q2, and its app is not installed
durable_django.E020    Q_CLUSTER is not a dict, or a value in it has a wrong type or is out of range
durable_django.E021    Q_CLUSTER has sync turned on
durable_django.E022    the broker of Q_CLUSTER lacks its package, its database or its table
durable_django.E023    a cluster would share the connections of a pool among its processes
durable_django.W002    the database is neither PostgreSQL nor SQLite
durable_django.W003    SQLite's transactions do not begin with IMMEDIATE
durable_django.W004    SQLite's journal is not in WAL mode
durable_django.W005    SQLite's database is in memory, where no worker process can see it
durable_django.W006    a schedule never ticks
durable_django.W007    a schedule's jitter is longer than the time between two of its ticks
durable_django.W008    a queue is given to a cluster that Q_CLUSTER does not know
durable_django.W009    a cluster takes more hints than it has workers (queue_limit)
durable_django.W010    a cluster takes several hints at once (bulk)
durable_django.W011    a cluster has little time to drive a run (retry)
durable_django.W012    a cluster replaces its processes often (recycle)
durable_django.W013    a cluster connects to the database anew for each run (CONN_MAX_AGE)
durable_django.W014    the ORM broker is in another database than the runs
durable_django.W015    a cluster has another broker than the one that hints are sent to
durable_django.W016    the queue of a schedule is not in QUEUES
durable_django.W017    a schedule's cron expression cannot be read
durable_django.W018    a schedule's time zone is none that this machine has
durable_django.W019    a schedule's input cannot be stored
=====================  ============================================================================
"""

from django.core.checks import Tags, register

from .database import check_database
from .django_q import check_executor
from .schedules import check_schedules
from .values import check_settings
from .workflows import check_workflows

register(check_settings)
register(check_database, Tags.database)
register(check_workflows)
register(check_schedules)
register(check_executor)
