"""Schedules to begin a test with, and time that is moved to their ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from durable_django import Workflow, step
from durable_django.models import Execution, ExecutionStatus, Schedule, ScheduleTick
from durable_django.store import clock, firing, synchronising

NAME = "shop.report"


def make_report(*schedules: Any, version: int = 1, **meta: Any) -> type[Workflow]:
    """A workflow class that declares these schedules; registered."""
    options = {"name": NAME, "version": version, "schedules": list(schedules), **meta}

    class Report(Workflow):
        Meta = type("Meta", (), options)

        @step
        def write(self):
            return self.input

    return Report


def declared(*schedules: Any, **meta: Any) -> Schedule:
    """The row of the first of them, after it was synchronised."""
    make_report(*schedules, **meta)
    synchronising.synchronise()
    return Schedule.objects.get(name=schedules[0].name)


def now_of(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def set_time(moment: datetime) -> None:
    """Time stands there from now on, but for what passes by itself."""
    clock.advance(moment - clock.now())


def at_next(schedule: Schedule, later: timedelta = timedelta(0)) -> datetime:
    """Moves time to the schedule's next tick, or so much later; the tick."""
    tick = now_of(schedule).next_at
    assert tick is not None
    set_time(tick + later)
    return tick


def fire(schedule: Schedule, later: timedelta = timedelta(0)) -> datetime:
    """Moves time to the next tick and fires; the tick."""
    tick = at_next(schedule, later)
    assert firing.fire_due(None)
    return tick


def told(schedule: Schedule) -> list[tuple[datetime, str]]:
    """(Time, outcome) of all ticks, in the order in which they were written."""
    rows = ScheduleTick.objects.filter(schedule_id=schedule.pk).order_by("id")
    return list(rows.values_list("at", "outcome"))


def outcomes(schedule: Schedule) -> list[str]:
    return [outcome for _, outcome in told(schedule)]


def runs() -> list[Execution]:
    return list(Execution.objects.filter(workflow_name=NAME).order_by("scheduled_at", "id"))


def end_runs(status: str = ExecutionStatus.COMPLETED) -> None:
    """All runs of the workflow have ended so."""
    rows = Execution.objects.filter(workflow_name=NAME, finished_at__isnull=True)
    rows.update(status=status, finished_at=clock.now(), due_at=None, wake_at=None, worker=None)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def past(hours_ago: int) -> datetime:
    """On the hour, so many hours ago."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    return hour - timedelta(hours=hours_ago)
