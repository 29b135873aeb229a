"""Overlapping: what a tick does while runs of earlier ones have not ended, and starting its run.

Every function wants the schedule's lock and an open transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
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
from .ticking import run_key, spelled
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


class Begun(NamedTuple):
    """The run of a tick, None if it could not be started; ``created`` is False for one that was
    there already."""

    run: Execution | None
    created: bool


def begin(schedule: Schedule, tick: ScheduleTick, prepared: Prepared, by: Any = None) -> Begun:
    """Starts the run of a tick and says so on it; or why it cannot be started, on both. The run
    that has the tick's key already, because somebody made the schedule anew, is taken for it."""
    if prepared.options is None:
        tick.outcome, tick.detail = TickOutcome.FAILED.value, prepared.error
        schedule.error = prepared.error
        return Begun(None, False)
    run, created = starting.insert(prepared.options, prepared.input_text, by=by)
    if created:
        starting.tell_started(run.workflow_name, [run.pk])
    tick.outcome, tick.execution_id, tick.run_status = TickOutcome.STARTED.value, run.pk, ""
    return Begun(run, created)


def with_run(schedule: Schedule, times: Iterable[datetime]) -> set[datetime]:
    """Those of these times that have a run, whether a tick tells of it or not: one of that name may
    have been deleted and made anew."""
    keyed = {run_key(schedule.name, spelled(at)): at for at in times}
    keys, found = list(keyed), set()
    rows = Execution.objects.using(settings.DATABASE).filter(workflow_name=schedule.workflow_name)
    for begin in range(0, len(keys), 500):
        some = rows.filter(idempotency_key__in=keys[begin : begin + 500]).order_by()
        found |= {keyed[key] for key in some.values_list("idempotency_key", flat=True) if key}
    return found
