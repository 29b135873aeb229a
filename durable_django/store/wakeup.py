"""Telling that a run became ready, so that nobody need ask the database.

Workers are told on PostgreSQL by NOTIFY, delivered when the transaction commits; on SQLite they
watch ``PRAGMA data_version``. A lost wake-up costs a poll interval, never a run. An executor that
hands runs to another engine is told of each transaction that made some ready, before it commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import connections

from ..conf import settings

CHANNEL = "durable_django"
# For what parked runs wait for: events, answers, ends of children.
WAITS_CHANNEL = "durable_django_waits"

# Queue -> the runs of it that the transaction made ready; none where not all of them are known.
Announced = Mapping[str, Sequence[UUID]]
# Told with each transaction that made something ready. None: workers find it themselves.
announce: Callable[[Announced], None] | None = None

_transaction = threading.local()


def notify(queue: str, ids: Sequence[UUID] = ()) -> None:
    """Wakes workers that serve ``queue``, once this transaction has committed. ``ids`` are the runs
    that became ready, where it costs nothing to know them.

    PostgreSQL sends equal notifications of one transaction once.
    """
    _notify(CHANNEL, queue)
    became_ready(queue, ids)


def became_ready(queue: str, ids: Sequence[UUID] = ()) -> None:
    """For who has notified the workers already."""
    if announce is None:
        return
    announced: dict[str, list[UUID]] | None = getattr(_transaction, "announced", None)
    if announced is None:
        announce({queue: ids})
    elif queue not in announced:
        announced[queue] = list(ids)
    elif ids and announced[queue]:
        announced[queue].extend(ids)
    else:  # one of them names none
        announced[queue] = []


@contextmanager
def announcing() -> Iterator[None]:
    """Around what a transaction does, inside it: what became ready is announced at its end."""
    if announce is None or getattr(_transaction, "announced", None) is not None:
        yield
        return
    _transaction.announced = {}
    try:
        yield
        announced = _transaction.announced
    finally:
        _transaction.announced = None
    if announced:
        announce(announced)


def notify_waits() -> None:
    """Wakes workers, once this transaction has committed, since there is something to deliver."""
    _notify(WAITS_CHANNEL, "")


def _notify(channel: str, payload: str) -> None:
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
