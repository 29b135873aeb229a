"""States: what one run did at each node, as a graph shows it.

Values only. How they follow from rows stands in `judging`; who reads the rows is `reading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeState:
    """Where a node stands in one run.

    ``status``     as badges know it; "" while the run has not been there
    ``visits``     how often the run came here, and ``attempts`` how often it was tried
    ``seconds``    how long its attempts took together, without those that still run
    ``counts``     of a foreach: how many of its members have each status; of a node that runs at
                   several places at once: in how many it stands how
    ``iterations`` of a loop: those that began
    ``taken``      of a branch the case that was taken last, of a race the member that won, of a
                   decision the node it jumped to
    ``here``       at how many places the run is now; 0 if it is not here
    ``undone``     the status of its compensation, "" while that has not run
    """

    status: str = ""
    visits: int = 0
    attempts: int = 0
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    iterations: int = 0
    taken: str = ""
    here: int = 0
    undone: str = ""


@dataclass(frozen=True)
class States:
    """Where one run stands.

    ``nodes``  the states by name; a node that is missing was not reached
    ``ways``   the arrows the run took, as (start, end): names, of a case its key
    ``status`` of the run; ``is_final`` that nothing will happen any more
    ``is_partial`` there are more members than are counted
    """

    status: str = ""
    is_final: bool = False
    is_partial: bool = False
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    ways: frozenset[tuple[str, str]] = frozenset()

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.nodes)
