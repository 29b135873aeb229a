"""Waiting for the end of a run that was started here. It reads, and holds no transaction."""

from __future__ import annotations

import time
from typing import Final

from .. import api
from ..models import Execution
from .screen import Terminal

PAUSE_FIRST: Final = 0.05
PAUSE_LAST: Final = 1.0


def ended(terminal: Terminal, run: Execution) -> Execution:
    """The run when it has ended, however long that takes. Who stops waiting is told which it is."""
    pause = PAUSE_FIRST
    try:
        while True:
            found = api.get_execution(run.pk)
            if found.is_final:
                return found
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSE_LAST)
    except KeyboardInterrupt:
        terminal.warn(f"{run.pk} goes on")
        raise
