"""Lanes: where the arrows of jumps run, beside the column of nodes they skip.

Forward jumps run at the right, backward ones at the left. What one decision sends to one side
shares a lane; jumps that would run over each other take different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .plan import PlanNode


class Jump(NamedTuple):
    """The jumps of the decision at ``start`` to the nodes at ``ends``, all on one side: places in
    their sequence. ``lane`` counts from the column outwards."""

    start: int
    ends: tuple[int, ...]
    is_back: bool
    lane: int

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last place it passes."""
        return min(self.start, *self.ends), max(self.start, *self.ends)

    def meets(self, other: Jump) -> bool:
        """Whether both pass a place."""
        (first, last), (begin, end) = self.span, other.span
        return first <= end and begin <= last


def jumps_of(nodes: Sequence[PlanNode]) -> tuple[list[Jump], int, int]:
    """The jumps within a sequence, and how many lanes they take at its left and its right.

    A jump to the neighbour is the arrow to it that is there anyway.
    """
    places = {node.name: place for place, node in reversed([*enumerate(nodes)])}
    found: list[Jump] = []
    for is_back in (True, False):
        wanted = []
        for start, node in enumerate(nodes):
            ends = {places[name] for name in node.targets if name in places}
            chosen = [end for end in ends if (end <= start if is_back else end > start + 1)]
            if chosen:
                wanted.append((start, tuple(sorted(chosen))))
        found += _in_lanes(wanted, is_back)
    lanes = [{jump.lane for jump in found if jump.is_back is side} for side in (True, False)]
    return found, len(lanes[0]), len(lanes[1])


def _in_lanes(wanted: list[tuple[int, tuple[int, ...]]], is_back: bool) -> list[Jump]:
    """The short ones next to the column, so that they are crossed by few."""
    spans = sorted(wanted, key=lambda jump: (_span(jump)[1] - _span(jump)[0], jump))
    lanes: list[list[tuple[int, int]]] = []
    found = []
    for jump in spans:
        first, last = _span(jump)
        free = (n for n, lane in enumerate(lanes) if all(b < first or last < a for a, b in lane))
        number = next(free, len(lanes))
        if number == len(lanes):
            lanes.append([])
        lanes[number].append((first, last))
        found.append(Jump(jump[0], jump[1], is_back, number))
    return found


def _span(jump: tuple[int, tuple[int, ...]]) -> tuple[int, int]:
    start, ends = jump
    return min(start, *ends), max(start, *ends)
