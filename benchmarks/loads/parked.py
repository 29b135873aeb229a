"""Parked: what runs that wait cost those that do not, and how soon they go on.

A third sleeps, a third waits for an event, a third for a person's answer. Beside them fresh runs
are drained, and an event is sent to one run after another; then sleepers of one moment wake.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import connection
from django.utils import timezone

import durable_django as durable
from durable_django.models import Execution

from ..figures import Figure
from ..sizes import Sizes
from ..workers import idle_worker, worker
from ..workflows import OneStep, SleepsUntil, WaitsForEvent, WaitsForInput
from . import database
from .latency import milliseconds_to_the_end, percentile

AT_ONCE = 10_000
SETTLE_SECONDS = 3.0
# Until the moment at which sleepers are due that have to be parked before.
AHEAD_SECONDS = 2.0
FAR = timedelta(days=365)
LOOK_SECONDS = 0.25


def measure(sizes: Sizes) -> Iterator[Figure]:
    """The rate of fresh runs without and beside parked ones, and what waking takes."""
    database.empty()
    empty = _drain(sizes.drain_one_step)
    yield Figure(name="drain, 1 step, nothing parked", value=empty, unit="runs/s")
    database.empty()
    yield _memory("nothing parked")
    yield _park(sizes.parked)
    _clean()
    beside = _drain(sizes.drain_one_step)
    yield Figure(name="drain, 1 step, beside what is parked", value=beside, unit="runs/s")
    yield Figure(name="as a share of the rate without", value=beside / empty, unit="x")
    yield _memory(f"beside {sizes.parked:,} parked")
    yield from _events(sizes.latency)
    yield _wake(sizes.sleepers)


def _park(count: int) -> Figure:
    third = count // 3
    far = timezone.now() + FAR
    for begin in range(0, third, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, third))
        durable.start_many(SleepsUntil, [{"at": far} for _ in numbers])
        durable.start_many(WaitsForEvent, [{"key": f"k{number}"} for number in numbers])
        durable.start_many(WaitsForInput, [{"n": number} for number in numbers])
    begin_at = time.perf_counter()
    with worker("--burst") as running:
        running.wait()
    seconds = time.perf_counter() - begin_at
    parked = Execution.objects.filter(status__in=("sleeping", "waiting")).count()
    if parked != third * 3:
        raise RuntimeError(f"{parked} of {third * 3} runs are parked")
    return Figure(name=f"parking {parked:,} runs", value=parked / seconds, unit="runs/s")


def _clean() -> None:
    """What autovacuum does within a minute: the marks of a hundred thousand claims are in the index
    still, as they would be had the runs completed."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def _drain(runs: int) -> float:
    """Runs a second; those that are drained are taken away again."""
    first = Execution.objects.order_by("-id").values_list("id", flat=True).first()
    durable.start_many(OneStep, [{"n": number} for number in range(runs)])
    with worker("--burst") as running:
        running.wait()
    rows = Execution.objects.filter(workflow_name=OneStep.definition.name, status="completed")
    if first is not None:
        rows = rows.filter(id__gt=first)
    if rows.count() != runs:
        raise RuntimeError(f"{rows.count()} of {runs} runs completed")
    span = rows.order_by("started_at").values_list("started_at", flat=True)[0]
    last = rows.order_by("-finished_at").values_list("finished_at", flat=True)[0]
    assert span is not None
    assert last is not None
    return runs / (last - span).total_seconds()


def _memory(what: str) -> Figure:
    with idle_worker() as running:
        time.sleep(SETTLE_SECONDS)
        megabytes = running.resident_bytes() / 2**20
    return Figure(name=f"memory, {what}", value=megabytes, unit="MiB")


def _events(count: int) -> Iterator[Figure]:
    """From `send_event` to the end of the run, one at a time, on a worker that is idle."""
    waiting = Execution.objects.filter(
        workflow_name=WaitsForEvent.definition.name, status="waiting"
    )
    ids = list(waiting.order_by("id").values_list("id", flat=True)[:count])
    with idle_worker() as running:
        time.sleep(SETTLE_SECONDS)
        taken_ms = sorted(milliseconds_to_the_end(running, partial(_send, pk)) for pk in ids)
    for percent in (50, 95):
        yield Figure(
            name=f"event to the end of its run, p{percent}",
            value=percentile(taken_ms, percent),
            unit="ms",
        )


def _send(pk: UUID) -> UUID:
    durable.send_event(pk, "payment", {"amount": 12})
    return pk


def _wake(count: int) -> Figure:
    """From the moment at which so many sleepers are due to the end of the last."""
    at = timezone.now() + timedelta(seconds=AHEAD_SECONDS + count / 500)
    ids = durable.start_many(SleepsUntil, [{"at": at} for _ in range(count)])
    with idle_worker() as running:
        rows = Execution.objects.filter(id__gte=ids[0], id__lte=ids[-1])
        while rows.filter(status="sleeping").count() < count:
            running.check()
            if timezone.now() > at:
                raise RuntimeError(f"{count} runs could not be parked before they are due")
            time.sleep(LOOK_SECONDS)
        while rows.filter(finished_at__isnull=True).exists():
            running.check()
            time.sleep(LOOK_SECONDS)
    last = rows.order_by("-finished_at").values_list("finished_at", flat=True)[0]
    assert last is not None
    return Figure(name=f"waking {count:,} sleepers", value=(last - at).total_seconds(), unit="s")
