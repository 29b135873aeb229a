"""Children: runs that a run calls or starts, and how their end is told to who called them.

A called one is written with the parking of its caller. Whatever ends it leaves an event in the
inbox of the run that called it, in the same transaction, so that no end is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..models import Event, EventKind, Execution, ExecutionStatus
from . import clock, wakeup
from .hot import insert_rows
from .options import StartOptions
from .records import Checkpoint, Child, WaitRecord
from .starting import insert_traced, new_row, tell_started
from .transactions import RowHeld, lock_if_free, lock_or_none, repeating, worker_transaction

# How deep workflows may call workflows: one that calls itself without end is stopped there.
DEPTH_MAX = 1_000
CALLER_ENDED = "its caller has ended"


def insert_children(calling: Sequence[Checkpoint]) -> None:
    """Writes the runs that are called by what parks."""
    facts = _facts([c.execution_id for c in calling])
    rows = []
    for checkpoint in calling:
        assert checkpoint.child is not None
        rows.append(_row_of(checkpoint.child, *facts[checkpoint.execution_id]))
    insert_rows(Execution, list(rows[0]), [tuple(row.values()) for row in rows])
    for queue in sorted({str(row["queue"]) for row in rows}):
        wakeup.notify(queue)
    for checkpoint in calling:
        if checkpoint.child is not None:
            tell_started(checkpoint.child.options.workflow_name, [checkpoint.child.id])


def _facts(ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(ids))
    return {pk: (root, depth) for pk, root, depth in rows.values_list("id", "root_id", "depth")}


def _row_of(child: Child, root_id: UUID, depth: int) -> dict[str, object]:
    row = new_row(child.options, child.input_text, clock.now())
    return row | {
        "id": child.id,
        "parent_id": child.parent_id,
        "root_id": root_id if child.shares_root else child.id,
        "depth": depth + 1,
        "trace_context": child.trace_context,
    }


def start_and_remember(lease: int, record: WaitRecord, child: Child) -> UUID | None:
    """Starts a run from within a step, and writes that it did; the id of the run, None where the
    step's lease is lost. With an idempotency key that is taken, the run that has it."""
    return repeating(lambda: _start_and_remember(lease, record, child))


def _start_and_remember(lease: int, record: WaitRecord, child: Child) -> UUID | None:
    from ..models import Wait
    from .waits import COLUMNS, is_held

    with worker_transaction(None):
        if not is_held(record.member_id, lease):
            return None
        options: StartOptions = child.options
        if options.idempotency_key is None:
            row = _row_of(child, child.id, 0) | {"depth": 0}
            insert_rows(Execution, list(row), [tuple(row.values())])
            wakeup.notify(options.queue, [child.id])
            pk, created = child.id, True
        else:
            run, created = insert_traced(
                options, child.input_text, child.trace_context, parent_id=child.parent_id
            )
            pk = run.pk
        value = values.encode(pk, "child")
        told = record._replace(child_id=pk, value_text=value)
        insert_rows(Wait, COLUMNS, [tuple(told[:-1])])
        if created:
            tell_started(options.workflow_name, [pk])
        return pk


def tell_parents(ended: Iterable[tuple[UUID, str, UUID]]) -> None:
    """Leaves word of ended runs, given as (who called it, its workflow, its id)."""
    now = clock.now()
    events = [
        Event(
            execution_id=parent_id,
            kind=EventKind.CHILD,
            name=workflow_name,
            key=child_id.hex,
            created_at=now,
        )
        for parent_id, workflow_name, child_id in ended
    ]
    if events:
        Event.objects.using(settings.DATABASE).bulk_create(events)
        wakeup.notify_waits()


def ended_children(ids: Sequence[UUID]) -> dict[UUID, Execution]:
    """How children ended, by id."""
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(ids))
    return {
        row.pk: row
        for row in rows.only("status", "result_text", "error_text", "reason", "workflow_name")
    }


def cancel_called(
    ids: Iterable[UUID], reason: str, compensate: bool, *, waits: bool = True
) -> None:
    """Cancels what executions had called that have ended, and what that had called, to the last.
    What has ended is left alone. ``waits=False``: RowHeld where somebody holds one of them."""
    from .ending import end_alone

    called = deque(ids)
    while called:
        pk = called.popleft()
        run = lock_or_none(pk) if waits else lock_if_free(pk)
        if run is None:
            if not waits and Execution.objects.using(settings.DATABASE).filter(pk=pk).exists():
                raise RowHeld(f"somebody holds execution {pk}")
            continue
        if run.is_final or run.status == ExecutionStatus.COMPENSATING:
            continue
        run.reason = reason
        called.extend(end_alone(run, ExecutionStatus.CANCELLED, compensate=compensate))
