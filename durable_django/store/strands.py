"""Strands: written with the parking of their parent, counted as they end.

A wave counts the ends of many strands in one statement per parent's lock; the last end makes the
parent ready for its join, in the same transaction, so that no join is ever lost or opened twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Case, F, When

from ..conf import settings
from ..models import Execution, ExecutionStatus
from ..models.execution import ExecutionKind
from ..models.ids import following
from . import clock, wakeup
from .counting import Counted, write_counts
from .hot import Locked, insert_rows
from .inbox import give_back
from .records import Checkpoint, Taking
from .starting import defaults
from .transactions import has_row_locks

# -- fork ------------------------------------------------------------------------------------

# A parent that is to stop forks all the same: its strands are paused, too.
_FROM_PARENT = (
    *("root_id", "depth", "workflow_name", "version", "queue", "priority", "paused_at"),
    "trace_context",
)


def insert_strands(forking: Sequence[Checkpoint]) -> None:
    """Writes the strands of all forks of a wave."""
    rows = Execution.objects.using(settings.DATABASE)
    found = rows.filter(id__any=[c.execution_id for c in forking])
    parents = {pk: facts for pk, *facts in found.values_list("id", *_FROM_PARENT)}
    columns = list(defaults())
    strands: list[tuple[Any, ...]] = []
    for checkpoint in forking:
        strands.extend(_rows_of(checkpoint, parents[checkpoint.execution_id], columns))
    insert_rows(Execution, columns, strands)
    for queue in sorted({facts[4] for facts in parents.values()}):
        wakeup.notify(queue)


def _rows_of(
    checkpoint: Checkpoint, facts: Sequence[Any], columns: Sequence[str]
) -> Iterable[tuple[Any, ...]]:
    fork = checkpoint.fork
    assert fork is not None
    now = clock.now()
    common = {
        **defaults(),
        **dict(zip(_FROM_PARENT, facts, strict=True)),
        "kind": ExecutionKind.STRAND.value,
        "parent_id": checkpoint.execution_id,
        "depth": facts[1] + 1,
        "created_at": now,
        "ready_at": now,
    }
    row = [common[name] for name in columns]
    first, others = ("paused", "paused") if common["paused_at"] else ("pending", "waiting")
    names = ("id", "path", "input_text", "status", "held_back")
    at = {name: columns.index(name) for name in names}
    ids = following(fork.first_id, len(fork.members))
    for number, (pk, (path, item)) in enumerate(zip(ids, fork.members, strict=True)):
        row[at["id"]], row[at["path"]], row[at["input_text"]] = pk, path, item
        row[at["held_back"]] = number >= fork.beginning
        row[at["status"]] = others if number >= fork.beginning else first
        yield tuple(row)


# -- join ------------------------------------------------------------------------------------


def count_ends(
    locked: Mapping[UUID, Locked], ended: Sequence[Checkpoint], taking: Taking | None = None
) -> None:
    """Counts strands that have ended, under the locks of their parents: lets as many begin that are
    held back, and makes a parent without any left ready for its join."""
    ends = [c.end for c in ended if c.end]
    if taking is not None and any(locked[end.parent_id].queue in taking.gated for end in ends):
        taking = None
    counts = Counter(end.parent_id for end in ends)
    failures = Counter(end.parent_id for end in ends if end.failed)
    counted, queues = [], set()
    for pk in sorted(counts):
        parent = locked[pk]
        left = max(parent.remaining - counts[pk], 0)
        begins = counts[pk] if left and parent.released_id is not None else 0
        if begins or not left:
            queues.add(parent.queue)
        failed, is_paused = parent.failures + failures[pk], parent.paused_at is not None
        counted.append(Counted(pk, left, failed, parent.released_id, begins, is_paused))
    write_counts(counted, clock.now(), taking)
    if taking is not None and len(taking.rows) == sum(row.begins for row in counted):
        queues = {locked[row.id].queue for row in counted if not row.remaining}
    for queue in sorted(queues):
        wakeup.notify(queue)


# -- ending what is below ----------------------------------------------------------------------

CASCADE_BATCH = 1_000


def end_below(run_id: UUID, parent_ids: Sequence[UUID]) -> list[UUID]:
    """Cancels all strands below these executions of a run that have not ended; the runs they had
    called, which are for the caller to cancel.

    Level by level: a level is locked, then the next one is read by a new statement.
    """
    # race: fork-under-cascade. A strand that forks holds its own row until its strands are
    # committed; the cascade waits for that lock and only then reads who is below.
    level = list(parent_ids)
    called: list[UUID] = []
    while level:
        below: list[UUID] = []
        for begin in range(0, len(level), CASCADE_BATCH):
            ended, theirs = _end_level(run_id, level[begin : begin + CASCADE_BATCH])
            below += ended
            called += theirs
        level = below
    return called


def _end_level(run_id: UUID, parent_ids: Sequence[UUID]) -> tuple[list[UUID], list[UUID]]:
    """(Those of the level that had begun, what they had called.)"""
    from .ending import stop_step_runs
    from .waits import stop_waits

    rows = Execution.objects.using(settings.DATABASE)
    alive = rows.filter(
        parent__id__any=list(parent_ids), kind=ExecutionKind.STRAND, finished_at__isnull=True
    )
    if has_row_locks():
        alive = alive.select_for_update(no_key=True)
    found = list(alive.order_by("root_id", "depth", "id").values_list("id", "lease"))
    now = clock.now()
    for begin in range(0, len(found), CASCADE_BATCH):
        ids = [pk for pk, _ in found[begin : begin + CASCADE_BATCH]]
        rows.filter(id__any=ids).update(
            status=ExecutionStatus.CANCELLED,
            finished_at=now,
            lease=Case(When(lease=0, then=0), default=F("lease") + 1),
            held_back=False,
            worker_id=None,
            wake_at=None,
            due_at=None,
            paused_at=None,
            suspect=False,
            recoveries=0,
        )
    # One that never began has neither step runs nor strands.
    begun = [pk for pk, lease in found if lease]
    called: list[UUID] = []
    for begin in range(0, len(begun), CASCADE_BATCH):
        give_back(run_id, begun[begin : begin + CASCADE_BATCH])
        stop_step_runs(begun[begin : begin + CASCADE_BATCH], "cancelled", now)
        called += stop_waits(begun[begin : begin + CASCADE_BATCH])
    return begun, called
