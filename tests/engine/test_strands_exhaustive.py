"""All small trees of blocks, through every interleaving of what can happen in them.

A state is left by every start, every way in which a visit can end (success, failure, `finish`, each
case, one more iteration, a jump, a wait that parks), by what a parked run waits for or the end of
its time, every crash and a cancel; a run that failed or was cancelled is retried. What was seen is
not walked again. 2,478 trees and 119,000 states are walked: all trees of up to three nodes; those
of four nodes that have few states, and forks in forks; with the smaller ones steps that are
retried, decisions that jump, and runs that are retried as a whole; and 346 trees with waits among
them, or nothing but waits, 31,000 states. A slow test adds 2,780 of four nodes, and another the 40
larger ones with waits. So all trees of four nodes of every kind are walked, with no item or one in
a foreach, and with two items those of not more than about a thousand states; with waits all of
three nodes. What is left, 644 of up to some hundred thousand states each, two items in forks in
loops, `test_strands.py` samples.

`Forest` asserts that each step is total, safe and monotone. Here: nothing is ever stuck, and
whatever has happened, a run that goes on can still complete.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod

import pytest

from .forest import Forest
from .rows import Ground, Row
from .shapes import FORKS, Tree, drawn

Trees = tuple[Tree, ...]
STEP: Tree = ("step",)
WAIT: Tree = ("wait",)
Key = frozenset[Row]

# Iterations of a loop, and visits by a jump.
MOST = 2
# How the visit of a wait ends, by what became of the wait.
WAITS = {"": ("waits", "failure"), "answered": ("success",), "late": ("failure",)}


class Walk:
    """From the beginning of a run to all its ends."""

    def __init__(self, trees: Trees, max_retries: int = 0) -> None:
        self.workflow = drawn(trees, max_retries, MOST)
        first = Forest(Ground(self.workflow))
        self.seen: set[Key] = {first.key()}
        self.before: dict[Key, list[Key]] = defaultdict(list)
        self.completed: list[Key] = []
        self.waiting = [first]

    def through(self) -> int:
        """How many states there are."""
        while self.waiting:
            forest = self.waiting.pop()
            if forest.run.is_over:
                self._end(forest)
            else:
                self._go_on(forest)
        reaching, ends = set(self.completed), self.completed
        while ends:
            new = [key for key in self.before.get(ends.pop(), ()) if key not in reaching]
            reaching.update(new)
            ends.extend(new)
        assert reaching == self.seen, "whatever has happened, it can still complete"
        return len(self.seen)

    def _end(self, forest: Forest) -> None:
        assert all(row.is_over for row in forest.rows.values()), "nothing outlives its run"
        if forest.run.status == "completed":
            self.completed.append(forest.key())
        else:
            self._reach(forest, "retry")

    def _go_on(self, forest: Forest) -> None:
        ready, running, parked = forest.ready(), forest.running(), forest.parked()
        assert ready or running or parked, "what is not finished has somebody to go on with it"
        for path in ready:
            self._reach(forest, "start", path)
        for path in running:
            self._reach(forest, "crash", path)
            for kind in self._kinds(forest, path):
                self._reach(forest, "end", path, kind)
        for path in parked:
            for how in ("answered", "late"):
                self._reach(forest, "resolve", path, how)
        self._reach(forest, "cancel")

    def _reach(self, forest: Forest, act: str, *args: str) -> None:
        after = forest.copy()
        getattr(after, act)(*args)
        assert forest.done <= after.done
        key = after.key()
        self.before[key].append(forest.key())
        if key not in self.seen:
            self.seen.add(key)
            self.waiting.append(after)

    def _kinds(self, forest: Forest, path: str) -> tuple[str, ...]:
        """The ways in which the visit that runs there can end."""
        visit = forest.visit(path)
        if visit.joins:
            return ("join",)
        shape = self.workflow.nodes[visit.node.name or ""]
        if shape.kind == "wait":  # before it is parked it may fail, as a callable does
            return WAITS[forest.rows[path].awaits]
        if shape.kind in FORKS:
            return (str(shape.chosen), "failure") if shape.kind == "foreach" else ("1",)
        return {
            "step": ("success", "failure", "finish"),
            "retried": ("success", "failure"),
            "decision": (str(shape.chosen), "on", "failure"),
            "branch": ("0", "none", "failure"),
            "loop": ("again", "stop", "failure"),
        }[shape.kind]


# Which trees there are


def sums(total: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for first in range(1, total + 1):
        for rest in sums(total - first):
            yield (first, *rest)


def all_trees(size: int) -> Iterator[Trees]:
    """All workflows of so many nodes."""
    for sizes in sums(size):
        yield from product(*(list(one_tree(each)) for each in sizes))


def one_tree(size: int) -> Iterator[Tree]:
    if size == 1:
        yield ("step",)
        return
    for inner in all_trees(size - 1):
        yield ("sequence", inner)
        yield ("branch", None, (inner,))
        yield ("loop", "until", None, inner)
        yield ("loop", "while_", None, inner)
        yield ("parallel", "fail_fast", inner)
        yield ("parallel", "collect", inner)
        yield ("race", inner)
        for items, concurrency in ((0, None), (1, None), (2, None), (2, 1)):
            for on_error in ("fail_fast", "collect"):
                yield ("foreach", items, concurrency, on_error, None, inner)


def with_one(trees: Trees, leaves: tuple[Tree, ...]) -> Iterator[Trees]:
    """``trees`` with one of the steps in it being one of ``leaves`` instead."""
    for index, tree in enumerate(trees):
        before, after = trees[:index], trees[index + 1 :]
        if tree == ("step",):
            for leaf in leaves:
                yield (*before, leaf, *after)
        elif tree == WAIT:
            continue
        elif tree[0] == "branch":
            for case in with_one(tree[-1][0], leaves):
                yield (*before, (*tree[:-1], (case,)), *after)
        else:
            for inner in with_one(tree[-1], leaves):
                yield (*before, (*tree[:-1], inner), *after)


def with_some(trees: Trees, leaf: Tree) -> Iterator[Trees]:
    """``trees`` with one or more of the steps in it being ``leaf`` instead."""
    found, seen = [trees], {trees}
    while found:
        for changed in with_one(found.pop(), (leaf,)):
            if changed not in seen:
                seen.add(changed)
                found.append(changed)
                yield changed


def states_of(trees: Trees) -> int:
    """About how many states a workflow has."""
    return sum(_states(tree) for tree in trees)


def _states(tree: Tree) -> int:
    kind, inner = tree[0], tree[-1]
    if kind == "branch":
        return 8 + 2 * states_of(inner[0])
    if kind == "loop":
        return 12 + 10 * states_of(inner)
    if kind == "sequence":
        return states_of(inner)
    if kind in ("parallel", "race"):
        return 6 + prod(1 + _states(each) for each in inner)
    if kind == "foreach":
        return 8 + states_of(inner) ** int(tree[1])
    return {"retried": 6, "wait": 8}.get(kind, 3)


def has_two_items(trees: Trees) -> bool:
    """Whether a foreach in them has two items."""
    return any(
        tree == ("foreach", 2, *tree[2:]) or has_two_items(_inside(tree))
        for tree in trees
        if len(tree) > 1
    )


def _inside(tree: Tree) -> Trees:
    inner: Trees = tree[-1][0] if tree[0] == "branch" else tree[-1]
    return inner


FEW, SOME, HALF, MANY = 24, 34, 500, 1000
LEAVES: tuple[Tree, ...] = (("retried",), ("decision", 1), ("decision", -1))


def forks_in_forks() -> Iterator[Trees]:
    """Two steps beside each other, in forks of two members and items."""
    beside = tuple(tree for tree in one_tree(2) if tree[0] in ("parallel", "race"))
    items = tuple(tree for tree in one_tree(2) if tree[0] == "foreach" and tree[1] == 2)
    for tree in beside:
        inner = (*tree[:-1], (STEP, STEP))
        yield from (((*outer[:-1], (inner,)),) for outer in (*beside, *items))
        yield from (((*tree[:-1], (STEP, inner)),) for inner in (*beside, *items))


def walked(all_of_them: Iterable[Trees], max_retries: int = 0) -> tuple[int, int]:
    """(how many trees, how many states) there were."""
    states = [Walk(trees, max_retries).through() for trees in all_of_them]
    return len(states), sum(states)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_trees_of_up_to_three_nodes_keep_the_laws(size):
    count, states = walked(all_trees(size))
    assert count == {1: 1, 2: 16, 3: 271}[size]
    assert states > 180 * count or size < 3


def test_trees_of_four_nodes_keep_the_laws():
    count, states = walked(trees for trees in all_trees(4) if states_of(trees) <= FEW)
    assert count == 1392
    assert states > 19 * count


@pytest.mark.slow
def test_larger_trees_of_four_nodes_keep_the_laws():
    count, states = walked(
        trees
        for trees in all_trees(4)
        if states_of(trees) > FEW and (states_of(trees) <= MANY or not has_two_items(trees))
    )
    assert count == 2780
    assert states > 100 * count


def test_forks_in_forks_keep_the_laws():
    count, states = walked(forks_in_forks())
    assert count == 42
    assert states > 200 * count


def test_steps_that_are_retried_and_decisions_that_jump_keep_the_laws():
    count, states = walked(
        changed
        for size in (1, 2, 3)
        for trees in all_trees(size)
        for changed in with_one(trees, LEAVES)
        if states_of(changed) <= SOME
    )
    assert count == 585
    assert states > 25 * count


def with_waits(size: int) -> Iterator[Trees]:
    """All trees of so many nodes with one wait among them, or more."""
    return (changed for trees in all_trees(size) for changed in with_some(trees, WAIT))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_trees_of_up_to_three_nodes_with_waits_among_them_keep_the_laws(size):
    count, states = walked(trees for trees in with_waits(size) if states_of(trees) <= HALF)
    assert count == {1: 1, 2: 18, 3: 327}[size]
    assert states > 70 * count or size < 3


@pytest.mark.slow
def test_larger_trees_of_three_nodes_with_waits_among_them_keep_the_laws():
    count, states = walked(trees for trees in with_waits(3) if states_of(trees) > HALF)
    assert count == 40
    assert states > 1_000 * count


def test_runs_with_waits_that_are_retried_as_a_whole_keep_the_laws():
    smaller = (trees for size in (1, 2, 3) for trees in with_waits(size))
    count, states = walked((t for t in smaller if states_of(t) <= SOME), max_retries=1)
    assert count == 186
    assert states > 25 * count


def test_runs_that_are_retried_as_a_whole_keep_the_laws():
    smaller = (trees for size in (1, 2, 3) for trees in all_trees(size))
    count, states = walked((t for t in smaller if states_of(t) <= SOME), max_retries=1)
    assert count == 171
    assert states > 50 * count
