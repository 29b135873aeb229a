"""Pause and resume: a run stops before its next node, and goes on from there.

What a worker holds ends its node first, and nothing that it did is thrown away: until then its row
only says since when it is to stop, and the checkpoint of that node parks it. Whatever makes a row
ready keeps one that is to stop ``paused``; what it waits for is delivered and counted all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When

from ..conf import settings
from ..exceptions import InvalidState
from ..models import AuditVerb, Execution, ExecutionStatus, Wait
from ..models.execution import ExecutionKind
from . import audit, clock, wakeup
from .transactions import (
    RowHeld,
    has_row_locks,
    lock_execution,
    repeating,
    worker_transaction,
)
from .waking import wake_locked

BATCH = 1_000


# -- pause -----------------------------------------------------------------------------------


def pause(pk: UUID, *, reason: str = "", by: Any = None) -> Execution:
    """Stops a run before its next node. InvalidState if it is over, paused or being undone,
    ExecutionNotFound if there is none."""
    return repeating(lambda: _pause(pk, reason, by))


def _pause(pk: UUID, reason: str, by: Any) -> Execution:
    with worker_transaction(None):
        run = lock_execution(pk)
        _check_can_pause(run)
        run.paused_at = clock.now()
        _stop([pk], run.paused_at)
        pause_below(pk, run.paused_at)
        if run.worker_id is None:
            run.status, run.due_at = ExecutionStatus.PAUSED.value, run.timeout_at
        audit.record(AuditVerb.PAUSE, execution_id=pk, by=by, reason=reason)
        return run


def _check_can_pause(run: Execution) -> None:
    what = f"cannot pause execution {run.pk}"
    _check_is_run(run, what, "pause")
    if run.status == ExecutionStatus.COMPENSATING:
        raise InvalidState(
            f"{what}: it is being compensated, and a rollback cannot be paused", status=run.status
        )
    if run.is_final or run.status == ExecutionStatus.PAUSED:
        raise InvalidState(f"{what}: it is already {run.status}", status=run.status)
    if run.paused_at is not None:
        raise InvalidState(
            f"{what}: it is {run.status}, and already to be paused when its node ends",
            status=run.status,
        )


def _check_is_run(run: Execution, what: str, verb: str) -> None:
    if run.kind != ExecutionKind.WORKFLOW:
        raise InvalidState(f"{what}: it is a member of the run {run.root_id}; {verb} that")


def pause_below(pk: UUID, since: datetime) -> None:
    """Stops the strands below a locked execution that have not ended, level by level."""
    # race: fork-under-pause. A strand that forks holds its own row until its strands are committed:
    # they are read here when its lock is ours. One that forks later finds that it is to stop, and
    # writes them as paused.
    for level in _levels_below(pk):
        _stop(level, since)


def _stop(ids: Sequence[UUID], since: datetime) -> None:
    # Its time goes on: of a paused one only the timeout comes due.
    free = Q(worker__isnull=True)
    for rows in _in_batches(ids):
        rows.update(
            paused_at=since,
            status=Case(When(free, then=Value(ExecutionStatus.PAUSED)), default=F("status")),
            due_at=Case(When(free, then=F("timeout_at")), default=F("due_at")),
        )


def park(ids: Iterable[UUID]) -> None:
    """What a worker held has come to the end of its node, and is to stop. The caller holds its
    lock, and has written what the node did."""
    for rows in _in_batches(list(ids)):
        rows.update(status=ExecutionStatus.PAUSED, worker_id=None, lease=F("lease") + 1)


# -- resume ----------------------------------------------------------------------------------


def resume(pk: UUID, *, reason: str = "", by: Any = None) -> Execution:
    """A paused run goes on where it stopped; what came due meanwhile happens now. InvalidState if
    it is not paused, ExecutionNotFound if there is none."""
    return repeating(lambda: _resume(pk, reason, by))


def _resume(pk: UUID, reason: str, by: Any) -> Execution:
    with worker_transaction(None):
        run = lock_execution(pk)
        _check_can_resume(run)
        found = [[pk], *_levels_below(pk)]
        for level in found:
            _go_on(level)
        _wake([strand for level in found for strand in level])
        wakeup.notify(run.queue, found[0] if len(found) == 1 else [])
        audit.record(AuditVerb.RESUME, execution_id=pk, by=by, reason=reason)
        return Execution.objects.using(settings.DATABASE).get(pk=pk)


def _check_can_resume(run: Execution) -> None:
    what = f"cannot resume execution {run.pk}"
    _check_is_run(run, what, "resume")
    if run.paused_at is None:
        raise InvalidState(f"{what}: it is {run.status}, not paused", status=run.status)


def _go_on(ids: Sequence[UUID]) -> None:
    """Each gets the status it would have now, had nobody paused it, told by what it waits for."""
    open_waits = Wait.objects.using(settings.DATABASE).filter(
        member_id=OuterRef("pk"), resolved_at__isnull=True
    )
    # A sleep beyond the calendar has no end either.
    endless = open_waits.filter(~Q(kind="sleep") | Q(due_at__isnull=True))
    waits = Q(held_back=True) | Q(remaining__gt=0) | Q(Exists(endless))
    later = Q(lease=0, scheduled_at__gt=clock.now())
    for rows in _in_batches(ids):
        rows.filter(worker__isnull=True).update(
            paused_at=None,
            status=Case(
                When(waits, then=Value(ExecutionStatus.WAITING)),
                When(wake_at__isnull=False, then=Value(ExecutionStatus.SLEEPING)),
                When(later, then=Value(ExecutionStatus.SCHEDULED)),
                default=Value(ExecutionStatus.PENDING),
            ),
            due_at=Case(
                When(wake_at__isnull=False, timeout_at__lt=F("wake_at"), then=F("timeout_at")),
                When(wake_at__isnull=False, then=F("wake_at")),
                When(later, then=F("scheduled_at")),
                default=F("timeout_at"),
            ),
        )
        rows.update(paused_at=None)  # what a worker holds never stopped


def _wake(ids: Sequence[UUID]) -> None:
    # race: resume-and-due. What came due while it was paused is ready together with what was ready
    # before, each since its own time: of two members of a race the earlier one is claimed first,
    # not the one that no worker has to wake.
    try:
        with transaction.atomic(using=settings.DATABASE):
            for begin in range(0, len(ids), BATCH):
                wake_locked(ids[begin : begin + BATCH])
    except RowHeld:
        pass  # somebody holds what one of them has called: a worker wakes them, as always


# -- which rows ------------------------------------------------------------------------------


def _in_batches(ids: Sequence[UUID]) -> Iterator[QuerySet[Execution]]:
    rows = Execution.objects.using(settings.DATABASE)
    for begin in range(0, len(ids), BATCH):
        yield rows.filter(id__any=list(ids[begin : begin + BATCH]))


def _levels_below(pk: UUID) -> Iterator[list[UUID]]:
    """The strands below that have not ended. A level is locked, then the next one is read."""
    level = [pk]
    while level:
        above = level
        level = [
            strand
            for begin in range(0, len(above), BATCH)
            for strand in _lock_below(above[begin : begin + BATCH])
        ]
        if level:
            yield level


def _lock_below(parent_ids: Sequence[UUID]) -> list[UUID]:
    rows = Execution.objects.using(settings.DATABASE).filter(
        parent__id__any=list(parent_ids), kind=ExecutionKind.STRAND, finished_at__isnull=True
    )
    if has_row_locks():
        rows = rows.select_for_update(no_key=True)
    return list(rows.order_by("root_id", "depth", "id").values_list("id", flat=True))
