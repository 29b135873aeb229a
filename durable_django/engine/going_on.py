"""Going on elsewhere: at which nodes a stopped run may go on, and as which visit.

At a node of the blocks it stands in, or outside of all; in a member, only inside of that. A node
that was visited already is visited anew, under a path of its own: what the old visit recorded is
neither run again nor taken for the new one's.

Pure: states in, states out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..exceptions import DefinitionChanged
from .flow import Course, named_chain
from .machine import kind_of_fork, next_visit
from .paths import chain_names, node_name, parent_path, visits_on
from .state import RunState

if TYPE_CHECKING:
    from ..definition.definition import Definition
    from ..definition.node import Node


def places(definition: Definition, state: RunState) -> dict[str, str]:
    """Node name -> prefix of its path, for each node at which a stopped run or strand may go on.

    >>> places(Onboard.definition, RunState("polling[3]/poll"))  # doctest: +SKIP
    {'create': '', 'polling': '', 'poll': 'polling[3]/', 'pause': 'polling[3]/'}
    """
    parts = state.next_path.split("/")[:-1]
    found: dict[str, str] = {}
    prefix, children = "", definition.top
    if state.base:
        entered = _entered_strand(definition, state, parts)
        if entered is None:
            return found
        prefix, children = entered
        parts = parts[prefix.count("/") :]
    found.update((node.name or "", prefix) for node in children)
    for part in parts:
        block: Any = next((node for node in children if node.name == node_name(part)), None)
        if block is None or not _fits(block, part):
            break
        prefix = f"{prefix}{part}/"
        children = _children_of(block)
        found.update((node.name or "", prefix) for node in children)
    return found


def _entered_strand(
    definition: Definition, state: RunState, parts: list[str]
) -> tuple[str, tuple[Node, ...]] | None:
    """The innermost level that the member itself is: (prefix, nodes). None where the code has no
    such fork any more, or nothing stands inside the member."""
    fork: Any = definition.nodes.get(node_name(state.base))
    if fork is None or chain_names(state.base) != named_chain(fork):
        return None
    if state.inherited is None or kind_of_fork(state.inherited.fork) != fork.kind:
        return None
    depth = state.base.count("/") + 1
    if fork.kind == "foreach":
        return "/".join(parts[:depth]) + "/", fork.children
    if len(parts) == depth:
        return None  # the member is no block
    member = definition.nodes.get(node_name(parts[depth]))
    if member not in fork.children or not _fits(member, parts[depth]):
        return None
    return "/".join(parts[: depth + 1]) + "/", _children_of(member)


def _fits(block: Any, part: str) -> bool:
    """Whether a part of a path goes through a block of this kind."""
    if block.kind == "loop":
        return part.endswith("]")
    return block.kind in ("branch", "sequence") and not part.endswith("]")


def _children_of(block: Any) -> tuple[Node, ...]:
    if block.kind != "branch":
        return tuple(block.children)
    return tuple(node for case in block.children for node in case.children)


def can_go_on(definition: Definition, state: RunState) -> bool:
    """Whether the code still has the node at which it stands, where it stands."""
    try:
        next_visit(definition, state)
    except DefinitionChanged:
        return False
    return True


def go_on_at(
    definition: Definition, state: RunState, name: str, prefix: str, visited: Iterable[str]
) -> RunState:
    """``state`` at the visit of the node ``name``, one of :func:`places`; as it is where it stands
    there already. ``visited`` are the paths of all its step runs."""
    stands_there = node_name(state.next_path) == name and prefix == _prefix_of(state.next_path)
    if stands_there and can_go_on(definition, state):
        return state
    visits = {**state.visits, **_counts(visited, prefix)}
    course = Course(definition, visits, counts=True)
    onward = course.enter(definition.nodes[name], prefix)
    return state._replace(
        next_path=onward,
        attempt=0,
        visits=course.visits,
        fork="",
        reopens=False,
        fatal=False,
        undo="",
    )


def _counts(visited: Iterable[str], prefix: str) -> dict[str, int]:
    """How often each node was visited at the levels from the outermost to that of ``prefix``."""
    levels = {""} | {prefix[: end + 1] for end, letter in enumerate(prefix) if letter == "/"}
    counts: dict[str, int] = {}
    for path in visited:
        for base, number in visits_on(path):
            if _prefix_of(base) in levels:
                counts[base] = max(counts.get(base, 0), number)
    return counts


def _prefix_of(path: str) -> str:
    outside = parent_path(path)
    return f"{outside}/" if outside else ""
