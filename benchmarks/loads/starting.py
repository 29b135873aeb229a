"""Start: how many runs one client enqueues a second, one by one in autocommit and all at once."""

import time
from collections.abc import Callable, Iterator

import durable_django as durable

from .. import counting
from ..figures import Figure
from ..server import ServerCPU
from ..sizes import Sizes
from ..workflows import OneStep
from . import database


def measure(sizes: Sizes) -> Iterator[Figure]:
    """``start`` and ``start_many``, with no worker beside them."""
    database.empty()
    durable.start(OneStep, {"n": 0})  # connects, and fills what is cached

    def one_by_one() -> None:
        for number in range(sizes.starts):
            durable.start(OneStep, {"n": number})

    yield _timed("start, one client", sizes.starts, one_by_one)

    inputs = [{"n": number} for number in range(sizes.starts_at_once)]
    yield _timed(
        f"start_many of {len(inputs):,}", len(inputs), lambda: durable.start_many(OneStep, inputs)
    )


def _timed(name: str, runs: int, start: Callable[[], object]) -> Figure:
    server, before, begin = ServerCPU(), counting.read_own(), time.perf_counter()
    start()
    seconds = time.perf_counter() - begin
    server_cpu_ms, counts = server.ms_per(runs), counting.read_own().since(before)
    return Figure(
        name=name,
        value=runs / seconds,
        unit="runs/s",
        rows_per_second=runs / seconds,
        statements=counts.statements / runs,
        commits=counts.commits / runs,
        worker_cpu_ms=counts.cpu_seconds / runs * 1000,
        server_cpu_ms=server_cpu_ms,
        wall_seconds=seconds,
    )
