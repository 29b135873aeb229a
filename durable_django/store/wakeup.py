"""Telling the workers that a run became ready, so that they need not ask the database.

On PostgreSQL by NOTIFY, delivered when the transaction commits; on SQLite workers watch
``PRAGMA data_version``. A lost wake-up costs a poll interval, never a run.
"""

from __future__ import annotations

from django.db import connections

from ..conf import settings

CHANNEL = "durable_django"


def notify(queue: str) -> None:
    """Wakes workers that serve ``queue``, once this transaction has committed.

    PostgreSQL sends equal notifications of one transaction once.
    """
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, queue])
