"""Schedules: what people decide about them, written with who did it and why.

Each is one transition under the schedule's lock, which waits for a fire that is under way. What a
schedule does by itself when its time comes stands in ``firing``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from ..conf import settings
from ..definition.occurrences import Calendar
from ..definition.schedule import Cron, Every
from ..exceptions import InvalidState, ScheduleNotFound
from ..models import (
    AuditVerb,
    Execution,
    Schedule,
    ScheduleSource,
    ScheduleTick,
    TickKind,
    TickOutcome,
)
from . import audit, clock, declaring, firing, overlapping, ticking, ticks, timetable
from .preparing import Prepared, prepare
from .saying import said
from .transactions import repeating, worker_transaction

Change = Callable[[Schedule], dict[str, Any]]


def create(
    workflow_name: str, when: Cron | Every, input_text: str, reason: str, by: Any
) -> Schedule:
    """A schedule of people. ValueError if the workflow has one of that name, or its calendar cannot
    be read."""
    calendar = when.calendar()

    def transition() -> Schedule:
        with worker_transaction(None):
            now = clock.now()
            row = Schedule(
                workflow_name=workflow_name,
                name=when.name or "",
                source=ScheduleSource.PEOPLE,
                created_at=now,
                enabled_at=now,
            )
            _fill(row, when, input_text)
            ticking.aim(row, calendar.after(now))
            rows = Schedule.objects.using(settings.DATABASE)
            rows.bulk_create([row], ignore_conflicts=True)
            made = rows.get(workflow_name=workflow_name, name=row.name)
            if made.created_at != now or made.source != ScheduleSource.PEOPLE:
                raise ValueError(
                    f'name: {workflow_name} has a schedule called "{row.name}" already; give this '
                    "one another name"
                )
            audit.record(
                AuditVerb.CREATE, schedule=made.key, by=by, reason=reason, detail=described(made)
            )
        return made

    return repeating(transition)


def change(pk: int, when: Cron | Every, input_text: str, reason: str, by: Any) -> Schedule:
    """Another time, input and manners of a schedule of people; its name stays. InvalidState for one
    that code declares."""
    calendar = when.calendar()

    def changed(schedule: Schedule) -> dict[str, Any]:
        if schedule.source != ScheduleSource.PEOPLE:
            raise InvalidState(f"{schedule.key} is declared in code; change it there")
        before = described(schedule)
        _fill(schedule, when, input_text)
        schedule.error = ""
        ticking.aim(schedule, calendar.after(clock.now()))
        after = described(schedule)
        return {
            "set": {name: value for name, value in after.items() if before[name] != value},
            "before": {name: value for name, value in before.items() if after[name] != value},
        }

    return _change(pk, AuditVerb.CHANGE, changed, reason, by)


def delete(pk: int, reason: str, by: Any) -> None:
    """It and its ticks are gone; the runs it started stay. InvalidState for one that code declares,
    unless its workflow is in no code any more and it is off."""

    def transition() -> None:
        with worker_transaction(None):
            schedule = _locked(pk)
            if why := declaring.why_kept(schedule):
                raise InvalidState(why)
            audit.record(
                AuditVerb.DELETE,
                schedule=schedule.key,
                by=by,
                reason=reason,
                detail=described(schedule),
            )
            schedule.delete(using=settings.DATABASE)

    repeating(transition)


def enable(pk: int, reason: str, by: Any) -> Schedule:
    """It ticks again, from the next time of its calendar on; failures are counted anew."""

    def enabled(schedule: Schedule) -> dict[str, Any]:
        _check_declared(schedule)
        if schedule.enabled:
            raise InvalidState(f"{schedule.key} is already on")
        now = clock.now()
        schedule.enabled, schedule.enabled_at = True, now
        schedule.disabled_reason = schedule.error = ""
        ticking.aim(schedule, _calendar(schedule).after(now))
        return {}

    return _change(pk, AuditVerb.ENABLE, enabled, reason, by)


def disable(pk: int, reason: str, by: Any) -> Schedule:
    """It ticks no more; runs that it has started go on."""

    def disabled(schedule: Schedule) -> dict[str, Any]:
        if not schedule.enabled:
            raise InvalidState(f"{schedule.key} is already off")
        firing.switch_off(schedule, "")
        return {}

    return _change(pk, AuditVerb.DISABLE, disabled, reason, by)


def move(pk: int, to: datetime | None, reason: str, by: Any) -> Schedule:
    """Its next tick is at this time, now for one that has passed; None: the next one by its
    calendar. InvalidState for one that is off, ValueError for a time that has had its tick."""

    def moved(schedule: Schedule) -> dict[str, Any]:
        _check_declared(schedule)
        if not schedule.enabled:
            raise InvalidState(f"{schedule.key} is off; switch it on first")
        before = schedule.next_at
        if to is None:
            ticking.aim(schedule, _calendar(schedule).after(clock.now()))
        elif ticks.timed(schedule, [to]):
            raise ValueError(f"to: {schedule.key} has had its tick of {said(to)}")
        else:
            # At that time, without jitter: somebody said when. One that has passed was not missed.
            schedule.next_at = schedule.due_at = max(to, clock.now())
        schedule.error = ""
        return {"to": schedule.next_at, "before": before}

    return _change(pk, AuditVerb.MOVE, moved, reason, by)


def trigger(pk: int, input: Any, reason: str, by: Any) -> Execution:
    """Starts a run now, whatever else runs; it counts as one of the schedule's."""
    seen = read(pk)
    now = clock.now()
    prepared = prepare(seen, now, input=input, keyed=False)

    def transition() -> Execution:
        with worker_transaction(None):
            schedule = _locked(pk)
            _check_declared(schedule)
            ticks.settle(schedule)
            tick = ticks.make(schedule, now, TickOutcome.STARTED, TickKind.TRIGGER)
            tick.save(using=settings.DATABASE)
            run = overlapping.begin(schedule, tick, _keyed(prepared, schedule, tick), by).run
            assert run is not None
            tick.save(using=settings.DATABASE, update_fields=["execution"])
            detail = {"execution": run.pk}
            audit.record(
                AuditVerb.TRIGGER, schedule=schedule.key, by=by, reason=reason, detail=detail
            )
        return run

    return repeating(transition)


def _keyed(prepared: Prepared, schedule: Schedule, tick: ScheduleTick) -> Prepared:
    """The run names its tick, by which that is found when somebody retries it."""
    assert prepared.options is not None
    key = ticking.run_key(schedule.name, ticking.of_trigger(tick.pk))
    return prepared._replace(options=prepared.options._replace(idempotency_key=key))


# -- back-filling ----------------------------------------------------------------------------


def without_run(schedule: Schedule, start: datetime, end: datetime, most: int) -> list[datetime]:
    """The times from ``start`` on and before ``end`` that have no run, ascending. ValueError for
    more than ``most``."""
    found: list[datetime] = []
    for tick in _calendar(schedule).between(start, end):
        found.append(tick)
        if len(found) > 100 * most:
            raise ValueError(f"start and end: there are more than {100 * most:,} ticks between")
    there = ticks.timed(schedule, found)
    left = [at for at in found if at not in there or there[at].outcome in _WITHOUT_RUN]
    begun = overlapping.with_run(schedule, left)
    left = [at for at in left if at not in begun]
    if len(left) > most:
        raise ValueError(
            f"start and end: {len(left):,} ticks are without a run between them; at most {most:,} "
            "are filled in at once"
        )
    return left


_WITHOUT_RUN = (TickOutcome.MISSED, TickOutcome.SKIPPED, TickOutcome.FAILED)


def backfill(
    pk: int, start: datetime, end: datetime, most: int, reason: str, by: Any
) -> list[UUID]:
    """Starts a run for each time of the range that has none, all or none; their ids."""
    seen = read(pk)
    prepared = {at: prepare(seen, at) for at in without_run(seen, start, end, most)}

    def transition() -> list[UUID]:
        with worker_transaction(None):
            schedule = _locked(pk)
            _check_declared(schedule)
            # race: filled-in-twice. Under the lock: what somebody else filled in meanwhile is left.
            there = ticks.timed(schedule, prepared)
            started = _fill_in(schedule, prepared, there)
            detail = {"start": start, "end": end, "count": len(started)}
            audit.record(
                AuditVerb.BACKFILL, schedule=schedule.key, by=by, reason=reason, detail=detail
            )
        return started

    return repeating(transition)


def _fill_in(
    schedule: Schedule, prepared: dict[datetime, Prepared], there: dict[datetime, ScheduleTick]
) -> list[UUID]:
    made: list[ScheduleTick] = []
    started: list[UUID] = []
    for at, given in prepared.items():
        tick = there.get(at)
        if tick is not None and tick.outcome not in _WITHOUT_RUN:
            continue
        if tick is None or ticks.leave_rest(schedule, tick, _calendar(schedule), prepared):
            tick = ticks.make(schedule, at, TickOutcome.STARTED, TickKind.BACKFILL)
            made.append(tick)
        tick.kind, tick.detail = TickKind.BACKFILL.value, ""
        run, created = overlapping.begin(schedule, tick, given)
        if tick.pk is not None:
            tick.save(using=settings.DATABASE)
        if run is not None and created:
            started.append(run.pk)
    ticks.write(made)
    return started


# -- rows ------------------------------------------------------------------------------------


def read(pk: int) -> Schedule:
    """The schedule. ScheduleNotFound if there is none."""
    found = Schedule.objects.using(settings.DATABASE).filter(pk=pk).first()
    if found is None:
        raise ScheduleNotFound(f"no schedule has the id {pk}")
    return found


def _locked(pk: int) -> Schedule:
    found = timetable.lock(pk)
    if found is None:
        raise ScheduleNotFound(f"no schedule has the id {pk}")
    return found


def _change(pk: int, verb: str, change: Change, reason: str, by: Any) -> Schedule:
    def transition() -> Schedule:
        with worker_transaction(None):
            schedule = _locked(pk)
            detail = change(schedule)
            schedule.save(using=settings.DATABASE)
            audit.record(verb, schedule=schedule.key, by=by, reason=reason, detail=detail)
        return schedule

    return repeating(transition)


def _check_declared(schedule: Schedule) -> None:
    if schedule.retired_at is not None:
        raise InvalidState(f"{schedule.key} is no longer declared in code")


def _calendar(schedule: Schedule) -> Calendar:
    return ticking.calendar(schedule)


def _fill(schedule: Schedule, when: Cron | Every, input_text: str) -> None:
    schedule.queue = when.queue or ""
    schedule.input_text = input_text
    for name, value in when.columns().items():
        setattr(schedule, name, value)


_DESCRIBED = (
    *("cron", "timezone", "interval_seconds", "offset_seconds", "jitter_seconds"),
    *("queue", "overlap", "catch_up", "catch_up_seconds", "disable_after"),
)


def described(schedule: Schedule) -> dict[str, Any]:
    """What somebody may say of a schedule, for the audit trail."""
    return {name: getattr(schedule, name) for name in _DESCRIBED} | {"input": schedule.input}
