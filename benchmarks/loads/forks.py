"""Forks: what an item of a foreach costs, beside a run of one step started and drained.

Both do the same work a time: a row is written, claimed, its step made and recorded.
"""

import time
from collections.abc import Iterator

import durable_django as durable
from durable_django.models import Execution, StepRun

from ..figures import Figure
from ..sizes import Sizes
from ..workers import worker
from ..workflows import ForEachItem, ForEachItemHeld, OneStep
from . import database


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Microseconds an item, for growing counts, and as a share of a 1-step run."""
    alone = _run_us(sizes.items[0] * 5)
    yield Figure(name="1-step run, started and drained", value=alone, unit="µs")
    for items in sizes.items:
        for concurrency in (None, 50):
            figure = _foreach(items, concurrency)
            yield figure
            name = f"as a share of a 1-step run, {figure.name}"
            yield Figure(name=name, value=figure.value / alone, unit="x")


def _run_us(runs: int) -> float:
    database.empty()
    begin = time.perf_counter()
    durable.start_many(OneStep, [{"n": number} for number in range(runs)])
    seconds = time.perf_counter() - begin
    with worker("--burst") as running:
        running.wait()
    database.check(runs, 1)
    return (seconds + database.seconds_from_first_claim_to_last_finish()) / runs * 1e6


def _foreach(items: int, concurrency: int | None) -> Figure:
    database.empty()
    run = durable.start(ForEachItemHeld if concurrency else ForEachItem, {"items": items})
    with worker("--burst") as running:
        running.wait()
        counts = running.counts()
    run.refresh_from_db()
    done = StepRun.objects.filter(status="completed", name="do").count()
    if run.status != "completed" or done != items or len(run.result) != items:
        raise RuntimeError(f"{run.status}: {done} of {items} items, {run.error}")
    strands = Execution.objects.filter(kind="strand", status="completed").count()
    assert strands == items
    assert run.started_at is not None
    assert run.finished_at is not None
    seconds = (run.finished_at - run.started_at).total_seconds()
    held = f", concurrency {concurrency}" if concurrency else ""
    return Figure(
        name=f"foreach of {items:,}{held}, an item",
        value=seconds / items * 1e6,
        unit="µs",
        statements=counts.statements / items,
        commits=counts.commits / items,
        worker_cpu_ms=counts.cpu_seconds / items * 1000,
    )
