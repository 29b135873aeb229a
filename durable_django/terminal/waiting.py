"""Waiting for the end of a run that was started here. It reads, and holds no transaction."""

from __future__ import annotations

import time
from typing import Final

from .. import api
from ..models import Execution

PAUSE_FIRST: Final = 0.05
PAUSE_LAST: Final = 1.0


def ended(run: Execution) -> Execution:
    """The run when it has ended, however long that takes."""
    pause = PAUSE_FIRST
    while True:
        found = api.get_execution(run.pk)
        if found.is_final:
            return found
        time.sleep(pause)
        pause = min(pause * 1.5, PAUSE_LAST)
