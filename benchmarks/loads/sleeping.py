"""Sleeping: steps that wait 10 ms each on 8 threads, which without an engine are 800 a second."""

import time
from collections.abc import Iterator

import durable_django as durable

from ..figures import Figure
from ..sizes import Sizes
from ..workers import worker
from ..workflows import SLEEP_SECONDS, Sleeping
from . import database

THREADS = 8


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Steps a second, from the first claim to the last finish."""
    runs, steps = sizes.sleeping, len(Sleeping.definition.nodes)
    database.empty()
    durable.start_many(Sleeping, [{"n": number} for number in range(runs)])
    begin = time.perf_counter()
    with worker("--burst", f"--threads={THREADS}") as running:
        running.wait()
        counts = running.counts()
    wall_seconds = time.perf_counter() - begin
    database.check(runs, steps)
    ideal = THREADS / SLEEP_SECONDS
    yield Figure(
        name=f"steps of 10 ms on {THREADS} threads (ideal {ideal:,.0f})",
        value=runs * steps / database.seconds_from_first_claim_to_last_finish(),
        unit="steps/s",
        statements=counts.statements / runs,
        commits=counts.commits / runs,
        worker_cpu_ms=counts.cpu_seconds / runs * 1000,
        wall_seconds=wall_seconds,
    )
