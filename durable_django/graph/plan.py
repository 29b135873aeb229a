"""Plan: a stored structure, read for drawing.

What an older version of this package wrote may lack any key, and a row may hold anything: what
cannot be read is left out, nothing raises. It knows no sizes and no states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

FORKS: Final = frozenset({"parallel", "race", "foreach"})
# Their children stand side by side: cases of which one is taken, members that run together.
SIDE_BY_SIDE: Final = frozenset({"branch", "parallel", "race"})
BLOCKS: Final = SIDE_BY_SIDE | {"foreach", "loop", "sequence", "case"}
WAITS: Final = frozenset({"sleep", "event", "any", "all", "input", "callback"})
CALLS: Final = frozenset({"call", "start"})


@dataclass(frozen=True, eq=False)
class PlanNode:
    """A node of a plan, or a case of a branch, which is a place but no node.

    ``key``     tells it from all others of the plan: the name, of a case ``"outcome:approved"``
    ``name``    its name, of a case its label
    ``options`` all that the structure says of it
    """

    key: str
    name: str
    kind: str
    options: Mapping[str, Any] = field(repr=False)
    children: tuple[PlanNode, ...] = ()

    @property
    def is_block(self) -> bool:
        """Whether it is drawn as a frame around others."""
        return bool(self.children) or self.kind in BLOCKS

    @property
    def undone_by(self) -> str:
        """The name of its compensation, "" for none."""
        told = self.options.get("compensation")
        return _text(told.get("name")) if isinstance(told, Mapping) else ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Where a decision may jump to."""
        told = self.options.get("to")
        return tuple(map(_text, told)) if isinstance(told, list | tuple) else ()

    def walk(self) -> Iterator[PlanNode]:
        """It and all below it, in the order in which they stand."""
        yield self
        for child in self.children:
            yield from child.walk()


def plan_of(structure: Any) -> tuple[PlanNode, ...]:
    """The nodes at the top of a structure, with all that is below them.

    >>> [node.kind for node in plan_of({"nodes": [{"name": "pay", "kind": "step"}, "?"]})]
    ['step']
    """
    told = structure.get("nodes") if isinstance(structure, Mapping) else structure
    return _nodes(told, "", set())


def walk(plan: tuple[PlanNode, ...]) -> Iterator[PlanNode]:
    """All nodes and cases of a plan, in the order in which they stand."""
    for node in plan:
        yield from node.walk()


def _nodes(told: Any, owner: str, taken: set[str]) -> tuple[PlanNode, ...]:
    if not isinstance(told, list | tuple):
        return ()
    return tuple(_node(each, owner, taken) for each in told if isinstance(each, Mapping))


def _node(told: Mapping[str, Any], owner: str, taken: set[str]) -> PlanNode:
    name = _text(told.get("name")) or _text(told.get("label"))
    kind = _text(told.get("kind"))
    children = told.get("children") or ()
    kind = kind or ("sequence" if children else "step")
    key = f"{owner}:{name}" if kind == "case" else name
    number = 1
    while (unique := key if number == 1 else f"{key}~{number}") in taken:
        number += 1
    taken.add(unique)
    below = _nodes(children, unique, taken)
    return PlanNode(unique, name, kind, MappingProxyType(dict(told)), below)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
