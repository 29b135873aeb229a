"""The actions, in the order in which their buttons stand.

One instance of each; they keep nothing.
"""

from __future__ import annotations

from typing import Final

from .action import Action
from .editing import EditContext
from .ending import Cancel
from .pausing import Pause, Resume
from .rerunning import Rerun
from .retrying import Retry
from .sending import SendEvent
from .skipping import Skip

_EVERY: Final[tuple[Action, ...]] = (
    Retry(),
    Skip(),
    Rerun(),
    EditContext(),
    SendEvent(),
    Resume(),
    Pause(),
    Cancel(),
)
ACTIONS: Final[dict[str, Action]] = {action.verb: action for action in _EVERY}
# Those that can be done to many runs at once.
BULK: Final = tuple(ACTIONS[verb] for verb in ("cancel", "retry", "pause", "resume"))
