"""``durable cancel``: ends runs, with or without undoing what they did."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from .. import api
from ..models import Execution
from .on_runs import OnRuns
from .screen import Terminal


class Cancel(OnRuns):
    """Nothing of a run is recorded or begun any more when it returns."""

    name = "cancel"
    help = "end runs; with --compensate what they completed is undone first"
    epilog = """\
manage.py durable cancel 01980f --reason "ordered twice"
manage.py durable cancel 01980f 01981a --compensate
manage.py durable cancel --workflow process_order --status waiting --dry-run
"""
    verb = "cancel"
    past = "cancelled"
    statuses = ("scheduled", "pending", "running", "sleeping", "waiting", "paused")

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--compensate", action="store_true", help="undo first what the run completed"
        )

    def act(self, pk: Any, options: Namespace, terminal: Terminal) -> Execution:
        return api.cancel(pk, options.reason, options.compensate, by=terminal.by)

    def words(self, run: Execution) -> str:
        return "cancelled" if run.status == "cancelled" else run.status
