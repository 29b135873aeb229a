"""What the end of one strand does to others: it ends its block, or the whole run.

Each runs alone, in its own transaction, under the locks of all that stands above.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db.models import F

from ..conf import settings
from ..engine.context import Change, apply_changes, decode_changes, fold
from ..engine.machine import error_of
from ..engine.state import RunState, to_snapshot
from ..exceptions import NotSerializable
from ..models import Execution, ExecutionStatus
from ..models.history import base_state
from . import clock, wakeup
from .children import CALLER_ENDED, cancel_called, tell_parents
from .counting import Counted, write_counts
from .ending import end as end_run
from .ending import tell_finished
from .hot import Locked
from .pausing import pause_below
from .records import Checkpoint, StrandEnd
from .reopening import members_of, reopen_members
from .strands import count_ends, end_below


def decide(locked: Mapping[UUID, Locked], checkpoint: Checkpoint) -> None:
    """The strand of ``checkpoint`` has been written as ended; what that means for those beside it:
    a fail-fast or a race's winner ends them, ``finish`` ends the run."""
    end = checkpoint.end
    assert end is not None
    if end.finishes is not None:
        _finish(checkpoint, end, end.finishes)
        return
    parent = locked[end.parent_id]
    failures = parent.failures + end.failed
    if end.failed and failures <= end.tolerated:
        count_ends(locked, [checkpoint])
        return
    called = end_below(end.above[0], [end.parent_id])
    write_counts([Counted(end.parent_id, 0, failures, None, 0)], clock.now())
    wakeup.notify(parent.queue)
    cancel_called(called, CALLER_ENDED, compensate=False)


def reopened(checkpoint: Checkpoint) -> Checkpoint:
    """The parent of ``checkpoint`` is retried: its members that failed, or were cancelled by that,
    run again."""
    assert checkpoint.move is not None
    run = Execution.objects.using(settings.DATABASE).get(pk=checkpoint.execution_id)
    remaining, released_id = reopen_members(run, base_state(checkpoint.move.snapshot, run.path))
    if run.paused_at is not None:
        pause_below(run.pk, run.paused_at)
    status = ExecutionStatus.WAITING if remaining else ExecutionStatus.PENDING
    move = checkpoint.move._replace(status=status, remaining=remaining, released_id=released_id)
    return checkpoint._replace(move=move)


def _finish(checkpoint: Checkpoint, end: StrandEnd, result: str) -> None:
    """``self.finish(value)`` in a strand: the run above it completes. What the strand and those
    members that had completed did to the context is merged up the chain."""
    rows = Execution.objects.using(settings.DATABASE)
    assert checkpoint.move is not None
    above = {row.pk: row for row in rows.filter(id__any=list(end.above))}
    run = above[end.above[0]]
    state = base_state(run.snapshot)._replace(next_path="", fork="")
    carried = {checkpoint.execution_id: decode_changes(checkpoint.move.changes)}
    try:
        for pk in reversed(end.above):
            row = above[pk]
            at_fork = base_state(row.snapshot, row.path)
            merged = _merged(row, at_fork, carried)
            carried = {pk: fold((*at_fork.changes, *merged))}
        state = state._replace(context=apply_changes(state.context, carried[run.pk]))
    except (TypeError, NotSerializable) as fault:  # what members did does not go together
        end_run(run, ExecutionStatus.FAILED, error_of(fault, None, ""), compensate=True)
        return
    called = end_below(run.pk, [run.pk])
    rows.filter(pk=run.pk).update(
        status=ExecutionStatus.COMPLETED,
        snapshot=to_snapshot(state),
        result_text=result,
        finished_at=clock.now(),
        lease=F("lease") + 1,
        remaining=0,
        released_id=None,
        due_at=None,
        wake_at=None,
        paused_at=None,
    )
    run.status = ExecutionStatus.COMPLETED.value
    if run.parent_id is not None:
        tell_parents([(run.parent_id, run.workflow_name, run.pk)])
    cancel_called(called, CALLER_ENDED, compensate=False)
    tell_finished(run)


def _merged(
    row: Execution, state: RunState, carried: dict[UUID, tuple[Change, ...]]
) -> tuple[Change, ...]:
    """The changes of the completed members of ``row``, and of the one that finishes, in order."""
    found = (
        members_of(row.pk, state)
        .filter(status=ExecutionStatus.COMPLETED)
        .exclude(changes_text="[]")
        .values_list("id", "changes_text")
    )
    changes = {pk: decode_changes(text) for pk, text in found} | carried
    return tuple(change for pk in sorted(changes) for change in changes[pk])
