"""Ticks: the rows that say what became of each time of a schedule, and how its runs ended.

Every function that writes wants the schedule's lock, but for :func:`prune`: under it no tick is
written twice, and what is open cannot change unseen.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from ..conf import settings
from ..definition.occurrences import Calendar
from ..models import FINAL, ExecutionStatus, Schedule, ScheduleTick, TickKind, TickOutcome
from . import clock
from .ticking import spelled

KEPT = timedelta(days=90)
# Of each schedule so many are kept, however old.
KEPT_AT_LEAST = 100
PRUNED_MOST = 1_000
# Schedules that are looked at together.
PRUNED_TOGETHER = 20
# Open ones that are looked at together.
OPEN_MOST = 1_000
# What is said of a run that was deleted before anybody looked how it ended.
GONE = "gone"
# What is said of several times that were missed, with the last of them.
UNTIL = "until "
FAILURES = (
    ExecutionStatus.FAILED.value,
    ExecutionStatus.COMPENSATED.value,
    ExecutionStatus.COMPENSATION_FAILED.value,
)

_TABLE = f'"{ScheduleTick._meta.db_table}"'
# The conditions of two indexes, word by word: SQLite uses them only so.
_OPEN = f"""{_TABLE}."outcome" = 'started' AND {_TABLE}."run_status" = ''"""
_TIMED = f"""NOT ({_TABLE}."kind" = 'trigger')"""


def of(schedule: Schedule) -> QuerySet[ScheduleTick]:
    """All ticks of a schedule."""
    return ScheduleTick.objects.using(settings.DATABASE).filter(schedule_id=schedule.pk)


def timed(schedule: Schedule, times: Iterable[datetime]) -> dict[datetime, ScheduleTick]:
    """Those ticks at these times that are there already; triggered ones do not count."""
    rows = of(schedule).filter(RawSQL(_TIMED, [], output_field=BooleanField()))
    wanted = list(times)
    found: dict[datetime, ScheduleTick] = {}
    for begin in range(0, len(wanted), 500):
        found |= {row.at: row for row in rows.filter(at__in=wanted[begin : begin + 500])}
    return found


def settle(schedule: Schedule) -> list[UUID]:
    """Writes down how runs ended since it was last looked; those that have not, oldest first."""
    rows = of(schedule).filter(RawSQL(_OPEN, [], output_field=BooleanField())).order_by("at", "id")
    found = rows.values_list("id", "execution_id", "execution__status")
    still_open: list[UUID] = []
    ended: dict[str, list[int]] = {}
    for pk, execution_id, status in found[:OPEN_MOST]:
        if status is None:
            ended.setdefault(GONE, []).append(pk)
        elif status in FINAL:
            ended.setdefault(status, []).append(pk)
        else:
            still_open.append(execution_id)
    for status, pks in ended.items():
        of(schedule).filter(pk__in=pks).update(run_status=status)
    return still_open


def reopen(schedule_id: int, run_id: UUID, tick: datetime | int) -> None:
    """A run that had ended goes on: its tick is open again. ``tick`` is its time, or the id of one
    that was triggered."""
    rows = ScheduleTick.objects.using(settings.DATABASE).filter(
        schedule_id=schedule_id, execution_id=run_id, outcome=TickOutcome.STARTED
    )
    if isinstance(tick, int):
        rows = rows.filter(pk=tick)
    else:
        rows = rows.filter(RawSQL(_TIMED, [], output_field=BooleanField()), at=tick)
    rows.update(run_status="")


def failures_in_a_row(schedule: Schedule, most: int) -> int:
    """How many of the latest ticks whose run has ended, since the schedule was switched on, failed
    one after the other; no more than ``most`` are looked at. A tick that could not be started has
    failed; one that was left out or missed says nothing. Of a run that is still there its own
    status counts: where its last node was skipped, it has completed since."""
    rows = of(schedule).filter(created_at__gte=schedule.enabled_at)
    tried = rows.filter(outcome__in=(TickOutcome.STARTED, TickOutcome.FAILED)).order_by("-id")
    ended = tried.exclude(outcome=TickOutcome.STARTED, run_status="")
    count = 0
    columns = ("outcome", "run_status", "execution__status")
    for outcome, seen, status in ended.values_list(*columns)[:most]:
        if outcome != TickOutcome.FAILED and (status or seen) not in FAILURES:
            break
        count += 1
    return count


def make(
    schedule: Schedule, at: datetime, outcome: str, kind: str = TickKind.TIME, detail: str = ""
) -> ScheduleTick:
    """A tick that is not written yet."""
    return ScheduleTick(
        schedule_id=schedule.pk,
        kind=str(kind),
        at=at,
        outcome=str(outcome),
        detail=detail,
        created_at=clock.now(),
    )


def write(made: list[ScheduleTick]) -> None:
    """Writes them, in the order in which they are given."""
    if made:
        ScheduleTick.objects.using(settings.DATABASE).bulk_create(made)


def span(first: datetime, last: datetime) -> str:
    """The detail of a tick that stands for all that were missed from ``first`` to ``last``."""
    return "" if first == last else f"{UNTIL}{spelled(last)}"


def missed_until(detail: str) -> datetime | None:
    """The last of the times that one missed tick stands for, as its ``detail`` tells it; None where
    that tells something else.

    >>> missed_until("until 2030-01-31T09:00:00+00:00").hour
    9
    """
    try:
        moment = datetime.fromisoformat(detail.removeprefix(UNTIL))
    except ValueError:
        return None
    # At the ends of the calendar there is no such time in other zones.
    has_zones = moment.utcoffset() is not None and 1 < moment.year < 9999
    return moment.astimezone(UTC) if detail.startswith(UNTIL) and has_zones else None


def leave_rest(
    schedule: Schedule, tick: ScheduleTick, calendar: Calendar, filled: Container[datetime]
) -> bool:
    """The first of several times that were missed gets a run of its own: the row is that of the
    others from now on, at the first of them that is not ``filled`` and has no row. False, and
    nothing done, where there is none."""
    last = missed_until(tick.detail) if tick.outcome == TickOutcome.MISSED else None
    rest = None if last is None else first_without(schedule, calendar, tick.at, last, filled)
    if last is None or rest is None:
        return False
    tick.at, tick.detail = rest, span(rest, last)
    tick.save(using=settings.DATABASE, update_fields=["at", "detail"])
    return True


def first_without(
    schedule: Schedule,
    calendar: Calendar,
    after: datetime,
    last: datetime,
    filled: Container[datetime] = (),
) -> datetime | None:
    """The first time after ``after`` and up to ``last`` that has no row and is not ``filled``."""
    instant = timedelta(microseconds=1)
    times = calendar.between(after + instant, last + instant)
    others = (at for at in times if at not in filled)
    while some := list(islice(others, 100)):
        there = timed(schedule, some)
        for at in some:
            if at not in there:
                return at
    return None


def drop_queued(schedule: Schedule, why: str) -> None:
    """The tick that waits for the run before it will not be started any more."""
    if schedule.queued_at is None:
        return
    waiting = of(schedule).filter(at=schedule.queued_at, outcome=TickOutcome.QUEUED)
    waiting.update(outcome=TickOutcome.SKIPPED, detail=why)
    schedule.queued_at = None


def prune(after: int = 0) -> int:
    """Deletes ticks that are older than 90 days, but for the latest hundred of each schedule and
    for those that wait or whose run is open, of some schedules: those after the one with this id.
    Returns where to go on, 0 after the last."""
    schedules = Schedule.objects.using(settings.DATABASE).filter(pk__gt=after).order_by("pk")
    pks = list(schedules.values_list("pk", flat=True)[:PRUNED_TOGETHER])
    for pk in pks:
        _prune(pk, clock.now() - KEPT)
    return pks[-1] if len(pks) == PRUNED_TOGETHER else 0


def _prune(schedule_id: int, old: datetime) -> None:
    rows = ScheduleTick.objects.using(settings.DATABASE).filter(schedule_id=schedule_id)
    oldest = rows.order_by("id").values_list("created_at", flat=True).first()
    if oldest is None or oldest >= old:
        return
    latest = rows.order_by("-id").values_list("id", flat=True)
    for first_kept in latest[KEPT_AT_LEAST - 1 : KEPT_AT_LEAST]:
        over = rows.filter(id__lt=first_kept, created_at__lt=old)
        over = over.exclude(outcome=TickOutcome.QUEUED)
        over = over.exclude(outcome=TickOutcome.STARTED, run_status="")
        some = list(over.order_by("id").values_list("id", flat=True)[:PRUNED_MOST])
        if some:
            # Asked again: a run may have been reopened meanwhile.
            over.filter(pk__in=some).delete()
