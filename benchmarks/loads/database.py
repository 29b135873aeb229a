"""What the loads ask the database: an empty one, counters, and whether all runs are right.

It reads the engine's tables; it writes none but to empty them.
"""

from datetime import datetime
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.models import Max, Min

from durable_django.models import Execution, StepRun

from ..workers import server_cpu_seconds


class ServerCounters:
    """What the database server did since this was made."""

    def __init__(self) -> None:
        self._commits, self._cpu = _commits(), server_cpu_seconds()

    def commits(self) -> int | None:
        """Transactions of this database, those that only read too; None on SQLite."""
        now = _commits()
        return None if now is None or self._commits is None else now - self._commits

    def cpu_seconds(self) -> float | None:
        """CPU time of the server's processes; None where they cannot be seen."""
        now = server_cpu_seconds()
        return None if now is None or self._cpu is None else now - self._cpu


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


def _commits() -> int | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname=current_database()")
        return int(cursor.fetchone()[0])
