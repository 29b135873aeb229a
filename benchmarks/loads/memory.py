"""Memory: whether a worker grows with the runs that it has served."""

import time
from collections.abc import Iterator

import durable_django as durable
from durable_django.models import Execution

from ..figures import Figure
from ..sizes import Sizes
from ..workers import WorkerProcess, idle_worker
from ..workflows import OneStep
from . import database

LOOK_SECONDS = 0.1
MARKS_PERCENT = (10, 50, 100)
ENQUEUE_AT_ONCE = 10_000


def measure(sizes: Sizes) -> Iterator[Figure]:
    """The worker's memory after 10%, 50% and 100% of the runs."""
    runs = sizes.memory
    database.empty()
    for begin in range(0, runs, ENQUEUE_AT_ONCE):
        count = min(ENQUEUE_AT_ONCE, runs - begin)
        durable.start_many(OneStep, [{"n": begin + number} for number in range(count)])
    with idle_worker() as running:
        for percent in MARKS_PERCENT:
            _wait_until_left(running, runs - runs * percent // 100)
            yield Figure(
                name=f"memory after {runs * percent // 100:,} runs",
                value=running.resident_bytes() / 2**20,
                unit="MiB",
            )
    database.check(runs, 1)


def _wait_until_left(running: WorkerProcess, left: int) -> None:
    """Until at most so many have not ended; the worker commits the next wave meanwhile."""
    while Execution.objects.filter(status__in=("pending", "running")).count() > left:
        running.check()
        time.sleep(LOOK_SECONDS)
