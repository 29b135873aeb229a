"""``durable workers``: who runs workflows, and whether they still say so. Read-only."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Any, Final

from django.db.models import Count

from ..conf import settings
from ..executors.executor import Threads
from ..figures.fleet import silence_max
from ..models import Execution, Worker, WorkerStatus
from ..store import clock
from .command import DONE, Command, at_least
from .known import check_filters
from .screen import Cell, Column, Terminal

LISTED_MAX: Final = 1_000


class Workers(Command):
    """Those that are alive; with ``--all`` also those that have stopped or died."""

    name = "workers"
    help = "list the workers: their queues, what they hold, and when they were last heard of"
    epilog = """\
manage.py durable workers
manage.py durable workers --all --limit 20 --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="also those that stopped or died")
        parser.add_argument("--queue", metavar="NAME", help="only those that serve it")
        parser.add_argument(
            "--limit", type=at_least(1), default=100, metavar="N", help="the newest N"
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """The newest first."""
        rows = Worker.objects.using(settings.DATABASE).order_by("-id")
        if not options.all:
            rows = rows.filter(status=WorkerStatus.ALIVE)
        found = [
            row for row in rows[:LISTED_MAX] if options.queue is None or options.queue in row.queues
        ][: options.limit]
        if not found:
            check_filters(queue=options.queue)
        held, now = _held(found), clock.now()
        if terminal.json:
            terminal.emit({"workers": [_told(row, held[row.pk], now) for row in found]})
        elif found:
            _draw(terminal, found, held, now)
        else:
            serving = "" if options.queue is None else f" that serves {options.queue}"
            which = (
                f"There is no worker{serving}" if options.all else f"No worker{serving} is alive"
            )
            terminal.say(f"{which}. Start one: manage.py durable_worker")
        return DONE


def _held(workers: list[Worker]) -> dict[Any, int]:
    """How much each of them holds."""
    rows = Execution.objects.using(settings.DATABASE).order_by()
    rows = rows.filter(worker__isnull=False, worker_id__in=[worker.pk for worker in workers])
    found = dict(rows.values_list("worker_id").annotate(n=Count("id")))
    return {worker.pk: found.get(worker.pk, 0) for worker in workers}


def _state(worker: Worker, now: datetime) -> str:
    """Its status; ``overdue`` for one that is alive and silent for longer than a lease."""
    is_silent = now - worker.heartbeat_at > silence_max()
    return "overdue" if worker.status == WorkerStatus.ALIVE and is_silent else str(worker.status)


def _told(worker: Worker, held: int, now: datetime) -> dict[str, Any]:
    return {
        "id": str(worker.pk),
        "hostname": worker.hostname,
        "pid": worker.pid,
        "status": str(worker.status),
        "is_overdue": _state(worker, now) == "overdue",
        "queues": list(worker.queues),
        "workflows": list(worker.workflows),
        "threads": worker.threads,
        "held": held,
        "executor": worker.executor,
        "cluster": worker.cluster,
        "package_version": worker.package_version,
        "started_at": worker.started_at,
        "heartbeat_at": worker.heartbeat_at,
        "stopped_at": worker.stopped_at,
    }


def _draw(terminal: Terminal, found: list[Worker], held: dict[Any, int], now: datetime) -> None:
    columns = [
        Column("WORKER", fixed=True),
        Column("STATE", fixed=True),
        Column("QUEUES", folds=True),
        Column("HOLDS", right=True),
        Column("THREADS", right=True, rank=1),
        Column("HEARD OF", rank=1),
        Column("STARTED", rank=2),
        Column("VERSION", rank=3),
    ]
    rows: list[list[Cell]] = [
        [
            str(worker),
            terminal.status(_state(worker, now)),
            ", ".join(worker.queues),
            f"{held[worker.pk]:,}",
            f"{worker.threads:,}" if worker.threads else None,
            terminal.moment(worker.heartbeat_at),
            terminal.moment(worker.started_at),
            worker.package_version,
        ]
        for worker in found
    ]
    # Where all are the same nobody need read of it.
    if any(worker.executor != Threads.name for worker in found):
        columns.insert(3, Column("EXECUTOR", rank=1))
        for row, worker in zip(rows, found, strict=True):
            row.insert(3, f"{worker.executor} {worker.cluster}".rstrip())
    terminal.table(columns, rows)
