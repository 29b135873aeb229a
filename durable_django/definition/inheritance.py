"""Inheritance: a base's nodes and a class body's nodes, made into one plan.

The base's nodes come first, in its order; a redefined one keeps its place, one set to None goes.
Nodes of the base are never changed: where something inside a block differs, the subclass gets a
copy of that block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from durable_django.definition.blocks import Block
from durable_django.definition.body import ClassBody
from durable_django.definition.node import Node


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """All nodes in the order they stand, each block before its children."""
    for node in nodes:
        yield node
        if isinstance(node, Block):
            yield from walk(node.children)


def named(nodes: Iterable[Node]) -> dict[str, Node]:
    """All nodes that have a name, by name, in the order they stand."""
    return {node.name: node for node in walk(nodes) if node.name is not None}


def merge(base: tuple[Node, ...], body: ClassBody) -> tuple[Node, ...]:
    """The top-level nodes of the class whose body has ended. DefinitionError for what cannot be
    merged.
    """
    kept = _merged(base, None, body)
    placed = {id(node) for node in walk(kept)}
    return (*kept, *(node for node in body.top if id(node) not in placed))


def _merged(nodes: tuple[Node, ...], block: Block | None, body: ClassBody) -> tuple[Node, ...]:
    found = (_merged_node(node, block, body) for node in nodes)
    return tuple(node for node in found if node is not None)


def _merged_node(node: Node, block: Block | None, body: ClassBody) -> Node | None:
    own = body.nodes.get(node.name or "")
    if own is not None:
        return _redefined(node, own, block)
    if (
        node.name is not None and node.name in body
    ):  # name = None, or the body would have refused it
        return None
    if not isinstance(node, Block):
        return node if node.block is block else node.copied_into(block)
    return _merged_block(node, block, body)


def _redefined(node: Node, own: Node, block: Block | None) -> Node:
    if own.kind != node.kind:
        raise own.mistake(
            f"{node.owner}.{node.name} is a {node.noun}, and a {own.noun} cannot take its place; "
            "redefine it as the same kind, or give it another name"
        )
    if own.block is not None:
        raise own.mistake(
            f"it redefines {node.owner}.{node.name}, which keeps its place, and so cannot stand in "
            f"the {own.block.kind} {own.block.label}; write it outside of any block, or give it "
            "another name"
        )
    own.block = block
    return own


def _merged_block(node: Block, block: Block | None, body: ClassBody) -> Block | None:
    touched = any(name in body for name in named(node.children))
    if not touched:
        return node if node.block is block else node.copied_into(block)
    copy = node.copied_into(block)
    copy.children = _merged(node.children, copy, body)
    if not copy.children:
        whole = next(around for around in (node, *node.blocks()) if around.needs_name)
        raise body.mistake(
            f"nothing is left in the {node.kind} {node.owner}.{node.label}; take "
            f"{'it' if whole is node else f'the {whole.kind}'} out as a whole "
            f"with {whole.label} = None"
        )
    return copy
