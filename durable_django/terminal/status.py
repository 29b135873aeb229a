"""``durable status``: workers, queues, runs by status, what ended in the last hour; for a monitor,
with ``--check``, whether all is well. It reads figures only, whose cost does not grow with runs.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from rich.text import Text

from .. import figures
from ..conf import settings
from ..executors.clusters import cluster_of
from ..figures import counts
from ..models import PendingInput
from ..showing.spoken import length
from ..showing.visible import visible
from ..store import clock
from .command import DONE, REFUSED, WRONG_USAGE, Command, Refused, at_least
from .given import duration_of
from .known import check_queue
from .screen import Cell, Column, Terminal

AGE_MAX: Final = "5m"
DEPTH_MAX: Final = 5_000
COLUMNS: Final = (
    Column("QUEUE"),
    Column("WAITING", right=True),
    Column("OLDEST", right=True),
    Column("RUNNING", right=True),
    Column("LIMIT", right=True, rank=2),
    Column("WORKERS", right=True),
    Column("THREADS", right=True, rank=1),
    Column("STATE"),
)


class Problem(NamedTuple):
    """Something that ``--check`` does not let pass; ``code`` is for programs."""

    code: str
    text: str
    queue: str | None = None


@dataclass(frozen=True)
class Figures:
    """All that is told."""

    now: datetime
    fleet: figures.Fleet
    runs: dict[str, figures.Capped]
    overdue: figures.Capped
    inputs: figures.Capped
    hour: figures.Throughput


class Status(Command):
    """How everything is."""

    name = "status"
    help = "show workers, queues and runs; with --check, fail if something is wrong"
    epilog = """\
manage.py durable status
manage.py durable status --check --max-age 10m --max-depth 500
manage.py durable status --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="end with 1 if no worker is alive, or a queue is too old, too deep or unserved",
        )
        parser.add_argument(
            "--max-age",
            default=AGE_MAX,
            metavar="DURATION",
            help="how long the oldest of a queue may be ready without being claimed (default: 5m)",
        )
        parser.add_argument(
            "--max-depth",
            type=at_least(0),
            default=DEPTH_MAX,
            metavar="N",
            help=f"how much may wait in a queue (default: {DEPTH_MAX})",
        )
        parser.add_argument(
            "--queue", action="append", default=[], metavar="NAME", help="check only this queue"
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Tells it; with ``--check`` what is wrong as well."""
        age = duration_of(options.max_age, "--max-age")
        if options.max_depth >= counts.COUNTED_MAX:
            most = counts.COUNTED_MAX - 1
            raise Refused(f"--max-depth is at most {most}: more is not counted", WRONG_USAGE)
        found = _read()
        for name in sorted(set(options.queue) - {queue.name for queue in found.fleet.queues}):
            check_queue(name)  # one that nobody has would be well for ever
        problems = list(problems_of(found, age, options.max_depth, options.queue))
        wrong = [problem for problem in problems if options.check]
        terminal.emit({**_document(found), "problems": [each._asdict() for each in problems]})
        if not terminal.json:
            _draw(terminal, found)
            for problem in problems:
                terminal.say(Text.assemble(("! ", "bold red"), visible(problem.text)))
            if options.check and not wrong:
                terminal.say("All is well.", "green")
        return REFUSED if wrong else DONE


def problems_of(found: Figures, age: timedelta, depth: int, queues: list[str]) -> Iterator[Problem]:
    """What is wrong. A paused queue may be as old and as deep as it likes: somebody wants that."""
    if not found.fleet.alive:
        yield Problem("no_worker", "No worker is alive. Start one: manage.py durable_worker")
    elif not found.fleet.is_kept:
        text = "Only processes of clusters are alive, and nothing that comes due is woken."
        yield Problem("no_sweeper", f"{text} Start manage.py durable_worker")
    for queue in found.fleet.queues:
        if queue.paused_at is not None or (queues and queue.name not in queues):
            continue
        if found.fleet.alive and queue.is_unserved:
            text = f"Queue {queue.name}: {_missing(queue.name)}, and {queue.waiting} wait in it."
            yield Problem("unserved", text, queue.name)
        oldest = found.now - queue.oldest_at if queue.oldest_at else timedelta(0)
        if oldest > age:
            is_long = length(oldest.total_seconds())
            text = f"Queue {queue.name}: the oldest has been ready for {is_long}."
            yield Problem("too_old", text, queue.name)
        if queue.waiting.number > depth:
            text = f"Queue {queue.name}: {queue.waiting} wait in it, more than {depth}."
            yield Problem("too_deep", text, queue.name)


def _missing(queue: str) -> str:
    cluster = cluster_of(queue)
    return f"no process of cluster {cluster.name} serves it" if cluster else "no worker serves it"


def _read() -> Figures:
    now = clock.now()
    runs = figures.all_runs()
    wanted: dict[str, Any] = {
        **counts.statuses(runs),
        "overdue": counts.overdue(runs, now),
        "inputs": PendingInput.objects.using(settings.DATABASE)
        .order_by()
        .select_related(None)
        .defer(None),
    }
    counted = figures.count_capped(wanted)
    return Figures(
        now=now,
        fleet=figures.fleet(now),
        runs=figures.count_statuses(counted),
        overdue=counted["overdue"],
        inputs=counted["inputs"],
        hour=figures.throughput(figures.PERIODS["hour"], now=now),
    )


def _draw(terminal: Terminal, found: Figures) -> None:
    alive = found.fleet.alive
    silent = len(found.fleet.workers) - alive
    threads = sum(each.threads for each in found.fleet.workers if not each.is_overdue)
    workers = [f"{alive} alive" + (f" with {threads} threads" if threads else "")]
    if silent:
        workers.append(f"{silent} overdue")
    _fact(terminal, "Workers", ", ".join(workers))
    shown = [
        Text.assemble(f"{number} ", terminal.status(status))
        for status, number in found.runs.items()
        if number.number
    ]
    _fact(terminal, "Runs", Text(", ").join(shown) if shown else "none")
    hour = found.hour
    ended = f"{hour.completed} completed, {hour.failed} failed, {hour.cancelled} cancelled"
    _fact(terminal, "Last hour", ended)
    if found.inputs.number:
        _fact(terminal, "Inputs", f"{found.inputs} pending (manage.py durable pending)")
    if found.overdue.number:
        _fact(terminal, "Overdue", f"{found.overdue} should have gone on, and nobody woke them")
    if found.fleet.queues:
        terminal.say()
        terminal.table(
            COLUMNS, [_cells(terminal, queue, found.now) for queue in found.fleet.queues]
        )


def _fact(terminal: Terminal, name: str, what: str | Text) -> None:
    terminal.say(Text.assemble((f"{name:<10} ", "bold"), what))


def _cells(terminal: Terminal, queue: figures.QueueFigures, now: datetime) -> list[Cell]:
    state: Cell = "open"
    if queue.paused_at is not None:
        state = terminal.status("paused")
    elif queue.is_unserved:
        state = Text("no worker", style="bold red")
    oldest = (now - queue.oldest_at).total_seconds() if queue.oldest_at else None
    return [
        queue.name,
        str(queue.waiting),
        terminal.length(oldest),
        queue.running,
        queue.limit,
        queue.workers,
        queue.threads,
        state,
    ]


def _document(found: Figures) -> dict[str, Any]:
    return {
        "workers": {
            "alive": found.fleet.alive,
            "overdue": len(found.fleet.workers) - found.fleet.alive,
            "threads": sum(w.threads for w in found.fleet.workers if not w.is_overdue),
        },
        "runs": {status: _capped(number) for status, number in found.runs.items()},
        "overdue": _capped(found.overdue),
        "pending_inputs": _capped(found.inputs),
        "last_hour": {
            "completed": found.hour.completed,
            "failed": found.hour.failed,
            "cancelled": found.hour.cancelled,
        },
        "queues": [
            {
                "name": queue.name,
                "waiting": _capped(queue.waiting),
                "oldest_at": queue.oldest_at,
                "running": queue.running,
                "limit": queue.limit,
                "paused_at": queue.paused_at,
                "workers": queue.workers,
                "threads": queue.threads,
                "is_unserved": queue.is_unserved,
            }
            for queue in found.fleet.queues
        ],
    }


def _capped(number: figures.Capped) -> dict[str, Any]:
    """``more``: there are at least so many."""
    return {"number": number.number, "more": number.more}
