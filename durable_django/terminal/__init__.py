"""The terminal: what ``manage.py durable …`` can do, a command a module.

Everything an operator can do in the admin can be done here, through the same API and the same
readings, for people and, with ``--json``, for programs. It decides nothing and writes no rows.
"""

from __future__ import annotations

from .cancel import Cancel
from .command import Command
from .listing import List
from .metrics import Metrics
from .pause import Pause
from .queues import Queues
from .resume import Resume
from .retry import Retry
from .start import Start
from .start_many import StartMany
from .workers import Workers

# In the order of the help: what looks, what acts on runs, what is around them.
COMMANDS: tuple[type[Command], ...] = (
    List,
    Start,
    StartMany,
    Cancel,
    Retry,
    Pause,
    Resume,
    Queues,
    Workers,
    Metrics,
)
