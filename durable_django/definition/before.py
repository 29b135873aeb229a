"""Before: whether a node can have completed when a block asks for its output.

Judges by where the two stand in the finished plan; it knows no run. Where a loop or a jump may lead
past both, it allows what an earlier round may have completed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from durable_django.definition.node import Node

if TYPE_CHECKING:
    from durable_django.definition.blocks import Block

_NEVER = "which cannot have completed by then; ask for a node that stands before"


def fault_of_asking(
    asker: Block, asked: Node, nodes: Mapping[str, Node], *, children_answer: bool
) -> str | None:
    """Why `asked` has no output when `asker` asks for the first time, as the end of a sentence; or
    None.

    `nodes` are all of the class, in the order they stand; `children_answer` says that those inside
    the asker have completed by then.
    """
    if asked in (asker, *asker.blocks()):
        return _NEVER
    if asker in asked.blocks() and not children_answer:
        return _NEVER
    shared = [None, *asker.blocks()]
    for block in asked.blocks():
        if block.kind == "foreach" and block is not asker and block not in shared:
            return f"whose output is seen within its item of the foreach {block.label} only"
    if _may_come_again(asker, asked, nodes) or asker in asked.blocks():
        return None
    common = next((block for block in asked.blocks() if block in shared), None)
    if common is not None and common.side_by_side:
        return f"which runs at the same time, beside it in the {common.kind} {common.label}"
    if common is not None and common.kind == "branch":
        return f"which stands in another case of the branch {common.label}"
    order = list(nodes.values())
    return _NEVER if order.index(asked) > order.index(asker) else None


def _may_come_again(asker: Block, asked: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether a loop or a jump may lead to the asker after it has led past `asked`."""
    jumping = [node.block for node in nodes.values() if node.kind == "decision"]
    if None in jumping:
        return True
    repeated = [block for block in asked.blocks() if block.kind == "loop" or block in jumping]
    return any(block in repeated for block in asker.blocks())
