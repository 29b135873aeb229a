"""``durable resume``: lets paused runs go on."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from .. import api_pausing
from ..models import Execution
from .on_runs import OnRuns
from .screen import Terminal


class Resume(OnRuns):
    """What came due meanwhile happens at once."""

    name = "resume"
    help = "let paused runs go on where they stopped"
    epilog = """\
manage.py durable resume 01980f
manage.py durable resume --workflow process_order --status paused --yes
"""
    verb = "resume"
    past = "resumed"
    statuses = ("paused",)

    def act(self, pk: Any, options: Namespace, terminal: Terminal) -> Execution:
        return api_pausing.resume(pk, options.reason, by=terminal.by)

    def words(self, run: Execution) -> str:
        return f"goes on, {run.status}"
