"""Overlapping: what a tick does while runs of earlier ones have not ended, and starting its run.

Every function wants the schedule's lock and an open transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ..conf import settings
from ..models import (
    AuditVerb,
    Execution,
    ExecutionStatus,
    Overlap,
    Schedule,
    ScheduleTick,
    TickOutcome,
)
from . import audit, starting
from .children import CALLER_ENDED, cancel_called
from .ending import end_alone
from .preparing import Prepared
from .transactions import RowHeld, lock_if_free

LATER_CAME = "a later tick came with it"


def outcome(schedule: Schedule, open_runs: Sequence[UUID], *, is_last: bool) -> TickOutcome:
    """What becomes of a tick whose time has come. ``is_last``: no other comes with it."""
    if schedule.overlap == Overlap.CANCEL_PREVIOUS and not is_last:
        return TickOutcome.SKIPPED
    if not open_runs or schedule.overlap in (Overlap.ALLOW, Overlap.CANCEL_PREVIOUS):
        return TickOutcome.STARTED
    if schedule.overlap == Overlap.QUEUE_ONE and schedule.queued_at is None:
        return TickOutcome.QUEUED
    return TickOutcome.SKIPPED


def cancel_open(schedule: Schedule, open_runs: Sequence[UUID]) -> None:
    """Ends the runs of earlier ticks; one that is being undone goes on with that. RowHeld if
    somebody holds one of them."""
    for pk in sorted(open_runs):
        run = lock_if_free(pk)
        if run is None:
            if Execution.objects.using(settings.DATABASE).filter(pk=pk).exists():
                raise RowHeld
            continue
        if run.is_final or run.status == ExecutionStatus.COMPENSATING:
            continue
        run.reason = f"the next tick of {schedule.key} came"
        detail = {"compensate": False, "schedule": schedule.key}
        audit.record(AuditVerb.CANCEL, execution_id=pk, reason=run.reason, detail=detail)
        called = end_alone(run, ExecutionStatus.CANCELLED, compensate=False)
        cancel_called(called, CALLER_ENDED, compensate=False, waits=False)


def begin(
    schedule: Schedule, tick: ScheduleTick, prepared: Prepared, by: Any = None
) -> Execution | None:
    """Starts the run of a tick and says so on it; None if it cannot be started, and why. The run
    that has the tick's key already, because somebody made the schedule anew, is taken for it."""
    if prepared.options is None:
        tick.outcome, tick.detail = TickOutcome.FAILED.value, prepared.error
        schedule.error = prepared.error
        return None
    run, created = starting.insert(prepared.options, prepared.input_text, by=by)
    if created:
        starting.tell_started(run.workflow_name, [run.pk])
    tick.outcome, tick.execution_id, tick.run_status = TickOutcome.STARTED.value, run.pk, ""
    schedule.error = ""
    return run
