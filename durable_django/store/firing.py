"""Firing: a schedule whose time has come starts its runs, and is set to its next tick.

Under the schedule's lock: its runs, the ticks that tell of them and its next time are committed
together or not at all. Some schedules share a transaction; where that fails each has its own, so
that one which cannot be fired says why, and stops no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import DatabaseError

from ..conf import settings
from ..models import AuditVerb, Overlap, Schedule, ScheduleTick, TickOutcome
from . import audit, clock, overlapping, ticking, ticks, timetable
from .preparing import NotHere, Prepared, prepared_or_why, told
from .ticking import Due, due_ticks
from .transactions import (
    RowHeld,
    in_callers_transaction,
    is_away,
    is_repeatable,
    repeating,
    worker_transaction,
)

logger = logging.getLogger("durable_django.worker")

_Act = Callable[[UUID | None, int], bool]

# When what cannot be fired is tried again.
PUT_OFF_SECONDS = 60.0
# Schedules that share a transaction: on a busy disk its commit takes longer than all else.
TOGETHER = 20


def fire_due(worker_id: UUID | None, seconds: float | None = None) -> bool:
    """Fires what is due now, for so many seconds; whether it did anything. What others are firing
    at this moment is left to them."""
    until = None if seconds is None else time.monotonic() + seconds
    did, found = False, timetable.due()
    for begin in range(0, len(found), TOGETHER):
        did = _fire_some(worker_id, found[begin : begin + TOGETHER]) or did
        if until is not None and time.monotonic() >= until:
            break
    return did


def fire_queued(worker_id: UUID | None) -> bool:
    """Starts the ticks that waited for the run before them, where that has ended; whether there
    was one."""
    did = False
    for pk in timetable.queued():
        did = _guarded(worker_id, pk, _begin_queued) or did
    return did


def _guarded(worker_id: UUID | None, pk: int, act: _Act) -> bool:
    """A schedule that meets a defect is put off, with the error on its row."""
    try:
        return act(worker_id, pk)
    except RowHeld:
        return False  # by whoever decides about the run to be cancelled; the next look may be free
    except NotHere as error:
        logger.info("%s; it is left to other workers for a while", error)
        timetable.leave(pk)
        return False
    except DatabaseError as error:
        if in_callers_transaction() or is_away(error) or is_repeatable(error):
            raise
        _put_off(worker_id, pk, error)
    except Exception as error:
        _put_off(worker_id, pk, error)
    return False


# -- a tick whose time has come --------------------------------------------------------------


class _Planned(NamedTuple):
    """What is to be done for a schedule, by what it was when it was looked at."""

    seen: Schedule
    due: Due
    prepared: Mapping[datetime, Prepared]


def _fire_some(worker_id: UUID | None, pks: Sequence[int]) -> bool:
    """In one transaction; those that need one of their own, or all if one fails, one by one."""
    now = clock.now()
    alone: list[int] = []
    planned: list[_Planned] = []
    for seen in Schedule.objects.using(settings.DATABASE).filter(pk__in=pks, due_at__lte=now):
        try:
            if seen.queued_at is not None:
                alone.append(seen.pk)
            else:
                planned.append(_plan(seen, now))
        except Exception:
            alone.append(seen.pk)
    did = False
    try:
        did = bool(planned) and repeating(lambda: _write(worker_id, planned))
    except Exception as error:
        if isinstance(error, DatabaseError) and (in_callers_transaction() or is_away(error)):
            raise
        alone += [plan.seen.pk for plan in planned]
    for pk in alone:
        did = _guarded(worker_id, pk, _fire) or did
    return did


def _fire(worker_id: UUID | None, pk: int) -> bool:
    now = clock.now()
    seen = _due(pk, now)
    if seen is not None and seen.queued_at is not None and _begin_queued(worker_id, pk):
        # race: due-no-more. Another worker may have fired it meanwhile: what it is due for next
        # lies in the future.
        seen = _due(pk, now)
    if seen is None:
        return False
    plan = _plan(seen, now)
    return repeating(lambda: _write(worker_id, [plan]))


def _plan(seen: Schedule, now: datetime) -> _Planned:
    due = due_ticks(seen, ticking.calendar(seen), now)
    return _Planned(seen, due, {tick: prepared_or_why(seen, tick) for tick in due.ticks})


def _due(pk: int, now: datetime) -> Schedule | None:
    """The schedule, if its time has come."""
    return Schedule.objects.using(settings.DATABASE).filter(pk=pk, due_at__lte=now).first()


def _write(worker_id: UUID | None, planned: Sequence[_Planned]) -> bool:
    plans = {plan.seen.pk: plan for plan in planned}
    did = False
    with worker_transaction(worker_id):
        # race: one-tick-one-run. Whoever comes second finds it locked, or changed since it looked:
        # fired, moved, switched off, deleted.
        for schedule in timetable.lock_free(list(plans)):
            plan = plans[schedule.pk]
            if differs(schedule, plan.seen):
                continue
            did = True
            open_runs = ticks.settle(schedule)
            if not _switched_off(schedule):
                schedule.error = ""
                ticks.write(_become(schedule, plan.due, plan.prepared, open_runs))
                schedule.last_at = plan.due.last
                ticking.aim(schedule, plan.due.next_at)
            save(schedule)
    return did


def _become(
    schedule: Schedule, due: Due, prepared: Mapping[datetime, Prepared], open_runs: list[UUID]
) -> list[ScheduleTick]:
    """The rows of what is due, but for times that have one: somebody filled them in before."""
    there = ticks.timed(schedule, (*due.ticks, *(due.missed or ())[:1]))
    made: list[ScheduleTick] = []
    if due.missed is not None:
        first, last = due.missed
        begin: datetime | None = first
        if first in there:
            begin = ticks.first_without(schedule, ticking.calendar(schedule), first, last)
        if begin is not None:
            detail = ticks.span(begin, last)
            made.append(ticks.make(schedule, begin, TickOutcome.MISSED, detail=detail))
    times = [tick for tick in due.ticks if tick not in there]
    for at in times:
        tick = _tick(schedule, at, prepared[at], open_runs, is_last=at == times[-1])
        if tick.outcome == TickOutcome.STARTED and tick.execution_id is not None:
            open_runs.append(tick.execution_id)
        made.append(tick)
    return made


def _tick(
    schedule: Schedule,
    at: datetime,
    prepared: Prepared,
    open_runs: Sequence[UUID],
    *,
    is_last: bool,
) -> ScheduleTick:
    outcome = overlapping.outcome(schedule, open_runs, is_last=is_last)
    tick = ticks.make(schedule, at, outcome)
    if outcome == TickOutcome.QUEUED:
        schedule.queued_at = at
    elif outcome == TickOutcome.SKIPPED and schedule.overlap == Overlap.CANCEL_PREVIOUS:
        tick.detail = overlapping.LATER_CAME
    elif outcome == TickOutcome.STARTED:
        run = overlapping.begin(schedule, tick, prepared).run
        if run is not None:
            schedule.error = ""
            if schedule.overlap == Overlap.CANCEL_PREVIOUS:
                overlapping.cancel_open(schedule, open_runs)
    return tick


# -- a tick that waits for the run before it -------------------------------------------------


def _begin_queued(worker_id: UUID | None, pk: int) -> bool:
    seen = Schedule.objects.using(settings.DATABASE).filter(pk=pk).first()
    if seen is None or seen.queued_at is None:
        return False
    at, prepared = seen.queued_at, prepared_or_why(seen, seen.queued_at)
    return repeating(lambda: _write_queued(worker_id, seen, at, prepared))


def _write_queued(worker_id: UUID | None, seen: Schedule, at: datetime, prepared: Prepared) -> bool:
    with worker_transaction(worker_id):
        schedule = next(iter(timetable.lock_free([seen.pk])), None)
        if schedule is None or differs(schedule, seen):
            return False
        if ticks.settle(schedule):
            return False  # the run before it goes on
        if not _switched_off(schedule):
            waiting = ticks.of(schedule).filter(at=at, outcome=TickOutcome.QUEUED)
            for tick in waiting:
                begun = overlapping.begin(schedule, tick, prepared)
                # One that has no next time cannot be read: that stays told.
                if begun.run is not None and schedule.next_at is not None:
                    schedule.error = ""
                tick.save(using=settings.DATABASE)
            schedule.queued_at = None
        save(schedule)
    return True


# -- the schedule itself ---------------------------------------------------------------------


def _switched_off(schedule: Schedule) -> bool:
    """Switches it off, if so many of its runs failed in a row as it says."""
    most = schedule.disable_after
    if not most or ticks.failures_in_a_row(schedule, most) < most:
        return False
    runs = "its run" if most == 1 else f"{most} runs in a row"
    why = f"{runs} failed"
    switch_off(schedule, why)
    logger.error("%s is switched off: %s", schedule, why)
    audit.record(AuditVerb.DISABLE, schedule=schedule.key, reason=why, detail={"failures": most})
    return True


def switch_off(schedule: Schedule, why: str) -> None:
    """It ticks no more. ``why`` is "" where somebody said so."""
    schedule.enabled, schedule.disabled_reason = False, why
    ticks.drop_queued(schedule, "the schedule was switched off")
    ticking.aim(schedule, None)


def _put_off(worker_id: UUID | None, pk: int, error: BaseException) -> None:
    """Tries it again in a minute, and says on its row why it could not be fired."""
    logger.error("schedule %s cannot be fired now: %s", pk, error, exc_info=error)

    def write() -> None:
        with worker_transaction(worker_id):
            schedule = next(iter(timetable.lock_free([pk])), None)
            if schedule is None or schedule.due_at is None:
                return
            schedule.error = told(error)
            schedule.due_at = max(schedule.due_at, clock.now() + timedelta(seconds=PUT_OFF_SECONDS))
            save(schedule)

    try:
        repeating(write)
    except Exception:
        timetable.leave(pk)  # at least here
        raise


_DECIDED = (
    *("workflow_name", "name", "source", "declared_text", "enabled", "retired_at"),
    *("cron", "timezone", "interval_seconds", "offset_seconds", "jitter_seconds"),
    *("queue", "input_text", "overlap", "catch_up", "catch_up_seconds"),
    *("next_at", "due_at", "queued_at"),
)


def differs(schedule: Schedule, seen: Schedule) -> bool:
    """Whether it changed since it was read."""
    return any(getattr(schedule, name) != getattr(seen, name) for name in _DECIDED)


def save(schedule: Schedule) -> None:
    """Writes what a fire and its neighbours change."""
    schedule.save(
        using=settings.DATABASE,
        update_fields=[
            "enabled",
            "enabled_at",
            "disabled_reason",
            "next_at",
            "due_at",
            "queued_at",
            "last_at",
            "error",
        ],
    )
