"""Racing: which of several waits of a race was over first, where workers look late.

They take up what came due in the order of its times. But two of them may take up two members of one
race at the same moment, and events are delivered before what is due is woken: the quicker, or the
one that was delivered, would win.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.db.models import Q

from ..conf import settings
from ..models import Execution, ExecutionStatus
from . import clock
from .records import Checkpoint

# For so long the earlier one is waited for: whoever has it may be dead, or its queue paused.
YIELDING: Final = timedelta(seconds=1)


def is_overtaken(checkpoint: Checkpoint) -> bool:
    """Whether a wait that has won its race was over after another of its waits, which is about to
    be woken or driven. Not for longer than ``YIELDING`` after its end."""
    end, step = checkpoint.end, checkpoint.step
    if end is None or not end.beside or step is None or step.finished_at is None:
        return False
    if clock.at(time.monotonic()) - step.finished_at > YIELDING:
        return False
    rows = Execution.objects.using(settings.DATABASE)
    own = rows.filter(pk=checkpoint.execution_id).values("ready_at")
    woken = Q(status__in=(ExecutionStatus.PENDING, ExecutionStatus.RUNNING), ready_at__lt=own)
    due = Q(status__in=(ExecutionStatus.SLEEPING, ExecutionStatus.WAITING), due_at__lt=own)
    beside = rows.filter(parent_id=end.parent_id, path__in=end.beside)
    return beside.filter(woken | due).exists()
