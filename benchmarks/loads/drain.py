"""Drain: how fast workers get through runs that were all enqueued before they began."""

import time
from collections.abc import Iterator

import durable_django as durable
from durable_django import Workflow

from ..figures import Figure
from ..server import ServerCPU
from ..sizes import Sizes
from ..workers import worker
from ..workflows import FiveSteps, OneStep
from . import database


def measure(sizes: Sizes) -> Iterator[Figure]:
    """1-step and 5-step workflows, each by one worker process and by two."""
    for processes in (1, 2):
        yield _drain(OneStep, sizes.drain_one_step, processes)
    for processes in (1, 2):
        yield _drain(FiveSteps, sizes.drain_five_steps, processes)


def _drain(workflow: type[Workflow], runs: int, processes: int) -> Figure:
    steps = len(workflow.definition.nodes)
    database.empty()
    durable.start_many(workflow, [{"n": number} for number in range(runs)])
    server, begin = ServerCPU(), time.perf_counter()
    with worker("--burst", f"--processes={processes}") as running:
        running.wait()
        wall_seconds = time.perf_counter() - begin
        counts = running.counts()
    server_cpu_ms = server.ms_per(runs)
    database.check(runs, steps)
    per_second = runs / database.seconds_from_first_claim_to_last_finish()
    return Figure(
        name=f"drain, {steps} step{'s' * (steps > 1)}, {processes} process{'es' * (processes > 1)}",
        value=per_second,
        unit="runs/s",
        rows_per_second=per_second * steps,
        statements=counts.statements / runs,
        commits=counts.commits / runs,
        worker_cpu_ms=counts.cpu_seconds / runs * 1000,
        server_cpu_ms=server_cpu_ms,
        wall_seconds=wall_seconds,
    )
