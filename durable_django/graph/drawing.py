"""Drawing: a layout and the states of a run, made into lines, texts and classes for a template.

All numbers are texts, since templates would write them as a reader's language does. It chooses no
colours: those belong to the style sheet, or to `standalone`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.utils.translation import ngettext, pgettext

from . import words
from .fitting import NAME_LETTER, WORD_LETTER, fitted, plain, whole_parts
from .layout import RADIUS, Layout, layout_of
from .looks import KINDS, LOOKS, MARKS, OTHER_KIND, UNDONE, UNKNOWN, Look
from .outlines import frame_of, head_of_frame, leaf_of, pile_of, tab_of
from .plan import PlanNode, plan_of, walk
from .routes import head_of, path_of
from .states import NodeState, States
from .tiles import HEAD_MARGIN, Tile
from .traces import is_taken

Link = Callable[[str], str]
BAR_HEIGHT: Final = 4


class Bar(NamedTuple):
    """A part of the bar in the head of a foreach: so many of its members have that status."""

    x: str
    y: str
    width: str
    tone: str


class Sign(NamedTuple):
    """A shape of 16 by 16 at a place."""

    place: str
    path: str
    tone: str


class Line(NamedTuple):
    """A text that begins at a place; ``kind`` is "name", "says" or "tab"."""

    x: str
    y: str
    text: str
    kind: str


@dataclass(frozen=True)
class DrawnFrame:
    """The frame of a block, behind all that is inside it."""

    classes: str
    outline: str
    pile: str
    tone: str
    is_dim: bool


@dataclass(frozen=True)
class DrawnNode:
    """A node, or the head of a block: ``title`` says all of it, ``address`` is where it leads."""

    name: str
    classes: str
    address: str
    title: str
    outline: str
    tab: str
    tone: str
    tab_tone: str
    is_dim: bool
    signs: tuple[Sign, ...]
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class DrawnEdge:
    """An arrow: its line and its head."""

    classes: str
    path: str
    head: str
    is_taken: bool
    is_dim: bool


@dataclass(frozen=True)
class Graph:
    """A drawing of a workflow: ``{% include "durable_django/graph.html" with graph=graph only %}``.

    ``says`` is its text alternative in one sentence. ``begin`` and ``end`` are the centres of the
    signs where a run begins and ends. ``is_partial``: there are more members than were counted.
    """

    width: str
    height: str
    says: str
    frames: tuple[DrawnFrame, ...]
    edges: tuple[DrawnEdge, ...]
    nodes: tuple[DrawnNode, ...]
    begin: tuple[str, str]
    end: tuple[str, str]
    radius: str
    is_live: bool
    is_partial: bool
    has_ended: bool


def graph_of(
    structure: Any,
    states: States | None = None,
    link: Link | None = None,
    marks: Mapping[str, str] | None = None,
) -> Graph:
    """The drawing of a stored structure.

    ``states``: where a run stands (`read_states`). ``link`` gives the address a node leads to, ""
    for none. ``marks`` says for nodes, by name, how they differ from another version: "added",
    "removed", "moved", "changed". It raises for nothing that a structure may hold.

    Example::

        graph_of(row.structure, read_states(run), lambda name: f"?tab=steps&node={name}")
    """
    plan = plan_of(structure)
    layout = layout_of(plan)
    pen = _Pen(states, link, marks or {})
    tiles = list(layout.tiles())
    many = sum(node.kind != "case" for node in walk(plan))
    return Graph(
        width=str(layout.width),
        height=str(layout.height),
        says=ngettext("Graph of %(n)s node", "Graph of %(n)s nodes", many)
        % {"n": words.number(many)},
        frames=tuple(pen.frame(tile) for tile in tiles if not tile.is_leaf),
        edges=tuple(pen.edges(layout)),
        nodes=tuple(pen.node(tile) for tile in tiles),
        begin=(str(layout.begin[0]), str(layout.begin[1])),
        end=(str(layout.end[0]), str(layout.end[1])),
        radius=str(RADIUS),
        is_live=pen.is_live,
        is_partial=states is not None and states.is_partial,
        has_ended=states is not None and states.status == "completed",
    )


class _Pen:
    """Draws tiles for one run, or for none."""

    def __init__(self, states: States | None, link: Link | None, marks: Mapping[str, str]) -> None:
        self.states = states if states is not None and states.has_begun else None
        self.link = link
        self.marks = marks

    @property
    def is_live(self) -> bool:
        return self.states is not None

    def state(self, node: PlanNode) -> NodeState | None:
        """Its state; None where there is nothing to tell of any node."""
        if self.states is None:
            return None
        return self.states.nodes.get(node.key) or NodeState()

    def frame(self, tile: Tile) -> DrawnFrame:
        state, look = self.state(tile.node), self.look(tile.node)
        is_dim = state is not None and not state.status
        return DrawnFrame(
            classes=self._classes("frame", tile.node, look, is_dim),
            outline=frame_of(tile),
            pile=pile_of(tile) if tile.pile else "",
            tone=look.tone if look else "plain",
            is_dim=is_dim,
        )

    def node(self, tile: Tile) -> DrawnNode:
        node, state, look = tile.node, self.state(tile.node), self.look(tile.node)
        is_dim = state is not None and not state.status
        is_case = node.kind == "case"
        undone = LOOKS.get(state.undone) if state and state.undone else None
        return DrawnNode(
            name=node.name,
            classes=self._classes("node", node, look, is_dim),
            address=self.link(node.name) if self.link is not None and not is_case else "",
            title=words.title(node, state, self.marks.get(node.key, "")),
            outline=leaf_of(tile) if tile.is_leaf else head_of_frame(tile),
            tab=tab_of(tile) if tile.tab else "",
            tone=look.tone if look else "plain",
            tab_tone=undone.tone if undone else "plain",
            is_dim=is_dim,
            signs=tuple(self._signs(tile, look, undone)),
            lines=tuple(self._lines(tile, state)),
            bars=tuple(_bars(tile, state.counts)) if state and not tile.is_leaf else (),
        )

    def look(self, node: PlanNode) -> Look | None:
        """The look of a node's mark or status; None where it has none."""
        if node.key in self.marks:
            return MARKS.get(self.marks[node.key], UNKNOWN)
        state = self.state(node)
        if state is None or not state.status:
            return None
        return LOOKS.get(state.status, UNKNOWN)

    def _classes(self, part: str, node: PlanNode, look: Look | None, is_dim: bool) -> str:
        found = [f"durable-graph-{part}", f"durable-tone-{look.tone if look else 'plain'}"]
        if is_dim:
            found.append("durable-graph-dim")
        if (state := self.state(node)) is not None and state.here:
            found.append("durable-graph-here")
        if node.key in self.marks:
            found.append(f"durable-graph-{self.marks[node.key]}")
        if node.kind in ("case", "sequence"):
            found.append("durable-graph-light")
        return " ".join(found)

    def _signs(self, tile: Tile, look: Look | None, undone: Look | None) -> list[Sign]:
        node, signs = tile.node, []
        middle = tile.y + tile.head // 2
        if node.kind != "case":
            path = KINDS.get(node.kind, OTHER_KIND)
            signs.append(Sign(f"translate({tile.x + 14} {middle - 8})", path, "kind"))
        if look is not None:
            right = tile.right - tile.pile - 30
            signs.append(Sign(f"translate({right} {middle - 8})", look.path, look.tone))
        if tile.tab:
            place = f"translate({tile.x + 22} {_tab_y(tile) + 4}) scale(0.8)"
            signs.append(Sign(place, UNDONE, "kind"))
            if undone is not None:
                right = tile.right - tile.pile - 36
                place = f"translate({right} {_tab_y(tile) + 4}) scale(0.8)"
                signs.append(Sign(place, undone.path, undone.tone))
        return signs

    def _lines(self, tile: Tile, state: NodeState | None) -> list[Line]:
        node = tile.node
        room = tile.width - tile.pile
        if node.kind == "case":
            label = fitted(plain(node.name), room - 48, NAME_LETTER, keeps_end=True)
            return [Line(str(tile.x + 14), str(tile.y + 19), label, "name")]
        x, room = str(tile.x + 38), room - HEAD_MARGIN
        name = fitted(plain(node.name), room, NAME_LETTER, keeps_end=True)
        says = whole_parts(plain(self._says(node, state)), room + 8, WORD_LETTER)
        lines = [
            Line(x, str(tile.y + 21), name, "name"),
            Line(x, str(tile.y + 37), says, "says"),
        ]
        if tile.tab:
            text = fitted(plain(node.undone_by), room - 6, WORD_LETTER * 1.15, keeps_end=True)
            lines.append(Line(str(tile.x + 42), str(_tab_y(tile) + 15), text, "tab"))
        return lines

    def _says(self, node: PlanNode, state: NodeState | None) -> str:
        if node.key in self.marks:
            return f"{words.mark_word(self.marks[node.key])} · {words.declared(node)}"
        if state is not None and state.status:
            return words.happened(node, state)
        if state is not None and self.states is not None and self.states.is_final:
            return pgettext("node", "not reached")
        return words.declared(node)

    def edges(self, layout: Layout) -> list[DrawnEdge]:
        """Those that were taken last, so that they lie above the others."""
        drawn = []
        for route in layout.routes:
            taken = self.states is not None and is_taken(route, self.states)
            is_dim = self.states is not None and not taken
            state = "durable-graph-taken" if taken else "durable-graph-dim" if is_dim else ""
            classes = f"durable-graph-edge durable-graph-{route.kind} {state}".strip()
            path, head = path_of(route.points), head_of(route.points)
            drawn.append(DrawnEdge(classes, path, head, taken, is_dim))
        return sorted(drawn, key=lambda edge: edge.is_taken)


def _tab_y(tile: Tile) -> int:
    return tile.bottom - tile.pile - tile.tab


def _bars(tile: Tile, counts: Mapping[str, int]) -> list[Bar]:
    """How the members of a foreach stand, as parts of a bar at the foot of its head."""
    every = sum(counts.values())
    if not every:
        return []
    left, whole = float(tile.x + 1), tile.width - tile.pile - 2
    found, y = [], str(tile.below_head - BAR_HEIGHT)
    ordered = ["completed", *words.ORDER, *counts]
    for status in dict.fromkeys(ordered):
        if counts.get(status):
            # What there is must be seen, however few they are.
            wide = max(whole * counts[status] / every, 3.0)
            wide = min(wide, tile.x + 1 + whole - left)
            tone = LOOKS.get(status, UNKNOWN).tone
            found.append(Bar(f"{left:.1f}", y, f"{wide:.1f}", tone))
            left += wide
    return found
