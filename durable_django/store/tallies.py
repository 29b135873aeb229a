"""Tallies: how many runs ended how, and how long they took, by minute and by hour.

Added up in memory by whoever ends runs, written every few seconds by its worker, or at once where
there is none. For charts only: what a process that is killed had not written is lost, nothing here
may stop or slow down a run, and no decision may rest on it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.db import connections, transaction

from ..conf import settings
from ..models import Execution, Tally
from ..models.tally import HOUR_SECONDS, MINUTE_SECONDS
from . import clock
from .hot import adapted

logger = logging.getLogger("durable_django")

# Durations are kept as classes on a logarithmic scale: 0 is up to a millisecond, each further one
# ends sqrt(2) times later than the one before, the last has no end (from about 60 days).
FIRST_SECONDS = 0.001
CLASS_MAX = 65
NEVER_STARTED = -1

MINUTES_KEPT = timedelta(hours=2)
HOURS_KEPT = timedelta(days=8)
# While the database is away it is better to forget charts than to fill the memory.
KEYS_MAX = 20_000
# Each is two rows of six values; SQLite takes 32,766 values.
KEYS_A_STATEMENT = 500


class Ended(NamedTuple):
    """What is counted together; ``minute`` counts from 1970."""

    minute: int
    workflow_name: str
    status: str
    duration_class: int


_lock = threading.Lock()
_pending: dict[Ended, int] = {}
_workers = 0


def class_of(seconds: float) -> int:
    """The class of a duration.

    >>> class_of(0.0005), class_of(0.25), class_of(3600), class_of(90 * 86_400)
    (0, 16, 44, 65)
    """
    if seconds <= FIRST_SECONDS:
        return 0
    return min(math.ceil(2 * math.log2(seconds / FIRST_SECONDS) - 1e-9), CLASS_MAX)


def seconds_of(duration_class: int) -> float:
    """The duration that stands for a class: its geometric middle. A duration of the class is at
    most 19 % more (a fourth root of 2) or 16 % less; but for the first and the last class, which
    stand for their one limit.

    >>> round(seconds_of(16), 3)
    0.215
    """
    if duration_class <= 0:
        return FIRST_SECONDS
    middle = 0.5 if duration_class < CLASS_MAX else 1.0
    return float(FIRST_SECONDS * 2 ** ((duration_class - middle) / 2))


def percentile(classes: Mapping[int, int], p: float) -> float | None:
    """The duration in seconds that ``p`` percent of the runs did not exceed, by the nearest rank,
    as exact as :func:`seconds_of`; None for no runs. ``classes`` has the number of each class; runs
    that never started took no time and do not count.

    >>> percentile({class_of(1): 98, class_of(60): 2}, 99) == seconds_of(class_of(60))
    True
    """
    began = {found: number for found, number in classes.items() if found != NEVER_STARTED}
    rank = math.ceil(sum(began.values()) * p / 100)
    for duration_class in sorted(began):
        rank -= began[duration_class]
        if rank <= 0 < began[duration_class]:
            return seconds_of(duration_class)
    return None


def count(
    workflow_name: str, status: str, started_at: datetime | None, finished_at: datetime
) -> None:
    """Counts a run that has ended, in memory: 2 µs. Raises nothing."""
    try:
        taken = NEVER_STARTED
        if started_at is not None:
            taken = class_of((finished_at - started_at).total_seconds())
        minute = int(finished_at.timestamp()) // MINUTE_SECONDS
        key = Ended(minute, workflow_name, str(status), taken)
        with _lock:
            _pending[key] = _pending.get(key, 0) + 1
    except Exception:
        logger.exception("a run of %s that ended could not be counted", workflow_name)


def count_when_committed(run: Execution) -> None:
    """Counts a run that the transaction which is open ends. Written right after it, unless a worker
    of this process will do so."""
    transaction.on_commit(lambda: _count_committed(run), using=settings.DATABASE)


def _count_committed(run: Execution) -> None:
    count(run.workflow_name, run.status, run.started_at, run.finished_at or clock.known())
    if not _workers:
        flush()


def worker_begins() -> None:
    """A worker of this process writes from now on what is counted here."""
    global _workers
    with _lock:
        _workers += 1


def worker_ends() -> None:
    """It does so no more; what is left is written."""
    global _workers
    with _lock:
        _workers -= 1
    flush()


def flush() -> None:
    """Writes what was counted. Whatever the database says is logged, not raised: what it refused is
    tried again with the next flush. Where only its answer was lost, that counts twice."""
    with _lock:
        left = dict(sorted(_pending.items()))
        _pending.clear()
    while left:
        some = dict(islice(left.items(), KEYS_A_STATEMENT))
        try:
            write(some)
        except Exception as error:
            logger.warning("tallies could not be written now: %s", error)
            _put_back(left)
            return
        left = dict(islice(left.items(), len(some), None))


def _put_back(left: Mapping[Ended, int]) -> None:
    with _lock:
        if len(_pending) + len(left) <= KEYS_MAX:
            for key, number in left.items():
                _pending[key] = _pending.get(key, 0) + number


def forget() -> None:
    """Forgets what was not written, for tests."""
    with _lock:
        _pending.clear()


_COLUMNS = ("span_seconds", "begins_at", "workflow_name", "status", "duration_class", "number")
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_UNIQUE = ", ".join(f'"{name}"' for name in _COLUMNS[:-1])
_TABLE = Tally._meta.db_table
# The ORM's bulk_create(update_conflicts=True) can only set what is given, not add to what stands
# there. Measured, 64 rows: 6 ms, and 430 ms by get_or_create and F("number") on PostgreSQL 18; 11
# and 490 ms on SQLite.
_ADD = f"""
INSERT INTO "{_TABLE}" ({_NAMES}) VALUES %s
ON CONFLICT ({_UNIQUE}) DO UPDATE SET "number" = "{_TABLE}"."number" + excluded."number"
"""
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"


def write(counted: Mapping[Ended, int]) -> None:
    """Adds numbers to the rows of their minutes and of their hours: one statement, no transaction
    around it, so that a process that stands still holds no lock."""
    added: dict[tuple[int, int, str, str, int], int] = {}
    for (minute, name, status, duration_class), number in counted.items():
        for span in (MINUTE_SECONDS, HOUR_SECONDS):
            begins = minute * MINUTE_SECONDS // span * span
            key = (span, begins, name, status, duration_class)
            added[key] = added.get(key, 0) + number
    # race: tallies-in-order. Everybody locks the rows in the same order, so that no two wait for
    # each other.
    rows = [
        (key[0], datetime.fromtimestamp(key[1], UTC), *key[2:], number)
        for key, number in sorted(added.items())
    ]
    connection = connections[settings.DATABASE]
    values = [value for row in adapted(connection, _COLUMNS, rows) for value in row]
    with connection.cursor() as cursor:
        cursor.execute(_ADD % ", ".join([_ROW] * len(rows)), values)


def prune() -> None:
    """Takes away rows that no chart reads any more."""
    rows = Tally.objects.using(settings.DATABASE)
    now = clock.now()
    for span, kept in ((MINUTE_SECONDS, MINUTES_KEPT), (HOUR_SECONDS, HOURS_KEPT)):
        old = rows.filter(span_seconds=span, begins_at__lt=now - kept)
        if old.exists():  # on SQLite a delete takes the write lock
            old.delete()
