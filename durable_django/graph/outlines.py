"""Outlines: the shapes of nodes, frames and tabs, as paths.

A step is a box, a wait a pill, a decision a hexagon, a call a box with two sides, a block a frame
with a head. They fill their tiles, and never reach out of them.
"""

from __future__ import annotations

from typing import Final

from .plan import CALLS, WAITS
from .routes import POINT
from .tiles import Tile

CORNER: Final = 6
SIDE: Final = 6
# How far a tab is indented under its node.
INDENT: Final = 12


def leaf_of(tile: Tile) -> str:
    """The outline of a node that is no block."""
    x, y, width, height = tile.x, tile.y, tile.width, tile.head
    if tile.node.kind == "decision":
        flat, half = width - 2 * POINT, height // 2
        return f"M{x + POINT} {y}h{flat}l{POINT} {half}l-{POINT} {half}h-{flat}l-{POINT} -{half}z"
    if tile.node.kind in WAITS:
        return _pill(x, y, width, height)
    box = _box(x, y, width, height, CORNER)
    if tile.node.kind in CALLS:
        return f"{box}M{x + SIDE} {y}v{height}M{x + width - SIDE} {y}v{height}"
    return box


def frame_of(tile: Tile) -> str:
    """The outline of a block, without its tab."""
    height = tile.height - tile.pile - tile.tab
    return _box(tile.x, tile.y, tile.width - tile.pile, height, CORNER)


def pile_of(tile: Tile) -> str:
    """What is seen of the frames behind the first one of a foreach."""
    height, found = tile.height - tile.pile - tile.tab, []
    for out in (tile.pile // 2, tile.pile):
        x, y = tile.x + out, tile.y + height
        right = tile.x + tile.width - tile.pile
        found.append(
            f"M{x + 2} {y + out}H{right + out - CORNER}"
            f"Q{right + out} {y + out} {right + out} {y + out - CORNER}V{tile.y + out + 2}"
        )
    return "".join(found)


def head_of_frame(tile: Tile) -> str:
    """The head of a block, with round corners above only where there is something below."""
    width, bottom = tile.width - tile.pile, tile.below_head
    if not tile.node.children:
        return _box(tile.x, tile.y, width, tile.head, CORNER)
    return (
        f"M{tile.x} {bottom}V{tile.y + CORNER}q0 -{CORNER} {CORNER} -{CORNER}"
        f"h{width - 2 * CORNER}q{CORNER} 0 {CORNER} {CORNER}V{bottom}z"
    )


def tab_of(tile: Tile) -> str:
    """The tab under a node that names its compensation."""
    y, flat = tile.bottom - tile.pile - tile.tab, tile.width - tile.pile - 2 * (INDENT + CORNER)
    down = tile.tab - CORNER
    return (
        f"M{tile.x + INDENT} {y}v{down}q0 {CORNER} {CORNER} {CORNER}h{flat}"
        f"q{CORNER} 0 {CORNER} -{CORNER}v-{down}"
    )


def _box(x: int, y: int, width: int, height: int, corner: int) -> str:
    wide, tall = width - 2 * corner, height - 2 * corner
    return (
        f"M{x + corner} {y}h{wide}q{corner} 0 {corner} {corner}v{tall}"
        f"q0 {corner} -{corner} {corner}h-{wide}q-{corner} 0 -{corner} -{corner}v-{tall}"
        f"q0 -{corner} {corner} -{corner}z"
    )


def _pill(x: int, y: int, width: int, height: int) -> str:
    half, wide = height // 2, width - height
    end = f"a{half} {half} 0 0 1 0"
    return f"M{x + half} {y}h{wide}{end} {height}h-{wide}{end} -{height}z"
