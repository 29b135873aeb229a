"""Counting down: how many strands of each parent are left, and how many more may begin.

The fifth hot statement, in a form for PostgreSQL and one for every other database; the same tests
run over both. The caller holds the locks of the parents.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connections

from ..conf import settings
from ..engine import values
from ..models import Execution
from .hot import adapted

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
_BEGIN = f"""
WITH next AS (
    SELECT id FROM "{Execution._meta.db_table}"
    WHERE parent_id = %s AND id > %s AND held_back ORDER BY id LIMIT %s
)
UPDATE "{Execution._meta.db_table}" AS e SET status = 'pending', held_back = FALSE, ready_at = %s
FROM next WHERE e.id = next.id RETURNING e.id
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
    ``released_id`` may begin in their place."""

    id: UUID
    remaining: int
    failures: int
    released_id: UUID | None
    begins: int


def write_counts(counted: Sequence[Counted], now: datetime) -> None:
    """Counts ended strands, lets as many begin, and makes a parent without any left ready."""
    connection = connections[settings.DATABASE]
    rows = [(row.id, row.remaining, row.failures, _begin(row, now)) for row in counted]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ("id", "remaining", "failures", "released_id")
            found = [
                {k: str(v) if isinstance(v, UUID) else v for k, v in zip(names, row, strict=True)}
                for row in rows
            ]
            cursor.execute(_COUNTS, [now, values.encode(found, "counts")])
            return
        columns = ("remaining", "failures", "released_id", "left", "left", "ready_at", "id")
        given = [(left, failed, last, left, left, now, pk) for pk, left, failed, last in rows]
        cursor.executemany(_COUNTS_ONE, adapted(connection, columns, given))


def _begin(row: Counted, now: datetime) -> UUID | None:
    """Lets strands begin that are held back; the last of them, None if no more are left."""
    if row.released_id is None or not row.begins:
        return None
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, [row.id, row.released_id, row.begins, now])
            ids = sorted(pk for (pk,) in cursor.fetchall())
    else:
        rows = Execution.objects.using(settings.DATABASE)
        held_back = rows.filter(parent_id=row.id, id__gt=row.released_id, held_back=True)
        ids = list(held_back.order_by("id").values_list("id", flat=True)[: row.begins])
        rows.filter(id__in=ids).update(status="pending", held_back=False, ready_at=now)
    return ids[-1] if len(ids) == row.begins else None
