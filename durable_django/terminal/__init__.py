"""The terminal: what ``manage.py durable …`` can do, a command a module.

Everything an operator can do in the admin can be done here, through the same API and the same
readings, for people and, with ``--json``, for programs. It decides nothing and writes no rows.
"""

from __future__ import annotations

from .cancel import Cancel
from .command import Command
from .context import ContextCommand
from .doctor import Doctor
from .event import SendEvent
from .graph import GraphCommand
from .input import ProvideInput
from .listing import List
from .metrics import Metrics
from .pause import Pause
from .pending import Pending
from .prune import Prune
from .queues import Queues
from .rerun import Rerun
from .resume import Resume
from .retry import Retry
from .schedules import Schedules
from .show import Show
from .skip import Skip
from .start import Start
from .start_many import StartMany
from .status import Status
from .workers import Workers

# In the order of the help: what looks, what acts on runs, what is around them.
COMMANDS: tuple[type[Command], ...] = (
    Status,
    List,
    Show,
    Pending,
    Start,
    StartMany,
    Cancel,
    Retry,
    Pause,
    Resume,
    Rerun,
    Skip,
    ContextCommand,
    SendEvent,
    ProvideInput,
    GraphCommand,
    Queues,
    Schedules,
    Workers,
    Metrics,
    Prune,
    Doctor,
)
