"""Mermaid: a structure as the text of a flowchart, for documents that draw it themselves, with
where a run stands in it.

Blocks are subgraphs. A status is a word in a node, and a colour. Text from outside is in quotes,
with what could end them as entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from . import words
from .fitting import plain
from .looks import LOOKS, UNKNOWN
from .plan import CALLS, SIDE_BY_SIDE, WAITS, PlanNode, plan_of, walk
from .standalone import PAINTS
from .states import States


def mermaid(structure: Any, states: States | None = None) -> str:
    """The flowchart of a stored structure, in the language of Mermaid. ``states``: where a run
    stands (`read_states`).

    >>> print(mermaid({"nodes": [{"name": "pay", "kind": "step"}, {"name": "send"}]}))
    flowchart TD
        n0["pay"]
        n1["send"]
        n0 --> n1
    """
    plan = plan_of(structure)
    chart = _Chart(plan, states)
    lines = [*chart.nodes(plan, 1), *chart.arrows(plan), *chart.colours()]
    return "\n".join(["flowchart TD", *lines])


class _Chart:
    def __init__(self, plan: tuple[PlanNode, ...], states: States | None) -> None:
        self.ids = {node.key: f"n{number}" for number, node in enumerate(walk(plan))}
        known = states.nodes if states is not None else {}
        self.statuses = {
            node.key: known[node.name].status
            for node in walk(plan)
            if node.kind != "case" and node.name in known and known[node.name].status
        }

    def nodes(self, nodes: Sequence[PlanNode], depth: int) -> Iterator[str]:
        indent = "    " * depth
        for node in nodes:
            name = self.ids[node.key]
            if not node.is_block:
                yield f"{indent}{name}{_shape(node, self.statuses.get(node.key, ''))}"
                continue
            title = _quoted(_title(node), self.statuses.get(node.key, ""))
            yield f"{indent}subgraph {name}[{title}]"
            if node.kind == "branch":
                yield f"{indent}    {name}q{{{_quoted(words.declared(node))}}}"
            yield from self.nodes(node.children, depth + 1)
            yield f"{indent}end"

    def arrows(self, nodes: Sequence[PlanNode], *, beside: bool = False) -> Iterator[str]:
        places = {node.name: node for node in nodes}
        for above, below in pairwise(nodes):
            if not beside:
                yield f"    {self.ids[above.key]} --> {self.ids[below.key]}"
        for node in nodes:
            for target in node.targets:
                if target in places:
                    end = self.ids[places[target].key]
                    yield f"    {self.ids[node.key]} -. jump .-> {end}"
            yield from self._inside(node)

    def colours(self) -> Iterator[str]:
        """A class for each tone that a status has, and who is of it."""
        found: dict[str, list[str]] = {}
        for key, status in self.statuses.items():
            found.setdefault(LOOKS.get(status, UNKNOWN).tone, []).append(self.ids[key])
        for tone, ids in sorted(found.items()):
            paint = PAINTS.get(tone, PAINTS["plain"])
            yield f"    classDef {tone} fill:{paint.fill},stroke:{paint.stroke},color:#222222"
            yield f"    class {','.join(ids)} {tone}"

    def _inside(self, node: PlanNode) -> Iterator[str]:
        if node.kind == "branch":
            asks = f"{self.ids[node.key]}q"
            for case in node.children:
                if case.children:
                    entered = self.ids[case.children[0].key]
                    yield f"    {asks} -->|{_quoted(plain(case.name))}| {entered}"
        if node.kind == "loop" and node.children:
            first, last = node.children[0], node.children[-1]
            yield f"    {self.ids[last.key]} -. again .-> {self.ids[first.key]}"
        yield from self.arrows(node.children, beside=node.kind in SIDE_BY_SIDE)


def _title(node: PlanNode) -> str:
    name = plain(node.name)
    return name if node.kind in ("case", "branch") else f"{name}: {words.declared(node)}"


def _shape(node: PlanNode, status: str) -> str:
    text = _quoted(plain(node.name), status)
    if node.kind == "decision":
        return f"{{{{{text}}}}}"
    if node.kind in WAITS:
        return f"([{text}])"
    return f"[[{text}]]" if node.kind in CALLS else f"[{text}]"


def _quoted(text: str, status: str = "") -> str:
    shown = text.replace("&", "#amp;").replace('"', "#quot;")
    shown = shown.replace("<", "#lt;").replace(">", "#gt;")
    return f'"{shown}<br>{status.replace("_", " ")}"' if status else f'"{shown}"'
