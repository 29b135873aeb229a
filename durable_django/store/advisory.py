"""Advisory locks: what orders the parking of runs with the delivery of events.

Who parks a run for an event holds the lock of its inbox and looks into it, as does who delivers
what was sent to it. So either the delivery sees the wait, or the one who parks sees the event, and
none is taken twice. What was published belongs to all: who parks shares its lock, who spreads it
waits until those are through. Released with the transaction, so that a pooler in transaction mode
does no harm. Where one writes at a time (SQLite) nothing is to be ordered.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from uuid import UUID

from django.db import OperationalError, connections, transaction

from ..conf import settings

PATIENCE = "50ms"


def inbox_of(run_id: UUID) -> int:
    """The lock of the events sent to a run."""
    return _number(b"run", run_id.bytes)


def published(name: str, key: str) -> int:
    """The lock of the events published under a name and key."""
    return _number(b"published", name.encode(), b"\0", key.encode())


def _number(*parts: bytes) -> int:
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "big", signed=True)


def share(locks: Iterable[int]) -> set[int]:
    """Those of the locks that nobody holds, or asks for, alone: shared until the transaction ends.
    Waits for none."""
    return _try("pg_try_advisory_xact_lock_shared", locks)


def hold_free(locks: Iterable[int]) -> set[int]:
    """Those of the locks that are free: held alone until the transaction ends. Waits for none."""
    return _try("pg_try_advisory_xact_lock", locks)


def hold(locks: Iterable[int]) -> set[int]:
    """Those of the locks that are free, or soon are: held alone until the transaction ends."""
    wanted = set(locks)
    free = _try("pg_try_advisory_xact_lock", wanted)
    return free if free == wanted else free | _insist(wanted - free)


def _insist(locks: set[int]) -> set[int]:
    """Who parks thousands of members of one run holds its inbox nearly all the time; while one
    waits for it, those that come later do not get it any more. Not for long: a process may stand
    still in the middle of its transaction."""
    using = settings.DATABASE
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(
                "SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n", [sorted(locks)]
            )
    except OperationalError:
        return set()
    return locks


def wait_for_sharers(locks: Iterable[int]) -> None:
    """Holds locks alone until the transaction ends; waits for those who share them now."""
    if connections[settings.DATABASE].vendor == "postgresql":
        with connections[settings.DATABASE].cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n", [sorted(locks)]
            )


def _try(function: str, locks: Iterable[int]) -> set[int]:
    wanted = sorted(set(locks))
    if not wanted or connections[settings.DATABASE].vendor != "postgresql":
        return set(wanted)
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(
            f"SELECT n FROM unnest(%s::bigint[]) AS n WHERE {function}(n)", [list(wanted)]
        )
        return {number for (number,) in cursor.fetchall()}
