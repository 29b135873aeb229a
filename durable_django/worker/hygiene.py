"""Database connections around steps: checked and closed as Django does around a request.

User code may leave a connection in a transaction, broken, or out of autocommit; the engine must
not write through such a one.
"""

from __future__ import annotations

from django.db import InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..conf import settings

# CONN_MAX_AGE=0 means one connection a request; a worker has no requests and steps of
# microseconds, so it is read as a minute.
CONNECTION_SECONDS = 60.0
# libpq's PQTRANS_ACTIVE, PQTRANS_INTRANS, PQTRANS_INERROR.
_OPEN_TRANSACTION = frozenset({1, 2, 3})
_NO_CONNECTION = 4  # PQTRANS_UNKNOWN


def close_old_connections() -> None:
    """Closes this thread's connections that are broken or too old."""
    for connection in connections.all(initialized_only=True):
        raw = connection.connection
        if raw is None:
            continue
        connection.queries_log.clear()  # with DEBUG Django keeps the last 9,000 statements
        of_a_request = connection.settings_dict["CONN_MAX_AGE"] == 0
        prolonged = getattr(connection, "_durable_prolonged", None) is raw
        if of_a_request and connection.close_at is not None and not prolonged:
            connection._durable_prolonged = raw  # type: ignore[attr-defined]
            connection.close_at += CONNECTION_SECONDS
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def left_dirty(*, ours_only: bool = False) -> str | None:
    """What user code left behind that the engine cannot write over; such connections are closed.

    ``ours_only`` looks at durable_django's own connection, which is what a wave writes through;
    looking at all of them takes 8 µs, a tenth of a short step.
    """
    found = None
    ours = ours_only and [connections[settings.DATABASE]]
    for connection in ours or connections.all(initialized_only=True):
        try:
            fault = _fault(connection)
        except Exception:  # closed behind Django's back: no fault of the step, but of no use
            fault = None
            abandon(connection)
        if fault:
            found = f"the step left the connection {connection.alias!r} {fault}"
            abandon(connection)
    return found


def _fault(connection: BaseDatabaseWrapper) -> str | None:
    if connection.connection is None:
        return None
    if connection.in_atomic_block:
        return "inside a transaction"
    if not connection.autocommit:
        return "out of autocommit"
    if _is_in_transaction(connection):  # by a BEGIN of its own, of which Django knows nothing
        return "inside a transaction"
    return None


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    raw = connection.connection
    if connection.vendor == "postgresql":
        status = raw.pgconn.transaction_status
        if status == _NO_CONNECTION:
            raise InterfaceError("the connection is closed")
        return status in _OPEN_TRANSACTION
    return bool(getattr(raw, "in_transaction", False))


def abandon(connection: BaseDatabaseWrapper) -> None:
    """Closes a connection whatever state it is in; an open transaction is rolled back."""
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.run_on_commit = []
    connection.needs_rollback = False
    connection.closed_in_transaction = False
    connection.close()


def close_all() -> None:
    """Closes this thread's connections, at the thread's end."""
    for connection in connections.all(initialized_only=True):
        abandon(connection)
