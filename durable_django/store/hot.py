"""The hot statements: claim, fence, insert of step runs, finish or park. One function each.

Through ``connection.cursor()``, with a form for PostgreSQL and one for every other database; the
same tests run over both. Measured, 64 rows a transaction, wall µs a row (CPU of the client):
PostgreSQL 18: insert 21 (9) by COPY, 28 (14) by ``json_to_recordset``, 36 (22) by ``unnest``,
74 (57) by ``bulk_create``; finish 21 by one statement over a set against 578 by ``bulk_update``.
SQLite 3.40: insert 12 by ``executemany`` against 49 by ``bulk_create``; finish 14 against 150 by
``update`` of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from ..conf import settings
from ..engine import values
from ..models import FINAL, Execution, ExecutionStatus, StepRun
from ..models.status import READY
from . import clock
from .records import Checkpoint, StepRecord


def _quoted(statuses: Sequence[str]) -> str:
    return ", ".join(f"'{status!s}'" for status in statuses)


class Locked(NamedTuple):
    """A locked row: its lease, who holds it, what its strands have counted down, and since when it
    is paused, or is to be."""

    lease: int
    worker_id: UUID | None
    status: str
    queue: str
    remaining: int
    failures: int
    released_id: UUID | None
    paused_at: datetime | None


# In the lock order of all transitions, which matters where it waits.
_LOCK = f"""
SELECT id, {", ".join(Locked._fields)} FROM "{Execution._meta.db_table}"
WHERE id = ANY(%s) ORDER BY root_id, depth, id FOR NO KEY UPDATE
"""


def lock_rows(ids: Sequence[UUID], *, wait: bool = False) -> dict[UUID, Locked]:
    """Locks the executions that nobody else has locked (``wait``: all)."""
    connection = connections[settings.DATABASE]
    if connection.vendor != "postgresql":
        rows = Execution.objects.using(settings.DATABASE).filter(id__in=ids)
        return {pk: Locked(*row) for pk, *row in rows.values_list("id", *Locked._fields)}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK if wait else f"{_LOCK} SKIP LOCKED", [list(ids)])
        return {pk: Locked(*row) for pk, *row in cursor.fetchall()}


STEP_COLUMNS = (
    "worker_id",
    "execution_id",
    "seq",
    "path",
    "name",
    "kind",
    "attempt",
    "status",
    "started_at",
    "finished_at",
    "next_path",
    "output_text",
    "changes_text",
    "error_text",
    "logs_text",
    "progress",
    "progress_message",
)


def insert_step_runs(worker_id: UUID | None, rows: Sequence[tuple[UUID, StepRecord]]) -> None:
    """Writes one StepRun for each record."""
    insert_rows(StepRun, STEP_COLUMNS, [(worker_id, pk, *record) for pk, record in rows])


def insert_rows(
    model: type[Model], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts rows of a model, given as tuples in the order of ``columns`` (column names)."""
    connection = connections[settings.DATABASE]
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # psycopg's copy() is not among the calls whose errors Django translates by itself.
            statement = f'COPY "{table}" ({names}) FROM STDIN'
            with connection.wrap_database_errors, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f'INSERT INTO "{table}" ({names}) VALUES ({marks})',
                adapted(connection, columns, rows),
            )


def adapted(
    connection: BaseDatabaseWrapper, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[list[Any]]:
    """The rows as a driver without UUIDs and datetimes takes them. Names tell which columns."""
    uuids = [i for i, name in enumerate(columns) if name == "id" or name.endswith("_id")]
    times = [i for i, name in enumerate(columns) if name.endswith("_at")]
    native_uuid = connection.features.has_native_uuid_field
    found: list[list[Any]] = []
    for row in rows:
        adapted = list(row)
        for i in () if native_uuid else uuids:
            adapted[i] = row[i].hex if isinstance(row[i], UUID) else row[i]
        for i in times:
            adapted[i] = connection.ops.adapt_datetimefield_value(row[i])
        found.append(adapted)
    return found


# Measured, CPU of the client for a claim of 64: 0.8 ms in one statement, 3 ms as a SELECT and an
# UPDATE of the ORM (PostgreSQL and SQLite alike; of one run 0.4 and 0.1 against 2.3 and 1.5 ms).
_CLAIM = """
WITH ready AS (
    SELECT id FROM "{table}" WHERE {ready} AND queue = %s {only}
    ORDER BY priority DESC, ready_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE "{table}" AS e SET status = {held}, worker_id = %s, lease = lease + 1,
    dispatched_lease = NULL, started_at = coalesce(started_at, %s)
FROM ready WHERE e.id = ready.id RETURNING {columns}
"""
_CLAIM_ONE_WRITER = """
UPDATE "{table}" AS e SET status = {held}, worker_id = %s, lease = lease + 1,
    dispatched_lease = NULL, started_at = coalesce(started_at, %s)
WHERE id IN (
    SELECT id FROM "{table}" WHERE {ready} AND queue = %s {only}
    ORDER BY priority DESC, ready_at, id LIMIT %s
) RETURNING {columns}
"""
# As the condition of the index says it. A rollback keeps its status while a worker drives it.
IS_READY = f"status IN ({_quoted(READY)}) AND worker_id IS NULL AND wake_at IS NULL"
_HELD = "CASE status WHEN 'pending' THEN 'running' ELSE status END"


def has_ready(queues: Sequence[str]) -> bool:
    """Whether any of the queues has something ready. Of the ORM the statuses are parameters, and
    SQLite then reads the whole table instead of the index of what is ready."""
    marks = ", ".join(["%s"] * len(queues))
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(
            f'SELECT 1 FROM "{Execution._meta.db_table}" '
            f"WHERE {IS_READY} AND queue IN ({marks}) LIMIT 1",
            list(queues),
        )
        return cursor.fetchone() is not None


def claim_ready(
    worker_id: UUID,
    queue: str,
    count: int,
    columns: Sequence[str],
    *,
    suspects: bool = True,
    handed_over: bool = True,
    only: tuple[UUID, int] | None = None,
) -> list[tuple[Any, ...]]:
    """Up to ``count`` ready runs of a queue become the worker's: their columns, ``id`` first, by
    priority, then age. Without ``suspects``, only runs that are none; without ``handed_over``, only
    those that nobody else is to come for; ``only`` that of an id, if its lease has this number."""
    connection = connections[settings.DATABASE]
    order = ("priority", "ready_at")
    names = ", ".join(f'e."{name}"' for name in (*columns, *order))
    table = Execution._meta.db_table
    condition = "" if suspects else " AND NOT suspect"
    if not handed_over:
        condition += " AND (dispatched_lease IS NULL OR dispatched_lease <> lease)"
    wanted: list[Any] = [queue]
    if only is not None:
        condition += " AND id = %s AND lease = %s"
        wanted += only
    now = clock.now()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = _CLAIM.format(
                table=table, columns=names, only=condition, ready=IS_READY, held=_HELD
            )
            cursor.execute(statement, [*wanted, count, worker_id, now])
            rows = cursor.fetchall()
        else:
            # SQLite knows no alias in RETURNING.
            names = names.replace("e.", "")
            statement = _CLAIM_ONE_WRITER.format(
                table=table, columns=names, only=condition, ready=IS_READY, held=_HELD
            )
            taken = [worker_id, connection.ops.adapt_datetimefield_value(now), *wanted, count]
            cursor.execute(statement, [v.hex if isinstance(v, UUID) else v for v in taken])
            rows = [_with_uuids(columns, row) for row in cursor.fetchall()]
    rows.sort(key=lambda row: (-row[-2], row[-1], row[0]))
    return [row[: len(columns)] for row in rows]


def _with_uuids(columns: Sequence[str], row: Sequence[Any]) -> tuple[Any, ...]:
    """A row of a database that keeps UUIDs as text, and times without a zone, or as text."""
    found = list(row)
    for index, name in enumerate(columns):
        if (name == "id" or name.endswith("_id")) and found[index] is not None:
            found[index] = UUID(found[index])
        elif name.endswith("_at") and found[index] is not None:
            moment = found[index]
            read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            found[index] = read.replace(tzinfo=UTC)
    return tuple(found)


_MOVE_COLUMNS = (
    ("id", "uuid"),
    ("changes_text", "text"),
    ("remaining", "int"),
    ("released_id", "uuid"),
    ("status", "text"),
    ("snapshot", "text"),
    ("snapshot_seq", "int"),
    ("result_text", "text"),
    ("error_text", "text"),
    ("wake_at", "timestamptz"),
    ("bump", "int"),
)
_FINAL = _quoted(FINAL)
# What is to stop is parked, unless it ends: a rollback is never paused.
_ENDS = f"v.status IN ({_FINAL}, 'compensating')"
_MOVE = f"""
UPDATE "{Execution._meta.db_table}" AS e SET
    status = CASE WHEN e.paused_at IS NULL OR {_ENDS} THEN v.status ELSE 'paused' END,
    paused_at = CASE WHEN {_ENDS} THEN NULL ELSE e.paused_at END,
    snapshot = v.snapshot, snapshot_seq = v.snapshot_seq,
    result_text = v.result_text, changes_text = v.changes_text,
    error_text = CASE v.error_text WHEN '' THEN e.error_text ELSE v.error_text END,
    remaining = v.remaining, failures = 0, released_id = v.released_id,
    wake_at = v.wake_at, worker_id = NULL, lease = e.lease + v.bump,
    suspect = FALSE, recoveries = 0,
    finished_at = CASE WHEN v.status IN ({_FINAL}) THEN %s END,
    due_at = CASE WHEN v.status IN ({_FINAL}) THEN NULL
        WHEN v.status = 'compensating' THEN v.wake_at
        WHEN e.paused_at IS NOT NULL THEN e.timeout_at
        ELSE least(v.wake_at, e.timeout_at) END,
    ready_at = coalesce(v.wake_at, e.ready_at)
FROM json_to_recordset(%s) AS v ({", ".join(f"{name} {kind}" for name, kind in _MOVE_COLUMNS)})
WHERE e.id = v.id
"""


def move_executions(checkpoints: Sequence[Checkpoint]) -> None:
    """Finishes or parks the executions of ``checkpoints``, each of which has a ``move``."""
    connection = connections[settings.DATABASE]
    now = clock.now()
    if connection.vendor == "postgresql":
        rows = values.encode([_as_json(checkpoint) for checkpoint in checkpoints], "moves")
        with connection.cursor() as cursor:
            cursor.execute(_MOVE, [now, rows])
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _MOVE_ONE,
            adapted(connection, _MOVE_ONE_COLUMNS, [_as_row(c, now) for c in checkpoints]),
        )


_MOVE_ONE = f"""
UPDATE "{Execution._meta.db_table}" SET
    status = CASE WHEN paused_at IS NULL OR %s THEN %s ELSE 'paused' END,
    snapshot = %s, snapshot_seq = %s, result_text = %s, changes_text = %s,
    error_text = coalesce(%s, error_text), remaining = %s, failures = 0, released_id = %s,
    wake_at = %s, worker_id = NULL, lease = lease + %s, suspect = %s, recoveries = 0,
    finished_at = %s, ready_at = coalesce(%s, ready_at),
    due_at = CASE WHEN %s THEN %s
        WHEN paused_at IS NOT NULL OR %s IS NULL OR timeout_at < %s THEN timeout_at ELSE %s END,
    paused_at = CASE WHEN %s THEN NULL ELSE paused_at END
WHERE id = %s
"""


# The kinds of its parameters, as names of columns.
_MOVE_ONE_COLUMNS = (
    *("ends", "status", "snapshot", "snapshot_seq", "result_text", "changes_text", "error_text"),
    *("remaining", "released_id", "wake_at", "lease", "suspect", "finished_at", "ready_at"),
    *("ends", "due_at", "due_at", "due_at", "due_at", "ends", "id"),
)


def _as_row(checkpoint: Checkpoint, now: datetime) -> tuple[Any, ...]:
    move = checkpoint.move
    assert move is not None
    final = move.status in FINAL
    wake_at = move.wake_at
    # A rollback has no timeout, and is not paused.
    ends = final or move.status == ExecutionStatus.COMPENSATING
    return (
        ends,
        str(move.status),
        move.snapshot,
        move.snapshot_seq,
        move.result,
        move.changes,
        move.error or None,
        move.remaining,
        move.released_id,
        wake_at,
        int(checkpoint.bumps),
        False,
        now if final else None,
        wake_at,
        ends,
        wake_at,
        wake_at,
        wake_at,
        wake_at,
        ends,
        checkpoint.execution_id,
    )


def _as_json(checkpoint: Checkpoint) -> dict[str, Any]:
    move = checkpoint.move
    assert move is not None
    return {
        "id": str(checkpoint.execution_id),
        "status": str(move.status),
        "snapshot": move.snapshot,
        "snapshot_seq": move.snapshot_seq,
        "result_text": move.result,
        "changes_text": move.changes,
        "remaining": move.remaining,
        "released_id": str(move.released_id) if move.released_id else None,
        "error_text": move.error,
        "wake_at": move.wake_at.isoformat() if move.wake_at else None,
        "bump": int(checkpoint.bumps),
    }
