"""Slow: whether a step of one second delays the runs beside it.

Fast 3-step runs are started every 5 ms. What is looked for is the longest time in which one of them
stood still: from its start to its first step, from the end of a step to the start of the next (its
checkpoint lies between), or from the end of the last to the end of the run.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import durable_django as durable
from durable_django.models import Execution, StepRun

from ..figures import Figure
from ..sizes import Sizes
from ..workers import idle_worker
from ..workflows import SLOW_SECONDS, Slow, ThreeSteps
from . import database

EVERY_SECONDS = 0.005
WARM_UP_SECONDS = 0.5
FAST_SECONDS = SLOW_SECONDS + 0.2
END_SECONDS_MAX = 30


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Alone, then beside a step of which the worker cannot know that it is slow, then of which it
    can."""
    database.empty()
    with idle_worker():
        _fast_runs(WARM_UP_SECONDS)
        for beside in ("alone", "beside a first slow step", "beside a second"):
            begin = datetime_of_next_run()
            if beside != "alone":
                durable.start(Slow, {"n": 0}, priority=1)
            _fast_runs(FAST_SECONDS)
            yield Figure(
                name=f"longest standstill of a fast run, {beside}",
                value=_longest_standstill_ms(begin),
                unit="ms",
            )


def datetime_of_next_run() -> datetime:
    """The time of a run started now, by the same clock."""
    return durable.start(ThreeSteps, {"n": 0}).created_at


def _fast_runs(seconds: float) -> None:
    """Starts fast runs and waits until all runs have ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        durable.start(ThreeSteps, {"n": 1})
        time.sleep(EVERY_SECONDS)
    deadline = time.monotonic() + END_SECONDS_MAX
    while Execution.objects.filter(finished_at__isnull=True).exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a run did not end in {END_SECONDS_MAX} seconds")
        time.sleep(0.01)


def _longest_standstill_ms(begin: datetime) -> float:
    runs = Execution.objects.filter(workflow_name=ThreeSteps.definition.name, created_at__gte=begin)
    span = {pk: (created, finished) for pk, created, finished in runs.values_list(*_SPAN)}
    steps = StepRun.objects.filter(execution__in=runs).order_by("execution_id", "seq")
    longest = 0.0
    for pk, rows in groupby(
        steps.values_list("execution_id", "started_at", "finished_at"), itemgetter(0)
    ):
        created, finished = span[pk]
        stood_since = created
        for _, started, ended in rows:
            longest = max(longest, (started - stood_since).total_seconds())
            stood_since = ended or started
        if finished is not None:
            longest = max(longest, (finished - stood_since).total_seconds())
    return longest * 1000


_SPAN = ("id", "created_at", "finished_at")
