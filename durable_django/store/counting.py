"""Counting down: how many strands of each parent are left, and how many more may begin.

The fifth hot statement, in a form for PostgreSQL and one for every other database; the same tests
run over both. The caller holds the locks of the parents.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from ..conf import settings
from ..engine import values
from ..models import Execution
from .claiming import COLUMNS
from .hot import adapted
from .records import Taking

# Measured on PostgreSQL 18, for a wave of 50: 0.6 ms, and 1.7 ms for letting 50 begin; in one
# statement 4 ms, most of it for its plan.
_COUNTS = f"""
UPDATE "{Execution._meta.db_table}" AS e SET
    remaining = v.remaining, failures = v.failures, released_id = v.released_id,
    status = CASE WHEN v.remaining = 0 AND e.status = 'waiting' THEN 'pending' ELSE e.status END,
    ready_at = CASE WHEN v.remaining = 0 THEN %s ELSE e.ready_at END
FROM json_to_recordset(%s) AS v (id uuid, remaining int, failures int, released_id uuid)
WHERE e.id = v.id
"""
_NEXT = f"""
WITH next AS (
    SELECT id FROM "{Execution._meta.db_table}"
    WHERE parent_id = %s AND id > %s AND held_back ORDER BY id LIMIT %s
)
"""
_BEGIN = f"""{_NEXT}
UPDATE "{Execution._meta.db_table}" AS e SET status = %s, held_back = FALSE, ready_at = %s
FROM next WHERE e.id = next.id RETURNING e.id
"""
# Begin and claim in one: with one row written twice less, 10,000 items of which 50 run at a time
# take 1.3 times what as many runs take, instead of 1.7.
_TAKE = f"""{_NEXT}
UPDATE "{Execution._meta.db_table}" AS e SET status = 'running', held_back = FALSE,
    ready_at = %s, worker_id = %s, lease = lease + 1, started_at = coalesce(started_at, %s)
FROM next WHERE e.id = next.id RETURNING {{columns}}
"""
_COUNTS_ONE = f"""
UPDATE "{Execution._meta.db_table}" SET
    remaining = %s, failures = %s, released_id = %s,
    status = CASE WHEN %s = 0 AND status = 'waiting' THEN 'pending' ELSE status END,
    ready_at = CASE WHEN %s = 0 THEN %s ELSE ready_at END
WHERE id = %s
"""


class Counted(NamedTuple):
    """A parent whose strands have ended: what is left, and how many of those held back behind
    ``released_id`` may begin in their place: if the run ``is_paused``, when it is resumed."""

    id: UUID
    remaining: int
    failures: int
    released_id: UUID | None
    begins: int
    is_paused: bool = False


def write_counts(counted: Sequence[Counted], now: datetime, taking: Taking | None = None) -> None:
    """Counts ended strands, lets as many begin, and makes a parent without any left ready. Those
    that ``taking`` has room for are claimed at once."""
    connection = connections[settings.DATABASE]
    rows = [(row.id, row.remaining, row.failures, _begin(row, now, taking)) for row in counted]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(rows) > 1:
            names = ("id", "remaining", "failures", "released_id")
            found = [
                {k: str(v) if isinstance(v, UUID) else v for k, v in zip(names, row, strict=True)}
                for row in rows
            ]
            cursor.execute(_COUNTS, [now, values.encode(found, "counts")])
            return
        columns = ("remaining", "failures", "released_id", "left", "left", "ready_at", "id")
        given = [(left, failed, last, left, left, now, pk) for pk, left, failed, last in rows]
        if len(given) == 1:  # of one parent it is half as long as with a set of one
            cursor.execute(_COUNTS_ONE, adapted(connection, columns, given)[0])
        else:
            cursor.executemany(_COUNTS_ONE, adapted(connection, columns, given))


def _begin(row: Counted, now: datetime, taking: Taking | None) -> UUID | None:
    """Lets strands begin that are held back; the last of them, None if no more are left."""
    if row.released_id is None or not row.begins:
        return None
    connection = connections[settings.DATABASE]
    status = "paused" if row.is_paused else "pending"
    if connection.vendor == "postgresql":
        wanted: list[Any] = [row.id, row.released_id, row.begins]
        with connection.cursor() as cursor:
            if taking is not None and not row.is_paused and taking.has_room_for(row.begins):
                columns = ", ".join(f'e."{name}"' for name in COLUMNS)
                cursor.execute(_TAKE.format(columns=columns), [*wanted, now, taking.worker_id, now])
                found = sorted(cursor.fetchall())
                taking.rows += found
            else:
                cursor.execute(_BEGIN, [*wanted, status, now])
                found = sorted(cursor.fetchall())
            ids = [taken[0] for taken in found]
    else:
        rows = Execution.objects.using(settings.DATABASE)
        held_back = rows.filter(parent_id=row.id, id__gt=row.released_id, held_back=True)
        ids = list(held_back.order_by("id").values_list("id", flat=True)[: row.begins])
        rows.filter(id__in=ids).update(status=status, held_back=False, ready_at=now)
    return ids[-1] if len(ids) == row.begins else None
