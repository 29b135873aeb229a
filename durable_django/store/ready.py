"""Ready: parked executions become ready for a claim. The caller holds their locks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, When

from ..conf import settings
from ..models import Execution, ExecutionStatus
from . import wakeup
from .bulk import update_rows
from .claiming import let_go


def make_ready(queue_of: Mapping[UUID, str], since: Mapping[UUID, datetime] | None = None) -> None:
    """Wakes executions, given with their queues. ``since`` is when each became ready, by which they
    are claimed: of two members of a race the one whose event was sent before the other's time was
    up. None: when they were due. What has ended in the same transaction stays as it is, and what
    is paused stays so: it is ready when it is resumed."""
    if not queue_of:
        return
    due = Case(When(wake_at__isnull=False, then=F("wake_at")), default=F("ready_at"))
    rows = Execution.objects.using(settings.DATABASE).filter(
        id__any=list(queue_of), finished_at__isnull=True
    )
    rows.update(
        status=let_go(ExecutionStatus.PENDING),
        ready_at=due if since is None else F("ready_at"),
        wake_at=None,
        due_at=Case(When(status=ExecutionStatus.COMPENSATING, then=None), default=F("timeout_at")),
    )
    if since is not None:
        update_rows(Execution, ("id", "ready_at"), ("uuid", "timestamptz"), list(since.items()))
    for queue in sorted(set(queue_of.values())):
        wakeup.notify(queue, [pk for pk, name in queue_of.items() if name == queue])
