"""Standalone: a graph as an SVG with colours of its own, for a file or a terminal.

The same drawing as in the admin, whose style sheet is not there: what it says with classes is said
with attributes here. The background is light.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.template.loader import render_to_string

from .drawing import DrawnEdge, DrawnFrame, DrawnNode, Graph

INK, QUIET, LINE, LINK, ERROR = "#222222", "#5f6368", "#c4c8cc", "#2a6f97", "#ba2121"
MONOSPACED: Final = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"
PLAIN: Final = "system-ui, Segoe UI, DejaVu Sans, sans-serif"


class Paint(NamedTuple):
    """The colours of a shape."""

    fill: str
    stroke: str


PAINTS: Final = {
    "good": Paint("#e2f6e4", "#8fbf96"),
    "bad": Paint("#fdeaea", ERROR),
    "wait": Paint("#fff6d6", "#d3b55b"),
    "busy": Paint("#ffffff", LINK),
    "quiet": Paint("#ececec", LINE),
    "calm": Paint("#f5f6f7", LINE),
    "plain": Paint("#f7f8f9", LINE),
    "kind": Paint("none", QUIET),
}
BARS: Final = {"good": LINK, "bad": ERROR, "wait": "#d3b55b", "busy": "#6aa6c8", "quiet": QUIET}
_DIM: Final = Paint("#ffffff", LINE)


def svg_text(graph: Graph) -> str:
    """The graph as the text of an SVG that stands alone.

    Example::

        Path("order.svg").write_text(svg_text(graph_of(ProcessOrder.definition.structure())))
    """
    return render_to_string(
        "durable_django/graph.svg",
        {
            "graph": graph,
            "frames": [_frame(frame) for frame in graph.frames],
            "edges": [_edge(edge) for edge in graph.edges],
            "nodes": [_node(node) for node in graph.nodes],
            "quiet": QUIET,
        },
    )


def _frame(frame: DrawnFrame) -> dict[str, Any]:
    paint = PAINTS.get(frame.tone, PAINTS["plain"])
    return {"drawn": frame, "stroke": LINE if frame.is_dim else paint.stroke}


def _edge(edge: DrawnEdge) -> dict[str, Any]:
    colour = LINK if edge.is_taken else LINE if edge.is_dim else QUIET
    is_dashed = "durable-graph-jump" in edge.classes or "durable-graph-back" in edge.classes
    return {
        "drawn": edge,
        "colour": colour,
        "width": "2.25" if edge.is_taken else "1.5",
        "dashes": "5 3" if is_dashed else "",
    }


def _node(node: DrawnNode) -> dict[str, Any]:
    paint = _DIM if node.is_dim else PAINTS.get(node.tone, PAINTS["plain"])
    tab = PAINTS.get(node.tab_tone, PAINTS["plain"])
    return {
        "drawn": node,
        "paint": paint,
        "tab": tab,
        "signs": [(sign, _ink(sign.tone)) for sign in node.signs],
        "bars": [(bar, BARS.get(bar.tone, LINE)) for bar in node.bars],
        "lines": [(line, _letters(line.kind, is_dim=node.is_dim)) for line in node.lines],
    }


def _ink(tone: str) -> str:
    return {"kind": QUIET, "bad": ERROR, "busy": LINK}.get(tone, INK)


def _letters(kind: str, *, is_dim: bool) -> dict[str, str]:
    family = PLAIN if kind == "says" else MONOSPACED
    size, weight = ("13", "600") if kind == "name" else ("11", "400")
    return {
        "family": family,
        "size": size,
        "weight": "400" if is_dim else weight,
        "fill": QUIET if is_dim or kind == "says" else INK,
    }
