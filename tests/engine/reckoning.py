"""What a workflow must give, told by a plain interpreter: one member after the other, recursively.

It knows no states, rows or strands. What the steps do is handed in, and who won each race, which
nobody can know beforehand.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from durable_django.engine.context import Change
from durable_django.engine.values import decode

from .shapes import FORKS, Drawn, Shape

FAILURE = "it failed"


class Effect(NamedTuple):
    """What a visit of a step does."""

    output: Any
    changes: tuple[Change, ...] = ()
    fails: bool = False


class Failed(Exception):
    """A member, or the run."""


class Undecided(Exception):
    """Nobody won a race that could have been won: something else has ended it."""


class Scope:
    """What a run or a member knows: its own outputs and changes, and all that it sees."""

    def __init__(self, outputs: dict[str, Any], context: dict[str, Any]) -> None:
        self.outputs, self.context = outputs, context
        self.own: dict[str, Any] = {}
        self.changes: list[Change] = []

    def member(self) -> Scope:
        return Scope(dict(self.outputs), copy.deepcopy(self.context))

    def give(self, name: str, value: Any) -> None:
        self.outputs[name] = self.own[name] = value

    def change(self, changes: tuple[Change, ...] | list[Change]) -> None:
        for change in changes:
            value = decode(change.text)
            if change.op == "set":
                self.context[change.key] = value
            elif change.op == "delete":
                self.context.pop(change.key, None)
            elif change.op == "append":
                self.context[change.key] = [*self.context.get(change.key, []), value]
            else:
                self.context[change.key] = self.context.get(change.key, 0) + value
        self.changes += changes


class Reckoning:
    """``seen`` is what each visit sees: outputs and context; ``result`` and ``scope`` what the run
    leaves; ``failed`` says that it leaves nothing."""

    def __init__(
        self, workflow: Drawn, effect: Callable[[str], Effect], winners: Mapping[str, str]
    ) -> None:
        self.effect = effect
        self.winners = winners
        self.has_jumps = any(shape.kind == "decision" for shape in workflow.nodes.values())
        self.visits: Counter[str] = Counter()
        self.seen: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.scope = Scope({}, {})
        self.failed = False
        self.result = None
        try:
            self.result = self._nodes(workflow.top, "", self.scope)
        except Failed:
            self.failed = True

    def _visit(self, path: str, scope: Scope) -> str:
        assert path not in self.seen, "each visit has a path of its own"
        self.seen[path] = dict(scope.outputs), copy.deepcopy(scope.context)
        return path

    def _nodes(self, shapes: tuple[Shape, ...], prefix: str, scope: Scope) -> Any:
        index, last = 0, None
        names = [shape.name for shape in shapes]
        while index < len(shapes):
            shape = shapes[index]
            path = self._numbered(prefix + shape.name)
            index += 1
            last = self._node(shape, path, scope)
            if shape.kind == "decision" and last is not None:
                index = names.index(last)
        return last

    def _numbered(self, path: str) -> str:
        self.visits[path] += 1
        number = self.visits[path]
        return path if number == 1 or not self.has_jumps else f"{path}#{number}"

    def _node(self, shape: Shape, path: str, scope: Scope) -> Any:
        if shape.kind == "decision":
            self._visit(path, scope)
            value = jump_of(shape, path)
        elif shape.kind in ("step", "retried", "wait"):
            effect = self.effect(self._visit(path, scope))
            if effect.fails:
                raise Failed
            value = effect.output
            if shape.kind != "wait":
                scope.change(effect.changes)
        elif shape.kind == "sequence":
            value = self._nodes(shape.children, f"{path}/", scope)
        elif shape.kind == "branch":
            self._visit(path, scope)
            case = shape.cases[shape.chosen] if shape.chosen >= 0 else ()
            value = self._nodes(case, f"{path}/", scope)
        elif shape.kind == "loop":
            value = self._loop(shape, path, scope)
        else:
            assert shape.kind in FORKS
            value = self._fork(shape, self._visit(path, scope), scope)
        scope.give(shape.name, value)
        return value

    def _loop(self, shape: Shape, path: str, scope: Scope) -> Any:
        number, value = 1, None
        while True:
            here = f"{path}[{number}]"
            if shape.option == "while_":
                self._visit(here, scope)
                if not goes_on(shape, here):
                    return value
            value = self._nodes(shape.children, f"{here}/", scope)
            if shape.option == "until":
                self._visit(here, scope)
                if not goes_on(shape, here):
                    return value
            number += 1

    def _fork(self, shape: Shape, path: str, scope: Scope) -> Any:
        if shape.kind == "foreach":
            members = [(shape.children, f"{path}[{index}]/") for index in range(shape.chosen)]
        else:
            members = [((child,), f"{path}/") for child in shape.children]
        scopes = [scope.member() for _ in members]
        values, failures, undecided = [], 0, False
        for (nodes, prefix), inner in zip(members, scopes, strict=True):
            value: Any = FAILURE
            try:
                value = self._nodes(nodes, prefix, inner)
            except Failed:
                failures += 1
            except Undecided:
                undecided = True
            values.append(value)
        tolerated = shape.tolerated(len(members))
        if tolerated is not None and failures > tolerated:
            raise Failed
        if shape.kind == "race":
            return self._race(shape, path, values, scopes, scope)
        if undecided:
            raise Undecided
        for value, inner in zip(values, scopes, strict=True):
            if value is not FAILURE:
                self._merge(scope, inner, outputs=shape.kind == "parallel")
        if shape.kind == "foreach":
            return values
        return {child.name: value for child, value in zip(shape.children, values, strict=True)}

    def _race(
        self, shape: Shape, path: str, values: list[Any], scopes: list[Scope], scope: Scope
    ) -> Any:
        winner = self.winners.get(path)
        if winner is None:
            raise Undecided
        index = [child.name for child in shape.children].index(winner)
        assert values[index] is not FAILURE, "who has failed does not win"
        self._merge(scope, scopes[index], outputs=True)
        return {"winner": winner, "value": values[index]}

    def _merge(self, scope: Scope, member: Scope, *, outputs: bool) -> None:
        scope.change(member.changes)
        if outputs:
            for name, value in member.own.items():
                scope.give(name, value)


def jump_of(shape: Shape, path: str) -> str | None:
    """Where the decision leads at this visit: away once, then on."""
    return None if "#" in path.rpartition("/")[2] else shape.chosen


def goes_on(shape: Shape, path: str) -> bool:
    """Whether the loop, tested at this visit, goes on."""
    number = int(path.rpartition("[")[2].rstrip("]"))
    return number <= shape.chosen if shape.option == "while_" else number < shape.chosen
