"""Occurrences: the calendar of a schedule, the instants at which it ticks.

Pure: given a moment, it says the next tick and the last. It reads no clock but the time zones of
the machine, and knows no rows. Ticks are aware datetimes in UTC, strictly ascending.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from cronsim import CronSim

from durable_django.definition.cron_text import explain, parse, says_wall_times
from durable_django.definition.durations import to_seconds
from durable_django.definition.zones import (
    first_change,
    instant_of,
    last_change,
    offset_at,
    zone_named,
)

# An expression that has no match for so long has none: 29 February falls on each day of the week
# within forty years.
_YEARS_MAX = 50

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_of(
    cron: str, timezone: str = "", interval_seconds: float | None = None, offset_seconds: float = 0
) -> Calendar:
    """The calendar of a cron expression in a time zone ("": Django's TIME_ZONE), or, with
    ``cron=""``, of an interval in seconds. ValueError says what is wrong with them.

    Example::

        calendar_of("0 9 * * *", "America/New_York").after(timezone.now())
    """
    if interval_seconds is not None:
        return _Intervals(interval_seconds, offset_seconds)
    return _cron(cron, zone_named(timezone))


@lru_cache(maxsize=1_000)
def _cron(cron: str, zone: tzinfo) -> Calendar:
    kind = _WallTimes if says_wall_times(cron) else _ElapsedTimes
    return kind(cron, zone)


class Calendar(ABC):
    """The ticks of one schedule. Moments are aware; ticks are in UTC.

    Example::

        calendar.after(moment)           # the next tick, or None
        list(calendar.between(start, end))
    """

    def after(self, moment: datetime) -> datetime | None:
        """The first tick later than `moment`; None if there is none ever again."""
        try:
            return self._after(_aware(moment))
        except OverflowError:  # past the year 9999
            return None

    def before(self, moment: datetime) -> datetime | None:
        """The last tick at or before `moment`; None if there was none."""
        try:
            return self._before(_aware(moment))
        except OverflowError:  # before the year 1
            return None

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The ticks from `start` on and before `end`, ascending."""
        tick = self.after(_aware(start) - _MICROSECOND)
        while tick is not None and tick < end:
            yield tick
            tick = self.after(tick)

    @abstractmethod
    def explain(self) -> str:
        """It in words for people: ``"At 09:00 every day, America/New_York"``."""

    @abstractmethod
    def _after(self, moment: datetime) -> datetime | None:
        """As `after`, for a moment in UTC. OverflowError for what no datetime can be."""

    @abstractmethod
    def _before(self, moment: datetime) -> datetime | None:
        """As `before`, for a moment in UTC. OverflowError for what no datetime can be."""


class _Cron(Calendar):
    """What both readings of a cron expression share: its matches in wall time."""

    def __init__(self, cron: str, zone: tzinfo) -> None:
        self._cron = cron
        self._zone = zone
        self._matches = parse(cron)

    def explain(self) -> str:
        return f"{explain(self._cron)}, {self._zone}"

    def _walk(self, wall: datetime, *, backward: bool = False) -> Iterator[datetime]:
        """The wall times that match, from the one after `wall` (before it, going backward) on."""
        # In naive time, where cronsim does nothing about changes of the clocks.
        walker: CronSim = copy.copy(self._matches)
        walker.dt = wall.replace(fold=0)
        walker.tick_direction = -1 if backward else 1
        while True:
            try:
                found = next(walker)
            except (StopIteration, OverflowError, ValueError):  # never again; past the year 9999
                return
            yield found


class _WallTimes(_Cron):
    """An expression that names hours and minutes: each matching wall time is a tick, once. One that
    the clocks skip ticks at the first instant after, one that comes twice at the first of the two,
    and two that fall together are one tick.
    """

    def _after(self, moment: datetime) -> datetime | None:
        for wall in self._walk(_wall(moment, self._zone)):
            tick = _utc(instant_of(wall, self._zone))
            # In an hour that comes for the second time, its matches have been already.
            if tick > moment:
                return tick
        return None

    def _before(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self._zone)
        # In an hour that comes for the second time, what is later on the clock has been already.
        first_time = local.replace(fold=0).utcoffset() or timedelta(0)
        wall = moment.replace(microsecond=0, tzinfo=None) + first_time
        for match in self._walk(wall + _SECOND, backward=True):
            tick = _utc(instant_of(match, self._zone))
            if tick <= moment:
                return tick
        return None


class _ElapsedTimes(_Cron):
    """An expression for every so many minutes or hours: each instant whose wall time matches is a
    tick, so that ticks go on in step with elapsed time while the clocks are moved.
    """

    def _after(self, moment: datetime) -> datetime | None:
        start = moment.replace(microsecond=0) + _SECOND
        last_year = start.year + _YEARS_MAX
        while start.year <= last_year:
            offset = offset_at(start, self._zone)
            wall = next(self._walk(start.replace(tzinfo=None) + offset - _SECOND), None)
            if wall is None:
                return None
            tick = (wall - offset).replace(tzinfo=UTC)
            # Right only if the clocks are not moved until then; else on from where they are.
            change = first_change(start, tick, self._zone)
            if change is None:
                return tick
            start = change
        return None

    def _before(self, moment: datetime) -> datetime | None:
        end = moment.replace(microsecond=0)
        last_year = end.year - _YEARS_MAX
        while end.year >= last_year:
            offset = offset_at(end, self._zone)
            wall = next(
                self._walk(end.replace(tzinfo=None) + offset + _SECOND, backward=True), None
            )
            if wall is None:
                return None
            tick = (wall - offset).replace(tzinfo=UTC)
            change = last_change(tick, end, self._zone)
            if change is None:
                return tick
            end = change - _SECOND
        return None


class _Intervals(Calendar):
    """Every so many seconds, counted from 1970-01-01T00:00Z and the offset: the same ticks on each
    host, and after each deploy.
    """

    def __init__(self, interval_seconds: float, offset_seconds: float) -> None:
        self._interval = timedelta(seconds=to_seconds(interval_seconds, "an interval"))
        self._offset = timedelta(seconds=to_seconds(offset_seconds, "an offset"))
        if self._interval < _SECOND:
            raise ValueError(f"an interval is at least a second, not {interval_seconds!r} seconds")

    def _after(self, moment: datetime) -> datetime | None:
        return self._tick((moment - _EPOCH - self._offset) // self._interval + 1)

    def _before(self, moment: datetime) -> datetime | None:
        return self._tick((moment - _EPOCH - self._offset) // self._interval)

    def explain(self) -> str:
        text = f"Every {spoken(self._interval)}"
        for unit in ("day", "hour", "minute", "second"):
            text = f"Every {unit}" if text == f"Every 1 {unit}" else text
        return f"{text}, offset by {spoken(self._offset)}" if self._offset else text

    def _tick(self, number: int) -> datetime:
        return _EPOCH + self._offset + number * self._interval


def spoken(duration: timedelta) -> str:
    """A duration in words: ``"1 hour 30 minutes"``."""
    seconds, rest = divmod(duration, _SECOND)
    parts = []
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    exact = seconds + rest / _SECOND
    if exact or not parts:
        parts.append(f"{exact:g} second{'' if exact == 1 else 's'}")
    return " ".join(parts)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a moment has a time zone, and {moment!r} has none")
    return moment.astimezone(UTC)


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(microsecond=0, tzinfo=None, fold=0)


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(fold=0)
