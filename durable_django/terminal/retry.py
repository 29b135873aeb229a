"""``durable retry``: lets failed and cancelled runs go on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from .. import api_repair
from ..models import Execution
from .chosen import Chosen
from .command import WRONG_USAGE, Refused
from .on_runs import OnRuns
from .screen import Terminal


class Retry(OnRuns):
    """What had completed is not run again."""

    name = "retry"
    help = "let failed or cancelled runs go on from the node they stopped at, with fresh attempts"
    epilog = """\
manage.py durable retry 01980f
manage.py durable retry 01980f --node charge_payment --reason "renamed by a deploy"
manage.py durable retry --workflow process_order --status failed --dry-run
"""
    verb = "retry"
    past = "retried"
    statuses = ("failed", "cancelled")
    usual = ("failed",)  # what people cancelled, they meant to

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--node", metavar="NAME", help="go on at this node instead")
        parser.add_argument(
            "--forget-waits",
            action="store_true",
            help="the body it stopped in finds nothing of what its waits gave",
        )

    def check(self, options: Namespace, runs: Sequence[Chosen]) -> None:
        kinds = {(run.workflow_name, run.version) for run in runs}
        if options.node is not None and len(kinds) > 1:
            raise Refused("--node is for runs of one workflow and version", WRONG_USAGE)

    def act(self, pk: Any, options: Namespace, terminal: Terminal) -> Execution:
        return api_repair.retry(
            pk,
            node=options.node,
            forget_waits=options.forget_waits,
            reason=options.reason,
            by=terminal.by,
        )

    def words(self, run: Execution) -> str:
        return f"goes on, {run.status}"
