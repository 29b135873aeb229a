"""Declaring: whether some code still declares a schedule, and so whether it may be deleted.

What is declared would come back with the next worker that starts. It reads: the workflows of this
process, and what workers that are alive say of theirs. It deletes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from ..conf import settings
from ..models import Schedule, ScheduleSource, Worker, WorkerStatus
from ..models.names import names_told
from . import clock, timetable


def why_kept(schedule: Schedule) -> str:
    """Why it cannot be deleted; "" where it can: people made it, code has declared it once, or its
    workflow is in no code any more and it is off."""
    if schedule.source != ScheduleSource.CODE or schedule.retired_at is not None:
        return ""
    if _is_anywhere(schedule.workflow_name):
        return f"{schedule.key} is declared in code; take it out there, or switch it off"
    if schedule.enabled:
        return (
            f"{schedule.key} is on, and no code that runs has its workflow: switch it off, then "
            "delete it"
        )
    return ""


def _is_anywhere(workflow_name: str) -> bool:
    """Whether this process has the workflow, in any version, or a worker that is alive."""
    if workflow_name in timetable.ours():
        return True
    heard = clock.now() - timedelta(seconds=settings.LEASE_SECONDS)
    workers = Worker.objects.using(settings.DATABASE).order_by()
    alive = workers.filter(status=WorkerStatus.ALIVE, heartbeat_at__gte=heard)
    return workflow_name in names_told(alive.values_list("workflows", flat=True))
