"""What the loads ask the database: to be empty, how long it took, and whether all runs are right.

It reads the engine's tables; it writes none but to empty them.
"""

from datetime import datetime
from typing import Any

from django.core.management import call_command
from django.db.models import Max, Min

from durable_django.models import Execution, StepRun


def empty() -> None:
    """As after the first migrate."""
    call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)


def check(runs: int, steps: int) -> None:
    """RuntimeError unless exactly these runs completed and each step ran once."""
    done = Execution.objects.filter(status="completed").count()
    rows = StepRun.objects.filter(status="completed").count()
    if (done, rows) != (runs, runs * steps):
        raise RuntimeError(f"{done} runs of {runs} and {rows} steps of {runs * steps} completed")


def seconds_from_first_claim_to_last_finish() -> float:
    """By the times in the rows, which are the database's."""
    span: dict[str, Any] = Execution.objects.aggregate(
        first=Min("started_at"), last=Max("finished_at")
    )
    first, last = span["first"], span["last"]
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return (last - first).total_seconds()
