"""``durable pause``: stops runs before their next node."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from .. import api_pausing
from ..models import Execution
from .on_runs import OnRuns
from .screen import Terminal


class Pause(OnRuns):
    """A node that a worker has in hand ends and is recorded first."""

    name = "pause"
    help = "stop runs before their next node, until they are resumed"
    epilog = """\
manage.py durable pause 01980f --reason "the provider is down"
manage.py durable pause --workflow process_order --status pending --status running --yes
"""
    verb = "pause"
    past = "paused"
    statuses = ("scheduled", "pending", "running", "sleeping", "waiting")

    def act(self, pk: Any, options: Namespace, terminal: Terminal) -> Execution:
        return api_pausing.pause(pk, options.reason, by=terminal.by)

    def words(self, run: Execution) -> str:
        return "paused" if run.status == "paused" else "will be paused when its node has ended"
