"""Ready: parked executions become ready for a claim. The caller holds their locks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, When

from ..conf import settings
from ..models import Execution, ExecutionStatus
from . import wakeup
from .claiming import let_go


def make_ready(queue_of: Mapping[UUID, str], ready_at: datetime | None = None) -> None:
    """Wakes executions, given with their queues; ``ready_at`` None: since when they were due."""
    if not queue_of:
        return
    since = Case(When(wake_at__isnull=False, then=F("wake_at")), default=F("ready_at"))
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(queue_of))
    rows.update(
        status=let_go(ExecutionStatus.PENDING),
        ready_at=since if ready_at is None else ready_at,
        wake_at=None,
        due_at=Case(When(status=ExecutionStatus.COMPENSATING, then=None), default=F("timeout_at")),
    )
    for queue in sorted(set(queue_of.values())):
        wakeup.notify(queue)
