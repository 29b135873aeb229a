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
from .claiming import let_go
from .ending import fail_timed_out
from .transactions import has_row_locks, repeating, worker_transaction

BATCH = 500
PARKED = (ExecutionStatus.SCHEDULED, ExecutionStatus.SLEEPING)
ROLLING_BACK = ExecutionStatus.COMPENSATING


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
    # A run whose time is up is ended, not woken; a rollback has no timeout.
    in_time = Q(timeout_at__isnull=True) | Q(timeout_at__gt=now)
    due = rows.filter(
        Q(status__in=PARKED) & in_time | Q(status=ROLLING_BACK, wake_at__isnull=False),
        due_at__lte=now,
    )
    if not due.exists():
        return 0
    with worker_transaction(worker_id):
        if has_row_locks():
            due = due.select_for_update(no_key=True, skip_locked=True)
        found = list(due.order_by("due_at").values_list("id", "queue")[:BATCH])
        rows.filter(id__any=[pk for pk, _ in found]).update(
            status=let_go(ExecutionStatus.PENDING),
            ready_at=Case(When(wake_at__isnull=False, then=F("wake_at")), default=F("ready_at")),
            wake_at=None,
            due_at=Case(When(status=ROLLING_BACK, then=None), default=F("timeout_at")),
        )
        for queue in sorted({queue for _, queue in found}):
            wakeup.notify(queue)
    return len(found)


def _timed_out() -> list[UUID]:
    rows = Execution.objects.using(settings.DATABASE)
    late = rows.filter(due_at__lte=clock.now(), timeout_at__lte=clock.now())
    late = late.exclude(status=ROLLING_BACK)
    return list(late.order_by("due_at").values_list("id", flat=True)[:BATCH])
