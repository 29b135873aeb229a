"""What ended since midnight (UTC), and how long it took: counters and histograms, of the tallies.

Tallies are deleted when they are old, so these begin anew at 0 each day, as a counter does when its
process is started again: ``rate()`` and ``increase()`` allow for it. One statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from django.db.models import Sum

from ..conf import settings
from ..definition import registry
from ..models import ExecutionStatus, Tally
from ..models.status import FINAL_VALUES
from ..models.tally import HOUR_SECONDS
from ..store.tallies import CLASS_MAX, FIRST_SECONDS, NEVER_STARTED, seconds_of
from .metric import Metric, Sample

# Each class of durations is sqrt(2) times as long as the one before; each bucket is four of them.
CLASSES_A_BUCKET: Final = 4
BOUNDS: Final = {
    last: FIRST_SECONDS * 2 ** (last / 2) for last in range(0, CLASS_MAX, CLASSES_A_BUCKET)
}
ENDED: Final = tuple(status for status in ExecutionStatus.values if status in FINAL_VALUES)


def ended(now: datetime) -> Iterator[Metric]:
    """``durable_executions_ended_total`` and ``durable_execution_duration_seconds``."""
    numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
    taken: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    # With a 0 for what has not ended yet: the first of a day would not count as an increase.
    names = {cls.definition.name for cls in registry.all()}
    for name, status, duration_class, number in _tallied(now):
        names.add(name)
        numbers[name, status] += number
        if status == ExecutionStatus.COMPLETED and duration_class != NEVER_STARTED:
            taken[name][duration_class] += number
    yield Metric(
        "durable_executions_ended_total",
        "counter",
        "Runs that ended, since midnight UTC. A worker that is killed may not have counted its "
        "last few seconds.",
        tuple(
            Sample(numbers[name, status], {"workflow": name, "status": status})
            for name in sorted(names)
            for status in ENDED
        ),
    )
    yield Metric(
        "durable_execution_duration_seconds",
        "histogram",
        "How long runs took that completed since midnight UTC, from their start. Its sum is known "
        "to 19 %.",
        tuple(sample for name in sorted(names) for sample in _histogram(name, taken[name])),
    )


def _tallied(now: datetime) -> Iterator[tuple[str, str, int, int]]:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Tally.objects.using(settings.DATABASE).order_by()
    rows = rows.filter(span_seconds=HOUR_SECONDS, begins_at__gte=midnight, begins_at__lte=now)
    grouped = rows.values_list("workflow_name", "status", "duration_class")
    yield from grouped.annotate(n=Sum("number"))


def _histogram(name: str, classes: Mapping[int, int]) -> Iterator[Sample]:
    labels = {"workflow": name}
    for last, bound in BOUNDS.items():
        number = sum(n for found, n in classes.items() if found <= last)
        yield Sample(number, {**labels, "le": f"{bound:g}"}, "_bucket")
    every = sum(classes.values())
    yield Sample(every, {**labels, "le": "+Inf"}, "_bucket")
    yield Sample(sum(seconds_of(found) * n for found, n in classes.items()), labels, "_sum")
    yield Sample(every, labels, "_count")
