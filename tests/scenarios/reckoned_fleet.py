"""What schedules are to come to, reckoned without the code that fires them: from the ticks that
counted minutes give, the moments at which a fleet looked, and the rules as the docs tell them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from durable_django import Cron, Every
from tests.definition.reckoned_ticks import MINUTE, clock, plain, reckoned

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATE = timedelta(seconds=60)
WEEK = timedelta(days=7)


class Told(NamedTuple):
    """What became of a time: its outcome, what is told of it, and when its run was started."""

    at: datetime
    outcome: str
    detail: str = ""
    started_at: datetime | None = None


@dataclass
class Plan:
    """A schedule, how many minutes its runs take, and when somebody switches it off and on."""

    when: Cron | Every
    minutes: int = 0
    off: tuple[datetime, datetime] | None = None
    ticks: list[datetime] = field(default_factory=list)

    @property
    def name(self) -> str:
        assert self.when.name is not None
        return self.when.name

    def is_off(self, moment: datetime) -> bool:
        return self.off is not None and self.off[0] <= moment < self.off[1]


def reckon_ticks(plans: Sequence[Plan], start: datetime, end: datetime) -> None:
    """Counts minutes, a week at a time, for all schedules; weeks begin at noon in UTC."""
    begins = [start]
    while begins[-1] < end:
        begins.append(min(begins[-1] + WEEK, end))
    for begin, until in pairwise(begins):
        for plan in plans:
            plan.ticks += _ticks_of(plan.when, begin, until)
        clock.cache_clear()


def _ticks_of(when: Cron | Every, start: datetime, end: datetime) -> Iterable[datetime]:
    if isinstance(when, Cron):
        return reckoned(plain(when.expression), when.timezone or "UTC", start, end)
    interval, offset = timedelta(seconds=when.interval), timedelta(seconds=when.offset)
    minutes = (start + number * MINUTE for number in range((end - start) // MINUTE))
    return [moment for moment in minutes if not (moment - EPOCH - offset) % interval]


class Reckoner:
    """One schedule, look by look."""

    def __init__(self, plan: Plan, start: datetime) -> None:
        self.plan = plan
        self.told: dict[datetime, Told] = {}
        self.cancelled = 0
        self.is_on = True
        self._open: list[datetime] = []  # when each ends
        self._queued: datetime | None = None
        self._coming = [tick for tick in plan.ticks if tick > start]

    def look(self, now: datetime) -> None:
        """The fleet fires what is due, then drives what is ready."""
        due = [tick for tick in self._coming if tick <= now]
        self._coming = self._coming[len(due) :]
        to_start = self._caught_up(due, now)
        for tick in to_start:
            self._fire(tick, now, is_last=tick == to_start[-1])
        self.drive(now)

    def switch_off(self) -> None:
        self.is_on = False
        if self._queued is not None:
            detail = "the schedule was switched off"
            self.told[self._queued] = Told(self._queued, "skipped", detail)
            self._queued = None

    def switch_on(self, now: datetime) -> None:
        self.is_on = True
        self._coming = [tick for tick in self._coming if tick > now]

    def _caught_up(self, due: list[datetime], now: datetime) -> list[datetime]:
        when: Any = self.plan.when
        late = [tick for tick in due if tick < now - LATE]
        fresh = [tick for tick in late if tick >= now - timedelta(seconds=when.catch_up_window)]
        kept = {"none": [], "one": fresh[-1:] if fresh[-1:] == late[-1:] else [], "all": fresh}
        started = kept[when.catch_up]
        missed = late[: len(late) - len(started)]
        if missed:
            until = f"until {missed[-1].isoformat()}" if len(missed) > 1 else ""
            self.told[missed[0]] = Told(missed[0], "missed", until)
        return started + due[len(late) :]

    def _fire(self, tick: datetime, now: datetime, *, is_last: bool) -> None:
        overlap = self.plan.when.overlap
        if overlap == "cancel_previous" and not is_last:
            self.told[tick] = Told(tick, "skipped", "a later tick came with it")
        elif not self._open or overlap in ("allow", "cancel_previous"):
            if overlap == "cancel_previous":
                self.cancelled += len(self._open)
                self._open = []
            self._start(tick, now)
        elif overlap == "queue_one" and self._queued is None:
            self._queued = tick
            self.told[tick] = Told(tick, "queued")
        else:
            self.told[tick] = Told(tick, "skipped")

    def _start(self, tick: datetime, now: datetime) -> None:
        self._open.append(now + timedelta(minutes=self.plan.minutes))
        self.told[tick] = Told(tick, "started", "", now)

    def drive(self, now: datetime) -> None:
        """Runs whose time has come end; a tick that waited for them begins."""
        self._open = [end for end in self._open if end > now]
        if self._queued is not None and not self._open:
            tick, self._queued = self._queued, None
            self._start(tick, now)
            self.drive(now)
