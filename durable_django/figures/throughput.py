"""How many runs ended how, over an hour, a day or a week, and how long they took: from the tallies.

Two statements of a few thousand rows, however many runs there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import QuerySet, Sum

from ..conf import settings
from ..models import ExecutionStatus, Tally
from ..models.tally import HOUR_SECONDS, MINUTE_SECONDS
from ..store import clock
from ..store.tallies import percentile

FAILED: Final = frozenset({"failed", "compensated", "compensation_failed"})


@dataclass(frozen=True)
class Period:
    """``bars`` of ``bar_seconds`` each, up to now; read from tallies of ``span_seconds``."""

    name: str
    bars: int
    bar_seconds: int
    span_seconds: int

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return timedelta(seconds=self.bars * self.bar_seconds)

    def begins_at(self, now: datetime) -> datetime:
        """When its first bar begins; the last one is still growing."""
        last = int(now.timestamp()) // self.bar_seconds
        return datetime.fromtimestamp((last - self.bars + 1) * self.bar_seconds, UTC)


PERIODS: Final = {
    period.name: period
    for period in (
        Period("hour", 60, MINUTE_SECONDS, MINUTE_SECONDS),
        Period("day", 24, HOUR_SECONDS, HOUR_SECONDS),
        Period("week", 42, 4 * HOUR_SECONDS, HOUR_SECONDS),
    )
}


@dataclass(frozen=True)
class Bar:
    """How many runs ended between two moments. ``failed`` counts those that were compensated, too;
    ``cancelled`` those that people or their callers ended."""

    begins_at: datetime
    ends_at: datetime
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All that ended."""
        return self.completed + self.failed + self.cancelled


@dataclass(frozen=True)
class Throughput:
    """The bars of a period, oldest first."""

    period: Period
    bars: tuple[Bar, ...]

    @property
    def completed(self) -> int:
        """Runs that completed in the period."""
        return sum(bar.completed for bar in self.bars)

    @property
    def failed(self) -> int:
        """Runs that failed in the period."""
        return sum(bar.failed for bar in self.bars)

    @property
    def cancelled(self) -> int:
        """Runs that were cancelled in the period."""
        return sum(bar.cancelled for bar in self.bars)

    @property
    def total(self) -> int:
        """Runs that ended in the period."""
        return sum(bar.total for bar in self.bars)


@dataclass(frozen=True)
class Pace:
    """How a workflow's runs ended in a period, and how long those that completed took from their
    start, in seconds: half of them no longer than ``p50``; None where none completed. Durations
    are known to 19 % (see ``store.tallies``)."""

    workflow_name: str
    completed: int
    failed: int
    cancelled: int
    p50: float | None
    p95: float | None
    p99: float | None

    @property
    def total(self) -> int:
        """All that ended."""
        return self.completed + self.failed + self.cancelled

    @property
    def failed_share(self) -> float:
        """The part of those that ended which failed, 0 to 1."""
        return self.failed / self.total if self.total else 0.0


def throughput(
    period: Period, workflows: Collection[str] | None = None, now: datetime | None = None
) -> Throughput:
    """The bars of ``period``, of these workflows only, or of all (None). One statement.

    >>> throughput(PERIODS["hour"]).total
    0
    """
    now = now or clock.now()
    first = period.begins_at(now)
    rows = _tallies(period, first, workflows).values_list("begins_at", "status")
    numbers: defaultdict[tuple[int, str], int] = defaultdict(int)
    for begins_at, status, number in rows.annotate(n=Sum("number")):
        index = int((begins_at - first).total_seconds()) // period.bar_seconds
        numbers[index, _kind(status)] += number
    step = timedelta(seconds=period.bar_seconds)
    bars = (
        Bar(
            first + step * index,
            first + step * (index + 1),
            numbers[index, "completed"],
            numbers[index, "failed"],
            numbers[index, "cancelled"],
        )
        for index in range(period.bars)
    )
    return Throughput(period, tuple(bars))


def paces(
    period: Period, workflows: Collection[str] | None = None, now: datetime | None = None
) -> list[Pace]:
    """Every workflow of which runs ended in ``period``, the busiest first. One statement."""
    first = period.begins_at(now or clock.now())
    rows = _tallies(period, first, workflows)
    grouped = rows.values_list("workflow_name", "status", "duration_class")
    found: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for name, *what in grouped.annotate(n=Sum("number")):
        found[name].append((what[0], what[1], what[2]))
    every = [_pace(name, rows) for name, rows in found.items()]
    return sorted(every, key=lambda pace: (-pace.total, pace.workflow_name))


def _pace(name: str, rows: Iterable[tuple[str, int, int]]) -> Pace:
    ended: defaultdict[str, int] = defaultdict(int)
    taken: defaultdict[int, int] = defaultdict(int)
    for status, duration_class, number in rows:
        ended[_kind(status)] += number
        if status == ExecutionStatus.COMPLETED:
            taken[duration_class] += number
    return Pace(
        name,
        ended["completed"],
        ended["failed"],
        ended["cancelled"],
        *(percentile(taken, p) for p in (50, 95, 99)),
    )


def _kind(status: str) -> str:
    return "failed" if status in FAILED else status


def _tallies(period: Period, first: datetime, workflows: Collection[str] | None) -> QuerySet[Tally]:
    rows = Tally.objects.using(settings.DATABASE).order_by()
    rows = rows.filter(span_seconds=period.span_seconds, begins_at__gte=first)
    return rows if workflows is None else rows.filter(workflow_name__in=sorted(workflows))
