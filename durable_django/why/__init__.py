"""Why a run is where it is, and what makes it move: the answers as sentences in the reader's
language, with the verb that helps. Shared by the admin and the terminal. It writes nothing.

``read_facts`` asks the database, ``reasons`` judges what it found and asks nobody.

>>> for reason in why(execution):  # doctest: +SKIP
...     print(reason.text)
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .facts import Facts, Reason
from .reading import read_facts
from .reasons import reasons

if TYPE_CHECKING:
    from ..models import Execution

__all__ = ["Facts", "Reason", "read_facts", "reasons", "why"]


def why(execution: Execution, *, now: datetime | None = None) -> list[Reason]:
    """Why ``execution``, a run or a strand, is where it is: what weighs most first. Empty where
    there is nothing to explain: it is completed. At most five queries.

    ``now`` is the database's time, asked for when it is not given.
    """
    return reasons(read_facts(execution, now=now))
