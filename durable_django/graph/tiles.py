"""Tiles: how large each node is, and where in its frame it lies.

A block's children form a flow, one below the other, or rows, side by side; what is too long goes
on in another column, what is too wide in another row. Positions are relative until `place` is
called. The same structure gives the same tiles, whatever a run did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from .fitting import NAME_LETTER, WORD_LETTER, width_of
from .lanes import Jump, jumps_of
from .plan import SIDE_BY_SIDE, PlanNode

LEAF_WIDTH_MIN, LEAF_WIDTH_MAX = 220, 256
HEAD_HEIGHT, CASE_HEIGHT = 48, 28
# What a head holds beside its text: the signs of its kind and of its status.
HEAD_MARGIN: Final = 74
TAB_HEIGHT: Final = 22
GAP: Final = 28
SIDE_GAP: Final = 22
PADDING: Final = 16
LANE: Final = 18
# A foreach is drawn as a pile.
PILE: Final = 6
ROW_WIDTH_MAX: Final = 1_240
COLUMN_HEIGHT_MAX: Final = 1_700
COLUMN_GAP: Final = 44


@dataclass(eq=False)
class Tile:
    """A node with its place: ``x``, ``y``, ``width`` and ``height``, in pixels, of all that belongs
    to it; ``head`` is the height of the part that tells of it, ``tab`` of the one that names its
    compensation, below it."""

    node: PlanNode
    width: int
    height: int
    head: int
    tab: int = 0
    pile: int = 0
    inside: Flow | Rows | None = None
    x: int = 0
    y: int = 0

    @property
    def middle(self) -> int:
        """Where arrows come in from above and go out below."""
        return self.x + (self.width - self.pile) // 2

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def below_head(self) -> int:
        return self.y + self.head

    @property
    def is_leaf(self) -> bool:
        return not self.node.is_block

    def place(self, x: int, y: int) -> None:
        """Puts it and all that is inside it where it is drawn."""
        self.x, self.y = x, y
        if self.inside is not None:
            spare = self.width - self.pile - self.inside.width
            self.inside.place(x + spare // 2, self.below_head + GAP)

    def walk(self) -> Iterator[Tile]:
        """It and all tiles inside it, from the outermost in."""
        yield self
        if self.inside is not None:
            for tile in self.inside.tiles:
                yield from tile.walk()


@dataclass(eq=False)
class Flow:
    """Tiles one below the other, in one column or several, with the lanes of jumps beside them.

    ``left`` and ``right`` are the widths of the lanes; ``turns`` that the last leads back to the
    head of the loop it is in."""

    columns: list[list[Tile]]
    jumps: list[Jump] = field(default_factory=list)
    turns: bool = False
    width: int = 0
    height: int = 0
    left: int = 0
    right: int = 0
    x: int = 0
    y: int = 0

    @property
    def tiles(self) -> list[Tile]:
        return [tile for column in self.columns for tile in column]

    def place(self, x: int, y: int) -> None:
        self.x, self.y = x, y
        x += self.left
        for column in self.columns:
            wide, top = _widest(column), y
            for tile in column:
                tile.place(x + (wide - tile.width + tile.pile) // 2, top)
                top += tile.height + GAP
            x += wide + COLUMN_GAP


@dataclass(eq=False)
class Rows:
    """Tiles side by side; where there are several rows, a lane leads down to them."""

    rows: list[list[Tile]]
    width: int = 0
    height: int = 0
    left: int = 0
    x: int = 0
    y: int = 0

    @property
    def tiles(self) -> list[Tile]:
        return [tile for row in self.rows for tile in row]

    def place(self, x: int, y: int) -> None:
        self.x, self.y = x, y
        for row in self.rows:
            left = x + self.left + (0 if self.left else (self.width - _length(row)) // 2)
            for tile in row:
                tile.place(left, y)
                left += tile.width + SIDE_GAP
            y += max(tile.height for tile in row) + GAP


def flow_of(nodes: Sequence[PlanNode], *, turns: bool = False) -> Flow:
    """The nodes of a sequence, measured. ``turns``: they are a loop's."""
    tiles = [_tile(node) for node in nodes]
    leaves = [tile for tile in tiles if tile.is_leaf]
    for leaf in leaves:  # those that stand below each other are equally wide
        leaf.width = max(other.width for other in leaves)
    jumps, lefts, rights = jumps_of(nodes)
    columns = [tiles] if jumps or turns else _columns(tiles)
    # As much room at either side, so that the column stands in the middle of its frame.
    side = max(lefts + turns, rights) * LANE
    flow = Flow(columns, jumps, turns, left=side, right=side)
    inner = sum(_widest(column) + COLUMN_GAP for column in columns) - COLUMN_GAP
    flow.width = flow.left + max(inner, 0) + flow.right
    flow.height = max((_depth(column) for column in columns), default=0) + (GAP // 2) * turns
    return flow


def _tile(node: PlanNode) -> Tile:
    head = CASE_HEIGHT if node.kind == "case" else HEAD_HEIGHT
    tab = TAB_HEIGHT if node.undone_by else 0
    width = width_of(node.name, NAME_LETTER) + HEAD_MARGIN
    if tab:
        width = max(width, width_of(node.undone_by, WORD_LETTER * 1.15) + HEAD_MARGIN)
    # Even, as all other lengths are, so that what stands in the middle does so to the pixel.
    width = min(max(width + width % 2, LEAF_WIDTH_MIN), LEAF_WIDTH_MAX)
    if not node.is_block:
        return Tile(node, width, head + tab, head, tab)
    inside: Flow | Rows
    if node.kind in SIDE_BY_SIDE:
        inside = _rows([_tile(child) for child in node.children])
    else:
        inside = flow_of(node.children, turns=node.kind == "loop")
    pile = PILE if node.kind == "foreach" else 0
    tall = GAP + inside.height + PADDING if node.children else 0
    width = max(width, inside.width + 2 * PADDING) + pile
    return Tile(node, width, head + tall + tab + pile, head, tab, pile, inside)


def _rows(tiles: list[Tile]) -> Rows:
    rows: list[list[Tile]] = []
    for tile in tiles:
        if rows and _length([*rows[-1], tile]) <= ROW_WIDTH_MAX:
            rows[-1].append(tile)
        else:
            rows.append([tile])
    left = LANE if len(rows) > 1 else 0
    width = left + max(map(_length, rows), default=0)
    return Rows(rows, width, sum(max(t.height for t in row) + GAP for row in rows) - GAP, left)


def _columns(tiles: list[Tile]) -> list[list[Tile]]:
    """The tiles in as few columns as it takes, equally long as far as that goes; in no more than
    can be seen side by side."""
    room = max((ROW_WIDTH_MAX + COLUMN_GAP) // (_widest(tiles) + COLUMN_GAP), 1)
    number = min(ceil(_depth(tiles) / COLUMN_HEIGHT_MAX), room)
    most = max(_depth(tiles) / max(number, 1), *(tile.height for tile in tiles), 0, 0)
    columns: list[list[Tile]] = [[]]
    for tile in tiles:
        if len(columns) < number and columns[-1] and _depth([*columns[-1], tile]) > most:
            columns.append([])
        columns[-1].append(tile)
    return columns


def _depth(column: Sequence[Tile]) -> int:
    return sum(tile.height + GAP for tile in column) - GAP if column else 0


def _length(row: Sequence[Tile]) -> int:
    return sum(tile.width + SIDE_GAP for tile in row) - SIDE_GAP if row else 0


def _widest(column: Sequence[Tile]) -> int:
    """Its width with the piles in it, which reach out at one side, in the middle."""
    return max((tile.width + tile.pile for tile in column), default=0)
