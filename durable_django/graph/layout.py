"""Layout: a plan with its places: tiles inside of tiles, and the arrows between them.

Deterministic, and without a run: what a run did changes the look of a graph, never its form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .plan import PlanNode
from .routes import Route, routes_of
from .tiles import GAP, Flow, Tile, flow_of

MARGIN: Final = 14
# Of the signs for the beginning and the end.
RADIUS: Final = 9
BEGIN, END = "^", "$"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where everything lies, in pixels: ``begin`` and ``end`` are the centres of their signs."""

    flow: Flow
    routes: tuple[Route, ...]
    width: int
    height: int
    begin: tuple[int, int]
    end: tuple[int, int]

    def tiles(self) -> Iterator[Tile]:
        """All tiles, each before those inside it."""
        for tile in self.flow.tiles:
            yield from tile.walk()


def layout_of(plan: tuple[PlanNode, ...]) -> Layout:
    """The places of all nodes of a plan."""
    flow = flow_of(plan)
    flow.place(MARGIN, MARGIN + 2 * RADIUS + GAP)
    width, height = flow.width + 2 * MARGIN, flow.y + flow.height + GAP + 2 * RADIUS + MARGIN
    tiles = flow.tiles
    first = tiles[0].middle if tiles else width // 2
    last = tiles[-1] if tiles else None
    begin = (first, MARGIN + RADIUS)
    end = (last.middle, last.bottom + GAP + RADIUS) if last else (first, height - MARGIN - RADIUS)
    return Layout(flow, tuple(_routes(flow, begin, end)), width, height, begin, end)


def _routes(flow: Flow, begin: tuple[int, int], end: tuple[int, int]) -> Iterator[Route]:
    yield from routes_of(flow)
    tiles = flow.tiles
    if tiles:
        first, last = tiles[0], tiles[-1]
        below = (begin[0], begin[1] + RADIUS)
        yield Route(BEGIN, first.node.key, "next", (below, (first.middle, first.y)))
        above = (end[0], end[1] - RADIUS)
        yield Route(last.node.key, END, "next", ((last.middle, last.bottom), above))
