"""Latency: from `start` to the end of a 3-step run, one at a time, on a worker that is idle.

Two clocks. The client's: from before `start` until a query sees the run finished, asking every
0.2 ms. The rows': `finished_at - created_at`, without the insert before and the commit after.
"""

import time
from collections.abc import Callable, Iterator
from uuid import UUID

from django.db import connection

import durable_django as durable
from durable_django.models import Execution

from ..figures import Figure
from ..sizes import Sizes
from ..workers import WorkerProcess, idle_worker
from ..workflows import ThreeSteps
from . import database

ASK_SECONDS = 0.0002
# Long enough for the worker to have gone back to sleep.
PAUSE_SECONDS = 0.02
RUN_SECONDS_MAX = 30
WARM_UP = 10


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Percentiles 50 and 95, by both clocks."""
    database.empty()
    with idle_worker() as running:
        for _ in range(WARM_UP):
            _run_once(running)
        before = running.counts()
        seen_ms = sorted(_run_once(running) for _ in range(sizes.latency))
        counts = running.counts().since(before)
    database.check(sizes.latency + WARM_UP, 3)
    rows = Execution.objects.order_by("id").values_list("created_at", "finished_at")[WARM_UP:]
    rows_ms = sorted((end - begin).total_seconds() * 1000 for begin, end in rows if end)
    for percent in (50, 95):
        yield Figure(
            name=f"latency, 3 steps, p{percent}",
            value=percentile(seen_ms, percent),
            unit="ms",
            statements=counts.statements / sizes.latency,
            commits=counts.commits / sizes.latency,
            worker_cpu_ms=counts.cpu_seconds / sizes.latency * 1000,
        )
    for percent in (50, 95):
        name = f"latency, 3 steps, p{percent}, by the rows' times"
        yield Figure(name=name, value=percentile(rows_ms, percent), unit="ms")


def percentile(ordered: list[float], percent: int) -> float:
    """The value that ``percent`` of the ordered ones do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _run_once(running: WorkerProcess) -> float:
    return milliseconds_to_the_end(running, lambda: durable.start(ThreeSteps, {"n": 1}).pk)


def milliseconds_to_the_end(running: WorkerProcess, begin: Callable[[], UUID]) -> float:
    """From before ``begin``, which gives the id of a run, until a query sees that it has ended."""
    time.sleep(PAUSE_SECONDS)
    started = time.perf_counter()
    pk = begin()
    while not _is_finished(pk):
        if time.perf_counter() - started > RUN_SECONDS_MAX:
            running.check()
            raise RuntimeError(f"run {pk} did not end in {RUN_SECONDS_MAX} seconds")
        time.sleep(ASK_SECONDS)
    return (time.perf_counter() - started) * 1000


def _is_finished(pk: UUID) -> bool:
    with connection.cursor() as cursor:
        param = pk if connection.features.has_native_uuid_field else pk.hex
        cursor.execute(
            f'SELECT finished_at IS NOT NULL FROM "{Execution._meta.db_table}" WHERE id = %s',
            [param],
        )
        return bool(cursor.fetchone()[0])
