"""Clusters: how fast a cluster of Django-Q2 gets through what threads get through by themselves."""

import time
from collections.abc import Iterator
from typing import Any

from django.db import connection

import durable_django as durable
from durable_django.models import Execution

from .. import clusters
from ..figures import Figure
from ..sizes import Sizes
from ..workers import DRAIN_SECONDS_MAX, idle_worker
from ..workflows import FiveSteps
from . import database

PROCESSES = (1, 2, 4)


def measure(sizes: Sizes) -> Iterator[Figure]:
    """5-step runs, by one worker with threads, then by clusters of 1, 2 and 4 processes: the
    database as the broker, and Redis."""
    database.empty()
    with idle_worker():
        yield _figure("threads", sizes.carried)
    for name, broker in (("ORM", {"orm": "default"}), ("Redis", None)):
        if broker is not None:
            yield from _by(name, sizes.carried, broker)
        else:
            with clusters.redis() as url:
                yield from _by(name, sizes.carried, {"redis": url})


def _by(name: str, runs: int, broker: dict[str, Any]) -> Iterator[Figure]:
    for processes in PROCESSES:
        environment = clusters.told(processes, broker)
        clusters.migrate(environment)
        database.empty()
        _empty_broker()
        with clusters.cluster(processes, environment):
            of = f"{processes} process{'es' * (processes > 1)}"
            yield _figure(f"django_q over {name}, {of}", runs)


def _figure(name: str, runs: int) -> Figure:
    begin = time.perf_counter()
    durable.start_many(FiveSteps, [{"n": number} for number in range(runs)])
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while Execution.objects.filter(status="completed").count() < runs:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name}: not all runs ended")
        time.sleep(0.05)
    wall_seconds = time.perf_counter() - begin
    database.check(runs, 5)
    per_second = runs / database.seconds_from_first_claim_to_last_finish()
    return Figure(
        name=f"carried, 5 steps, {name}",
        value=per_second,
        unit="runs/s",
        rows_per_second=per_second * 5,
        wall_seconds=wall_seconds,
    )


def _empty_broker() -> None:
    """What is left of the messages of a measurement before."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_q_ormq")
