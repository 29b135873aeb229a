"""Edges: the arrows of a plan's drawing, one flat list.

Names only, as JSON-able data. It says what may follow what, not how it looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from durable_django.definition.blocks import Block
from durable_django.definition.branch import Branch
from durable_django.definition.decision import Decision
from durable_django.definition.loop import Loop
from durable_django.definition.node import Node

Edge = dict[str, str]


def edges(nodes: tuple[Node, ...]) -> Iterator[Edge]:
    """The arrows of a sequence of nodes and of everything inside them: ``{"from": "validate", "to":
    "charge", "kind": "next"}``.

    The kinds: "next" from a node to its neighbour; "enter" from a block to what begins with it
    (for a branch to the first node of each case, with the case's "label"); "back" from a loop's
    last node to the loop; "jump" from a decision to each target.
    """
    for node, after in pairwise(nodes):
        yield _edge(node, after, "next")
    for node in nodes:
        yield from _edges_of(node)


def _edges_of(node: Node) -> Iterator[Edge]:
    if isinstance(node, Decision):
        for target in node.to:
            yield {"from": node.label, "to": target, "kind": "jump"}
    if isinstance(node, Block):
        for inside, label in _ways(node):
            entering = _edge(node, inside[0], "enter")
            yield entering if label is None else {**entering, "label": label}
            yield from edges(inside)
    if isinstance(node, Loop):
        yield _edge(node.children[-1], node, "back")


def _ways(block: Block) -> Iterator[tuple[tuple[Node, ...], str | None]]:
    """The sequences inside a block, each with the label of its case if it has one."""
    if block.side_by_side:
        yield from (((child,), None) for child in block.children)
    elif isinstance(block, Branch):
        yield from ((case.children, case.label) for case in block.cases)
    else:
        yield block.children, None


def _edge(start: Node, end: Node, kind: str) -> Edge:
    return {"from": start.label, "to": end.label, "kind": kind}
