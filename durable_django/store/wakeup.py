"""Telling the workers that a run became ready, so that they need not ask the database.

On PostgreSQL by NOTIFY, delivered when the transaction commits; on SQLite workers watch
``PRAGMA data_version``. A lost wake-up costs a poll interval, never a run.
"""

from __future__ import annotations

from django.db import connections

from ..conf import settings

CHANNEL = "durable_django"
# For what parked runs wait for: events, answers, ends of children.
WAITS_CHANNEL = "durable_django_waits"


def notify(queue: str) -> None:
    """Wakes workers that serve ``queue``, once this transaction has committed.

    PostgreSQL sends equal notifications of one transaction once.
    """
    _notify(CHANNEL, queue)


def notify_waits() -> None:
    """Wakes workers, once this transaction has committed, since there is something to deliver."""
    _notify(WAITS_CHANNEL, "")


def _notify(channel: str, payload: str) -> None:
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
