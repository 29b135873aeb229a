"""Places: where the nodes of a plan stand in each other, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.paths import JOIN
from .plan import PlanNode


class Places:
    """The nodes of a plan with the blocks and cases around them."""

    def __init__(self, plan: tuple[PlanNode, ...]) -> None:
        self.plan = plan
        self._by_name: dict[str, PlanNode] = {}
        self._chains: dict[str, tuple[PlanNode, ...]] = {}
        self._add(plan, ())

    def _add(self, nodes: Sequence[PlanNode], around: tuple[PlanNode, ...]) -> None:
        for node in nodes:
            self._chains[node.key] = (*around, node)
            if node.kind != "case":
                self._by_name.setdefault(node.name, node)
            self._add(node.children, (*around, node))

    def owner(self, node: PlanNode) -> PlanNode | None:
        """The block, or the case, that a node stands in; None at the top."""
        chain = self._chains[node.key]
        return chain[-2] if len(chain) > 1 else None

    def is_in_foreach(self, node: PlanNode) -> bool:
        """Whether it runs once for each of several items."""
        return any(block.kind == "foreach" for block in self._chains[node.key][:-1])

    def first(self) -> str:
        """The node a run begins with."""
        return self._entered(self.plan[0]) if self.plan else ""

    def begin(self, place: str) -> str:
        """The node where a member is that stands at a place: what it enters there first."""
        node = self._by_name.get(place.removesuffix(JOIN))
        if node is None or place.endswith(JOIN):
            return place.removesuffix(JOIN)
        if node.kind == "foreach" and node.children:  # the place of an item that has not begun
            return self._entered(node.children[0])
        return self._entered(node)

    def _entered(self, node: PlanNode) -> str:
        """What a run comes to first in a node: blocks that ask nothing lead on at once."""
        asks_nothing = node.kind == "sequence" or (
            node.kind == "loop" and not node.options.get("while")
        )
        if asks_nothing and node.children:
            return self._entered(node.children[0])
        return node.name

    def way(self, start: str, end: str) -> tuple[str, str] | None:
        """The arrow that leads from one node to another: between the two that stand beside each
        other, each the node itself or the block it is in. None for a way into a block."""
        if start not in self._by_name or end not in self._by_name:
            return None
        ours = self._chains[self._by_name[start].key]
        theirs = self._chains[self._by_name[end].key]
        for mine, other in zip(ours, theirs, strict=False):
            if mine is not other:
                return mine.key, other.key
        if len(ours) > len(theirs):  # back to the loop around it
            return ours[len(theirs)].key, theirs[-1].key
        return None
