"""``durable list``: runs, the newest first, a page at a time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from ..models import ExecutionStatus
from .. import api
from .command import DONE, Command, at_least
from .screen import Column, Terminal

SHOWN: Final = 20
COLUMNS: Final = (
    Column("ID", fixed=True),
    Column("WORKFLOW"),
    Column("STATUS"),
    Column("CREATED"),
    Column("QUEUE", rank=1),
)


class List(Command):
    """Runs, the newest first."""

    name = "list"
    help = "runs, the newest first"
    epilog = """\
manage.py durable list --status failed
manage.py durable list --workflow process_order --limit 100 --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workflow", metavar="NAME", help="only runs of this workflow")
        parser.add_argument(
            "--status",
            action="append",
            choices=ExecutionStatus.values,
            metavar="STATUS",
            help=f"only runs with this status, or several: {', '.join(ExecutionStatus.values)}",
        )
        parser.add_argument("--limit", type=at_least(1), default=SHOWN, metavar="N")

    def run(self, terminal: Terminal, options: Namespace) -> int:
        runs = api.list_executions(
            workflow=options.workflow, status=options.status, limit=options.limit
        )
        rows = list(runs)
        terminal.emit([{"id": run.pk, "status": run.status} for run in rows])
        terminal.table(
            COLUMNS,
            [
                (str(run.pk), run.workflow_name, terminal.status(run.status), run.created_at, run.queue)
                for run in rows
            ],
        )
        return DONE
