"""How transitions begin: in one transaction, writing first.

On SQLite a deferred transaction that reads first and writes later fails at once with "database is
locked", whatever its timeout; so the first statement of every transition is a write there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import F

from ..conf import settings
from ..exceptions import ExecutionNotFound
from ..models import Execution, Worker
from .wakeup import announcing

T = TypeVar("T")

# SQLSTATE classes after which the same transaction may succeed: serialization failure, deadlock,
# lock timeout (https://www.postgresql.org/docs/current/errcodes-appendix.html).
REPEATABLE = frozenset({"40001", "40P01", "55P03"})
# admin_shutdown, crash_shutdown, cannot_connect_now; beside class 08, and no SQLSTATE at all.
SHUTDOWN = frozenset({"57P01", "57P02", "57P03"})
REPEAT_SECONDS = 10.0
AWAY_SECONDS = 60.0


def has_row_locks() -> bool:
    """Whether SELECT ... FOR UPDATE locks rows (PostgreSQL) or is a plain SELECT (SQLite)."""
    return connections[settings.DATABASE].features.has_select_for_update


@contextmanager
def worker_transaction(worker_id: UUID | None) -> Iterator[None]:
    """A transaction of a worker. Takes SQLite's write lock through the worker's own row, where its
    BEGIN has not taken it already."""
    connection = connections[settings.DATABASE]
    begins_writing = getattr(connection, "transaction_mode", None) in ("IMMEDIATE", "EXCLUSIVE")
    with transaction.atomic(using=settings.DATABASE):
        if worker_id is not None and not begins_writing and not has_row_locks():
            Worker.objects.using(settings.DATABASE).filter(pk=worker_id).update(pid=F("pid"))
        with announcing():
            yield


def lock_execution(pk: UUID) -> Execution:
    """The execution, locked until the end of the transaction. ExecutionNotFound if none."""
    found = lock_or_none(pk)
    if found is None:
        raise ExecutionNotFound(f"no execution has the id {pk}")
    return found


def lock_or_none(pk: UUID) -> Execution | None:
    """The execution, locked until the end of the transaction; None if it is gone."""
    return _locked(pk, skip_locked=False)


class RowHeld(Exception):
    """A row that is to be locked is held by somebody, perhaps for long."""


def lock_if_free(pk: UUID) -> Execution | None:
    """The execution, locked until the end of the transaction, unless somebody else holds it or it
    is gone."""
    return _locked(pk, skip_locked=True)


def _locked(pk: UUID, skip_locked: bool) -> Execution | None:
    rows = Execution.objects.using(settings.DATABASE).filter(pk=pk)
    if has_row_locks():
        rows = rows.select_for_update(no_key=True, skip_locked=skip_locked)
    else:
        rows.update(lease=F("lease"))
    return rows.first()


def repeating(transition: Callable[[], T]) -> T:
    """Runs a transition, again while the database reports a deadlock, a serialization failure, a
    lock timeout, or (SQLite) a lock held too long, for up to ``REPEAT_SECONDS``.

    Inside the caller's own transaction nothing is repeated: only the caller can do that.
    """
    if connections[settings.DATABASE].in_atomic_block:
        return transition()
    give_up = time.monotonic() + REPEAT_SECONDS
    pause = 0.005
    while True:
        try:
            return transition()
        except OperationalError as error:
            if not is_repeatable(error) or time.monotonic() > give_up:
                raise
        time.sleep(pause * (0.5 + random.random()))
        pause = min(pause * 2, 0.25)


def is_repeatable(error: BaseException) -> bool:
    """Whether the same transaction may succeed when run again at once."""
    cause = error.__cause__ or error
    if getattr(cause, "sqlstate", None) in REPEATABLE:
        return True
    return getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_away(error: BaseException) -> bool:
    """Whether the database did not refuse but could not be reached: the connection is gone."""
    cause = error.__cause__ or error
    if not isinstance(error, OperationalError | InterfaceError) or hasattr(
        cause, "sqlite_errorcode"
    ):
        return False
    sqlstate = getattr(cause, "sqlstate", None)
    return sqlstate is None or sqlstate in SHUTDOWN or sqlstate.startswith("08")


def when_back(transition: Callable[[], T]) -> T:
    """Runs a transition that may be repeated even if only its answer was lost, again while the
    database is away, for up to ``AWAY_SECONDS``."""
    if connections[settings.DATABASE].in_atomic_block:
        return transition()
    give_up = time.monotonic() + AWAY_SECONDS
    pause = 0.005
    while True:
        try:
            return transition()
        except (OperationalError, InterfaceError):
            connections[settings.DATABASE].close()
            if time.monotonic() > give_up:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def in_callers_transaction() -> bool:
    """Whether the caller has a transaction open on our database."""
    return connections[settings.DATABASE].in_atomic_block
