"""Ending a run by somebody else's word: cancel, its timeout.

Each runs alone, in its own transaction, under the run's lock, and raises the lease number, so that
whoever drives the run can write nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from .. import signals, tracing
from ..conf import settings
from ..engine import values
from ..exceptions import InvalidState
from ..models import AuditVerb, Execution, ExecutionStatus, StepRun, StepStatus
from ..models.execution import ExecutionKind
from . import audit, clock, tallies, wakeup
from .children import CALLER_ENDED, cancel_called, tell_parents
from .rollback import starts_rollback
from .strands import end_below
from .transactions import (
    RowHeld,
    lock_execution,
    lock_if_free,
    repeating,
    worker_transaction,
)
from .waits import is_being_answered, stop_waits


def cancel(pk: UUID, reason: str, compensate: bool = False, by: Any = None) -> Execution:
    """Ends a run that is not over; with ``compensate`` what it completed is undone first.
    InvalidState if it is over or is being undone, ExecutionNotFound if there is none."""
    return repeating(lambda: _cancel(pk, reason, compensate, by))


def _cancel(pk: UUID, reason: str, compensate: bool, by: Any) -> Execution:
    with worker_transaction(None):
        run = lock_execution(pk)
        _check_can_end(run)
        run.reason = reason
        detail = {"compensate": compensate}
        audit.record(AuditVerb.CANCEL, execution_id=pk, by=by, reason=reason, detail=detail)
        return end(run, ExecutionStatus.CANCELLED, compensate=compensate)


def _check_can_end(run: Execution) -> None:
    what = f"cannot cancel execution {run.pk}"
    if run.kind != ExecutionKind.WORKFLOW:
        raise InvalidState(f"{what}: it is a member of the run {run.root_id}; cancel that")
    if run.status == ExecutionStatus.COMPENSATING:
        raise InvalidState(
            f"{what}: it is being compensated, and a rollback cannot be cancelled",
            status=run.status,
        )
    if run.is_final:
        raise InvalidState(f"{what}: it is already {run.status}", status=run.status)


def fail_timed_out(worker_id: UUID | None, pk: UUID) -> bool:
    """Ends a run whose workflow timeout has passed; False if it ended or was extended meanwhile, or
    if somebody holds it or what it has called: his transaction may be long, and the others'
    wake-ups do not wait for it.
    """
    try:
        with worker_transaction(worker_id):
            return _fail_timed_out(pk)
    except RowHeld:
        return False


def _fail_timed_out(pk: UUID) -> bool:
    run = lock_if_free(pk)
    if run is None or run.is_final or run.status == ExecutionStatus.COMPENSATING:
        return False
    if run.timeout_at is None or run.timeout_at > clock.now() or is_being_answered(pk):
        return False
    until = run.timeout_at.isoformat(" ", "seconds")
    message = f"{run.workflow_name} did not end within its timeout, that is by {until}"
    error = {"type": "WorkflowTimeout", "message": message, "traceback": "", "node": None}
    called = end_alone(run, ExecutionStatus.FAILED, error, compensate=True)
    cancel_called(called, CALLER_ENDED, compensate=True, waits=False)
    return True


def end(
    run: Execution, status: str, error: dict[str, Any] | None = None, *, compensate: bool
) -> Execution:
    """The one way a locked run ends without the word of who drives it. With ``compensate``, and
    something to undo, its rollback begins instead. What it has called is cancelled, too."""
    called = end_alone(run, status, error, compensate=compensate)
    cancel_called(called, CALLER_ENDED, compensate)
    return run


def end_alone(
    run: Execution, status: str, error: dict[str, Any] | None = None, *, compensate: bool
) -> list[UUID]:
    """As :func:`end`, but for what the run and its strands have called: those are returned."""
    now = clock.now()
    stop_step_runs([run.pk], StepStatus.TIMED_OUT if error else StepStatus.CANCELLED, now)
    called = stop_waits([run.pk])
    called += end_below(run.pk, [run.pk])
    rolls_back = compensate and starts_rollback(run)
    run.status = str(ExecutionStatus.COMPENSATING if rolls_back else status)
    run.error_text = values.encode(error, "error") if error else ""
    run.finished_at = None if rolls_back else now
    run.remaining, run.released_id = 0, None
    run.ready_at = now
    run.lease += 1
    run.worker_id = None
    run.wake_at = run.due_at = run.paused_at = None
    run.suspect, run.recoveries = False, 0
    run.save(
        using=settings.DATABASE,
        update_fields=[
            "status",
            "reason",
            "error_text",
            "finished_at",
            "lease",
            "worker",
            "wake_at",
            "due_at",
            "paused_at",
            "suspect",
            "recoveries",
            "remaining",
            "released_id",
            "ready_at",
            "snapshot",
            "snapshot_seq",
        ],
    )
    if rolls_back:
        wakeup.notify(run.queue, [run.pk])
        return called
    if run.parent_id is not None:
        tell_parents([(run.parent_id, run.workflow_name, run.pk)])
    tell_finished(run)
    return called


def stop_step_runs(ids: Sequence[UUID], status: str, now: datetime) -> None:
    """Attempts of these executions that were running end with ``status``."""
    running = StepRun.objects.using(settings.DATABASE).filter(
        execution__id__any=list(ids), status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    )
    running.update(status=status, finished_at=now)


def tell_finished(run: Execution) -> None:
    """Tells, once it is committed, that a run has reached the status it has here."""
    tallies.count_when_committed(run)
    if tracing.is_traced(run.trace_context):
        transaction.on_commit(lambda: _trace(run), using=settings.DATABASE)
    if signals.execution_finished.receivers:
        transaction.on_commit(lambda: _tell(run), using=settings.DATABASE)


def _trace(run: Execution) -> None:
    tracing.run_ended(
        run.workflow_name,
        run.trace_context,
        str(run.status),
        run.started_at,
        run.finished_at or clock.known(),
        {
            "durable.execution_id": str(run.pk),
            "durable.version": run.version,
            "durable.queue": run.queue,
        },
    )


def _tell(run: Execution) -> None:
    signals.execution_finished.send_robust(
        sender=run.workflow_name, execution_id=run.pk, status=str(run.status)
    )
