"""Ticking: when a schedule is due next, and which of its ticks a fire has to deal with.

Reads a schedule's row and its calendar, and sets ``next_at`` and ``due_at`` on the object it is
given. It saves nothing, and asks nobody for the time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from ..definition.occurrences import Calendar, calendar_of
from ..models import CatchUp, Schedule

# A tick that is fired later than this after its time was missed: nobody was there.
MISSED_SECONDS = 60.0
# Of one schedule in one transaction; the rest is dealt with in the next.
STARTS_MAX = 100

_INSTANT = timedelta(microseconds=1)
_TRIGGER = "trigger:"


def calendar(schedule: Schedule) -> Calendar:
    """When it ticks. ValueError where this machine cannot read the expression or the zone."""
    return calendar_of(
        schedule.cron, schedule.timezone, schedule.interval_seconds, schedule.offset_seconds
    )


def spelled(tick: datetime) -> str:
    """A tick as a text, the same whatever zone a database connection has."""
    return tick.astimezone(UTC).isoformat()


def run_key(name: str, of: str) -> str:
    """The idempotency key of a run of the schedule called ``name``: ``of`` is its tick, spelled, or
    what :func:`of_trigger` says."""
    return f"schedule:{name}:{of}"


def of_trigger(tick_id: int) -> str:
    """What stands in the key of a run that was triggered: which tick tells of it."""
    return f"{_TRIGGER}{tick_id}"


def tick_of(name: str, key: str) -> datetime | int | None:
    """Of which tick a run is by its key: the time, or the id of one that was triggered. None if it
    is of none of the schedule called ``name``."""
    prefix = run_key(name, "")
    of = key.removeprefix(prefix)
    if not key.startswith(prefix):
        return None
    try:
        if of.startswith(_TRIGGER):
            return int(of.removeprefix(_TRIGGER))
        at = datetime.fromisoformat(of)
        return at.astimezone(UTC) if at.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


def jitter(schedule: Schedule, tick: datetime) -> timedelta:
    """How long after its time this tick is fired: the same on every machine, today and tomorrow."""
    if not schedule.jitter_seconds:
        return timedelta(0)
    text = f"{schedule.workflow_name}\n{schedule.name}\n{spelled(tick)}"
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    fraction = int.from_bytes(digest, "big") / 2**64
    return timedelta(seconds=schedule.jitter_seconds * fraction)


def aim(schedule: Schedule, tick: datetime | None) -> None:
    """Its next tick is this one; it has none while it is off or retired."""
    if tick is None or not schedule.enabled or schedule.retired_at is not None:
        schedule.next_at = schedule.due_at = None
        return
    schedule.next_at = tick
    try:
        schedule.due_at = tick + jitter(schedule, tick)
    except OverflowError:  # beyond the calendar
        schedule.due_at = tick


class Due(NamedTuple):
    """``ticks`` are to be started, ``missed`` are the first and the last of those that are not,
    ``next_at`` is where to go on."""

    ticks: tuple[datetime, ...]
    missed: tuple[datetime, datetime] | None
    next_at: datetime | None

    @property
    def last(self) -> datetime:
        """The latest tick that is dealt with."""
        ends: tuple[datetime, ...] = (*self.ticks[-1:], *(self.missed or ())[1:])
        return max(ends)


def due_ticks(schedule: Schedule, ticks: Calendar, now: datetime) -> Due:
    """What is to become of the ticks of a schedule that is due, from ``next_at`` until now.

    Costs a few steps through the calendar, however many ticks were missed.
    """
    first = schedule.next_at
    assert first is not None
    begin, missed = _caught_up(schedule, ticks, first, now)
    found: list[datetime] = []
    at = begin if begin is not None else _after(missed, ticks)
    while at is not None and len(found) < STARTS_MAX and _is_due(schedule, at, now):
        found.append(at)
        at = ticks.after(at)
    return Due(tuple(found), missed, at)


def _is_due(schedule: Schedule, tick: datetime, now: datetime) -> bool:
    # Its own ``due_at`` counts for the first: somebody may have moved it.
    return tick == schedule.next_at or (tick <= now and tick + jitter(schedule, tick) <= now)


def _after(missed: tuple[datetime, datetime] | None, ticks: Calendar) -> datetime | None:
    assert missed is not None
    return ticks.after(missed[1])


def _caught_up(
    schedule: Schedule, ticks: Calendar, first: datetime, now: datetime
) -> tuple[datetime | None, tuple[datetime, datetime] | None]:
    """(The first tick to start, None if all that are late are missed; those that are missed)."""
    late_until = _before(now, MISSED_SECONDS + schedule.jitter_seconds)
    if first >= late_until:
        return first, None
    last = max(first, ticks.before(late_until - _INSTANT) or first)
    edge = _before(now, schedule.catch_up_seconds)
    begin = _FIRST_STARTED[schedule.catch_up](ticks, first, last, edge)
    if begin is None:
        return None, (first, last)
    if begin == first:
        return first, None
    return begin, (first, max(first, ticks.before(begin - _INSTANT) or first))


def _before(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) + timedelta(days=1)


def _none(ticks: Calendar, first: datetime, last: datetime, edge: datetime) -> datetime | None:
    return None


def _one(ticks: Calendar, first: datetime, last: datetime, edge: datetime) -> datetime | None:
    return last if last >= edge else None


def _all(ticks: Calendar, first: datetime, last: datetime, edge: datetime) -> datetime | None:
    if first >= edge:
        return first
    begin = ticks.after(edge - _INSTANT)
    return begin if begin is not None and begin <= last else None


_FIRST_STARTED: dict[str, Callable[..., datetime | None]] = {
    CatchUp.NONE.value: _none,
    CatchUp.ONE.value: _one,
    CatchUp.ALL.value: _all,
}
