"""Loops: whether the last iterations of a long loop cost what the first did."""

from collections.abc import Iterator

import durable_django as durable
from durable_django.models import StepRun

from ..figures import Figure
from ..sizes import Sizes
from ..workers import worker
from ..workflows import LongLoop
from . import database

PARTS = 10


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Microseconds an iteration in the first tenth and in the last, by the times in the rows."""
    database.empty()
    run = durable.start(LongLoop, {"iterations": sizes.iterations})
    with worker("--burst") as running:
        running.wait()
    run.refresh_from_db()
    rows = StepRun.objects.filter(execution=run, name="count").order_by("id")
    ended = list(rows.values_list("finished_at", flat=True))
    if run.status != "completed" or len(ended) != sizes.iterations:
        raise RuntimeError(f"{run.status}: {len(ended)} iterations of {sizes.iterations}")
    part = sizes.iterations // PARTS
    for name, first, last in (("first", 0, part), ("last", -part - 1, -1)):
        seconds = (ended[last] - ended[first]).total_seconds()
        yield Figure(
            name=f"loop of {sizes.iterations:,}, an iteration of the {name} tenth",
            value=seconds / part * 1e6,
            unit="µs",
        )
