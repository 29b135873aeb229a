"""Routes: the arrows between tiles that have their places, as corners to go round.

They follow from how tiles lie; the list of edges in a structure says the same, but an old one may
lack it. Each begins at the border of one tile and ends at that of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from .lanes import Jump
from .tiles import COLUMN_GAP, GAP, LANE, Flow, Rows, Tile

Point = tuple[int, int]
RADIUS: Final = 7
# How far above the middle of a head jumps arrive, so that they miss those that leave there.
ARRIVES_ABOVE: Final = 12


class Route(NamedTuple):
    """An arrow from ``start`` to ``end``, keys of nodes: "next", "enter", "back" or "jump"."""

    start: str
    end: str
    kind: str
    points: tuple[Point, ...]


def routes_of(flow: Flow, owner: Tile | None = None) -> Iterator[Route]:
    """All arrows within a flow and what is inside it; ``owner`` is the frame it lies in."""
    tiles = flow.tiles
    if owner is not None and tiles:
        yield _enter(owner, tiles[0], tiles[0].y - GAP // 2)
        if flow.turns:
            yield _turn(flow, tiles[-1], owner)
    for column in flow.columns:
        for above, below in pairwise(column):
            yield _route(above, below, "next", (above.middle, above.bottom), _into(below))
    for left, right in pairwise(flow.columns):
        yield _to_next_column(left, right)
    yield from _jumps(flow, tiles)
    for tile in tiles:
        yield from _inside(tile)


def _inside(tile: Tile) -> Iterator[Route]:
    if isinstance(tile.inside, Flow):
        yield from routes_of(tile.inside, tile)
    elif tile.inside is not None:
        yield from _enter_rows(tile, tile.inside)
        for member in tile.inside.tiles:
            yield from _inside(member)


def _enter(owner: Tile, first: Tile, level: int) -> Route:
    start = (owner.middle, owner.below_head)
    return _route(
        owner, first, "enter", start, (start[0], level), (first.middle, level), _into(first)
    )


def _enter_rows(owner: Tile, rows: Rows) -> Iterator[Route]:
    lane = rows.x + LANE // 2
    for number, row in enumerate(rows.rows):
        level = row[0].y - GAP // 2
        for tile in row:
            if number == 0:
                yield _enter(owner, tile, level)
                continue
            down = (lane, owner.below_head)
            yield _route(
                owner, tile, "enter", down, (lane, level), (tile.middle, level), _into(tile)
            )


def _turn(flow: Flow, last: Tile, loop: Tile) -> Route:
    """From a loop's last node back to its head, at the outermost left."""
    lane, level = flow.x + LANE // 2, last.bottom + GAP // 2
    start, end = (last.middle, last.bottom), (lane, loop.below_head)
    return _route(last, loop, "back", start, (start[0], level), (lane, level), end)


def _to_next_column(left: list[Tile], right: list[Tile]) -> Route:
    last, first = left[-1], right[0]
    between = max(tile.right for tile in left) + COLUMN_GAP // 2
    start, level = (last.middle, last.bottom), last.bottom + GAP // 3
    above = first.y - GAP // 2
    corners = ((start[0], level), (between, level), (between, above), (first.middle, above))
    return _route(last, first, "next", start, *corners, _into(first))


def _jumps(flow: Flow, tiles: list[Tile]) -> Iterator[Route]:
    lanes: list[tuple[Jump, int]] = []
    for jump in sorted(flow.jumps, key=lambda jump: jump.lane):
        lane = _lane(jump, tiles, lanes)
        lanes.append((jump, lane))
        start = tiles[jump.start]
        leaves = start.y + start.head // 2
        first = (start.x if jump.is_back else start.right - start.pile, leaves)
        for number in jump.ends:
            end = tiles[number]
            arrives = end.y + end.head // 2 - ARRIVES_ABOVE
            inward = slant(end, arrives)
            side = end.x + inward if jump.is_back else end.right - end.pile - inward
            corners = ((lane, leaves), (lane, arrives))
            yield _route(start, end, "jump", first, *corners, (side, arrives))


def _lane(jump: Jump, tiles: list[Tile], lanes: list[tuple[Jump, int]]) -> int:
    """Where a jump runs: as near to what it passes as that and the nearer lanes let it."""
    first, last = jump.span
    passed = tiles[first : last + 1]
    beside = [lane for other, lane in lanes if other.is_back == jump.is_back and other.meets(jump)]
    if jump.is_back:
        return min([min(tile.x for tile in passed) + LANE // 2, *beside]) - LANE
    return max([max(tile.right for tile in passed) - LANE // 2, *beside]) + LANE


# How far the points of a decision reach out.
POINT: Final = 14


def slant(tile: Tile, y: int) -> int:
    """How far inside its tile the border of a node is at the height ``y``."""
    if tile.node.kind != "decision" or not tile.is_leaf:
        return 0
    half = tile.head / 2
    return round(POINT * abs(y - tile.y - half) / half)


def _into(tile: Tile) -> Point:
    return tile.middle, tile.y


def _route(start: Tile, end: Tile, kind: str, *points: Point) -> Route:
    kept = [points[0]]
    for point in points[1:]:
        if point != kept[-1]:
            kept.append(point)
    return Route(start.node.key, end.node.key, kind, tuple(kept))


def path_of(points: tuple[Point, ...]) -> str:
    """The path of an SVG along these corners, which are rounded."""
    parts = [f"M{points[0][0]} {points[0][1]}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _toward(corner, before), _toward(corner, after)
        parts.append(f"L{near[0]} {near[1]}Q{corner[0]} {corner[1]} {far[0]} {far[1]}")
    parts.append(f"L{points[-1][0]} {points[-1][1]}")
    return "".join(parts)


def head_of(points: tuple[Point, ...]) -> str:
    """The path of an arrow's head at the end of these corners."""
    (x, y), (end_x, end_y) = points[-2], points[-1]
    if end_x != x:
        side = -7 if end_x > x else 7
        return f"M{end_x} {end_y}l{side} -4v8z"
    side = -7 if end_y > y else 7
    return f"M{end_x} {end_y}l-4 {side}h8z"


def _toward(corner: Point, other: Point) -> Point:
    across, down = other[0] - corner[0], other[1] - corner[1]
    far = min(RADIUS, max(abs(across), abs(down)) // 2)
    return (
        corner[0] + (far if across > 0 else -far if across else 0),
        corner[1] + (far if down > 0 else -far if down else 0),
    )
