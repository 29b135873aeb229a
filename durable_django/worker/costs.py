"""What steps cost: how long each node takes on average, and which are too slow for the wave."""

from __future__ import annotations

from ..definition.node import Node
from .waiting import WAITS

# A node that takes longer than this on average runs apart from the wave.
SLOW_SECONDS = 0.001
STANDSTILL_SECONDS = 0.005
# How much the last duration counts in a node's average.
WEIGHT = 0.2


class Costs:
    """``step_seconds`` is the average over all steps, None before the first."""

    def __init__(self) -> None:
        self._by_node: dict[object, float] = {}
        self.step_seconds: float | None = None

    def measure(self, node: object, seconds: float) -> None:
        """Remembers how long a node took, and steps in general."""
        before = self._by_node.get(node)
        self._by_node[node] = seconds if before is None else before + WEIGHT * (seconds - before)
        average = self.step_seconds
        self.step_seconds = (
            seconds if average is None else average + WEIGHT / 4 * (seconds - average)
        )

    def seems_slow(self, node: object) -> None:
        """A node that holds the leader at this moment: no other run shall try it in the wave."""
        self._by_node[node] = max(self._by_node.get(node, 0.0), STANDSTILL_SECONDS)

    def is_slow(self, node: Node) -> bool:
        """Whether the node is served apart from the wave. One that only waits never is."""
        # race: earlier-but-apart. Two members of a race that came due are concluded in that order;
        # one that is served apart would be overtaken.
        return self._by_node.get(node, 0.0) > SLOW_SECONDS and node.kind not in WAITS
