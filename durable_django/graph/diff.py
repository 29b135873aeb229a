"""Diff: what two structures of a workflow say differently, node by node.

A node is known by its name, a case by its branch and label. It is moved when it stands in another
block, or in another order than those beside it. Values only; how that looks is `drawing`'s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .plan import PlanNode, plan_of

# What says where a node is and which it is, rather than how it is.
_OF_ITS_PLACE: Final = frozenset({"name", "label", "children"})
_OF_THE_PLAN: Final = frozenset({"nodes", "edges"})


class Change(NamedTuple):
    """An option that two versions give different values; None where one does not have it."""

    option: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """What is different, by the keys of nodes, in the order in which they stand.

    ``moved`` and ``changed`` may name the same node. ``options`` are those of the workflow itself.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    changed: Mapping[str, tuple[Change, ...]]
    options: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two say the same."""
        return not (self.added or self.removed or self.moved or self.changed or self.options)

    @property
    def marks_before(self) -> dict[str, str]:
        """The mark of each node in the first structure, for `graph_of`."""
        return {**self._in_both(), **dict.fromkeys(self.removed, "removed")}

    @property
    def marks_after(self) -> dict[str, str]:
        """The mark of each node in the second structure."""
        return {**self._in_both(), **dict.fromkeys(self.added, "added")}

    def _in_both(self) -> dict[str, str]:
        return {**dict.fromkeys(self.changed, "changed"), **dict.fromkeys(self.moved, "moved")}


class _Place(NamedTuple):
    node: PlanNode
    owner: str


def diff(before: Any, after: Any) -> Difference:
    """What ``after`` says differently from ``before``, both as `Definition.structure()` gives them.

    >>> one = {"nodes": [{"name": "a", "kind": "step"}, {"name": "b", "kind": "step"}]}
    >>> two = {"nodes": [{"name": "a", "kind": "step", "timeout": 5}, {"name": "c"}]}
    >>> found = diff(one, two)
    >>> found.added, found.removed, found.changed["a"]
    (('c',), ('b',), (Change(option='timeout', before=None, after=5),))
    """
    old, new = _places(plan_of(before)), _places(plan_of(after))
    changed = {
        key: changes
        for key, place in new.items()
        if key in old and (changes := _changes(old[key].node, place.node))
    }
    return Difference(
        added=tuple(key for key in new if key not in old),
        removed=tuple(key for key in old if key not in new),
        moved=tuple(_moved(old, new)),
        changed=changed,
        options=_compared(_mapping(before), _mapping(after), _OF_THE_PLAN),
    )


def _places(plan: Sequence[PlanNode], owner: str = "") -> dict[str, _Place]:
    found: dict[str, _Place] = {}
    for node in plan:
        found[node.key] = _Place(node, owner)
        found.update(_places(node.children, node.key))
    return found


def _changes(old: PlanNode, new: PlanNode) -> tuple[Change, ...]:
    found = _compared(old.options, new.options, _OF_ITS_PLACE | {"kind"})
    if old.kind != new.kind:
        return (Change("kind", old.kind, new.kind), *found)
    return found


def _compared(
    old: Mapping[str, Any], new: Mapping[str, Any], ignored: frozenset[str]
) -> tuple[Change, ...]:
    options = [option for option in {**old, **new} if option not in ignored]
    return tuple(
        Change(option, old.get(option), new.get(option))
        for option in options
        if not _is_same(old.get(option), new.get(option))
    )


def _is_same(old: Any, new: Any) -> bool:
    """False and 0, or 1 and True, are different things to say. What was not written by an older
    version of this package, and is said to be off now, is the same."""
    if old is None or new is None:
        return old in (None, False, "") and new in (None, False, "")
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _mapping(structure: Any) -> Mapping[str, Any]:
    return structure if isinstance(structure, Mapping) else {}


def _moved(old: Mapping[str, _Place], new: Mapping[str, _Place]) -> list[str]:
    order = {key: number for number, key in enumerate(old)}
    beside: dict[str, list[str]] = {}
    found = set()
    for key, place in new.items():
        if key in old and old[key].owner == place.owner:
            beside.setdefault(place.owner, []).append(key)
        elif key in old:
            found.add(key)
    for keys in beside.values():
        stayed = _longest_rising([order[key] for key in keys])
        found.update(key for key in keys if order[key] not in stayed)
    return [key for key in new if key in found]


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The most of ``numbers`` that stand in rising order.

    >>> sorted(_longest_rising([1, 5, 2, 3]))
    [1, 2, 3]
    """
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(ends, number)
        before[number] = ends[place - 1] if place else None
        ends[place : place + 1] = [number]
    kept = set()
    number_or_none = ends[-1] if ends else None
    while number_or_none is not None:
        kept.add(number_or_none)
        number_or_none = before[number_or_none]
    return kept
