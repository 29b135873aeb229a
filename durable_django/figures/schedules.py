"""How schedules stand: which are due next, and which need somebody. It reads, and fires nothing.

All of it is found by small partial indexes or among the schedules, of which there are few; never
among their ticks, of which there are many.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery

from ..conf import settings
from ..models import Schedule, ScheduleTick

# What is due for longer and was not fired has nobody who fires it.
LATE_AFTER: Final = timedelta(minutes=1)


class ScheduleState(StrEnum):
    """How a schedule stands, in the words of the terminal's JSON."""

    ON = "on"
    LATE = "late"
    BROKEN = "broken"
    ENDED = "ended"
    OFF = "off"
    GAVE_UP = "gave_up"
    RETIRED = "retired"


# Those that somebody should look at.
TROUBLED: Final = frozenset({ScheduleState.LATE, ScheduleState.BROKEN, ScheduleState.GAVE_UP})


def state_of(schedule: Schedule, now: datetime) -> ScheduleState:
    """How a schedule stands: ``retired`` if code declares it no longer, ``gave_up`` if it switched
    itself off after failures, ``off``, ``broken`` if it could not be fired when that was last
    tried, ``late`` if its tick is over a minute old and nobody has fired it, ``ended`` if there is
    no occurrence left, else ``on``."""
    if schedule.retired_at is not None:
        return ScheduleState.RETIRED
    if not schedule.enabled:
        return ScheduleState.GAVE_UP if schedule.disabled_reason else ScheduleState.OFF
    if schedule.error:
        return ScheduleState.BROKEN
    if schedule.due_at is None:
        return ScheduleState.ENDED
    return ScheduleState.LATE if schedule.due_at < now - LATE_AFTER else ScheduleState.ON


def all_schedules() -> QuerySet[Schedule]:
    """Every schedule there is, by workflow and name."""
    return Schedule.objects.using(settings.DATABASE)


def due_next(rows: QuerySet[Schedule], most: int) -> list[Schedule]:
    """Those of ``rows`` that come first, the soonest first."""
    found = rows.filter(due_at__isnull=False).order_by("due_at", "id")
    return list(found[:most])


def gave_up(rows: QuerySet[Schedule]) -> QuerySet[Schedule]:
    """Those that switched themselves off after failures in a row."""
    return rows.filter(enabled=False, retired_at__isnull=True).exclude(disabled_reason="")


def broken(rows: QuerySet[Schedule]) -> QuerySet[Schedule]:
    """Those that could not be fired when that was last tried."""
    return rows.filter(enabled=True, retired_at__isnull=True).exclude(error="")


def late(rows: QuerySet[Schedule], now: datetime) -> QuerySet[Schedule]:
    """Those whose tick is over a minute old, and that nobody has fired."""
    return rows.filter(due_at__lt=now - LATE_AFTER, error="")


def troubled(rows: QuerySet[Schedule], now: datetime) -> dict[str, QuerySet[Schedule]]:
    """Those that somebody should look at, to be counted with ``count_capped``."""
    rows = rows.order_by()
    return {
        "schedules_gave_up": gave_up(rows),
        "schedules_broken": broken(rows),
        "schedules_late": late(rows, now),
    }


def last_ticks(schedules: Iterable[Schedule]) -> dict[int, ScheduleTick]:
    """The latest tick of each, by the schedule's id; in one query, by index."""
    ids = [schedule.pk for schedule in schedules]
    ticks: QuerySet[Any] = ScheduleTick.objects.using(settings.DATABASE)
    newest = ticks.filter(schedule=OuterRef("pk")).order_by("-id").values("pk")[:1]
    found = all_schedules().filter(pk__in=ids).order_by().values(latest=Subquery(newest))
    return {tick.schedule_id: tick for tick in ticks.filter(pk__in=found)}
