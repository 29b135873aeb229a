"""Wake: what became due is made ready; what ran out of time is ended.

Whatever the worker that ran it does, alive or dead, this decides by database time.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, Q, When

from ..conf import settings
from ..models import Execution, ExecutionStatus
from . import clock, wakeup
from .ending import fail_timed_out
from .transactions import has_row_locks, repeating, worker_transaction

BATCH = 500
PARKED = (ExecutionStatus.SCHEDULED, ExecutionStatus.SLEEPING)


def wake_due(worker_id: UUID) -> int:
    """Does all that is due now; how many executions it touched."""
    touched = 0
    while True:
        batch = repeating(lambda: _wake_batch(worker_id))
        touched += batch
        if batch < BATCH:
            break
    for pk in _timed_out():
        touched += repeating(lambda pk=pk: fail_timed_out(worker_id, pk))  # type: ignore[misc]
    return touched


def next_due() -> datetime | None:
    """When the next execution becomes due, None if none will."""
    rows = Execution.objects.using(settings.DATABASE).filter(due_at__isnull=False)
    return rows.order_by("due_at").values_list("due_at", flat=True).first()


def _wake_batch(worker_id: UUID) -> int:
    now = clock.now()
    rows = Execution.objects.using(settings.DATABASE)
    due = rows.filter(due_at__lte=now, status__in=PARKED)
    # A run whose time is up is ended, not woken.
    due = due.filter(Q(timeout_at__isnull=True) | Q(timeout_at__gt=now))
    if not due.exists():
        return 0
    with worker_transaction(worker_id):
        if has_row_locks():
            due = due.select_for_update(no_key=True, skip_locked=True)
        found = list(due.order_by("due_at").values_list("id", "queue")[:BATCH])
        rows.filter(id__any=[pk for pk, _ in found]).update(
            status=ExecutionStatus.PENDING,
            ready_at=Case(When(wake_at__isnull=False, then=F("wake_at")), default=F("ready_at")),
            wake_at=None,
            due_at=F("timeout_at"),
        )
        for queue in sorted({queue for _, queue in found}):
            wakeup.notify(queue)
    return len(found)


def _timed_out() -> list[UUID]:
    rows = Execution.objects.using(settings.DATABASE)
    late = rows.filter(due_at__lte=clock.now(), timeout_at__lte=clock.now())
    return list(late.order_by("due_at").values_list("id", flat=True)[:BATCH])
