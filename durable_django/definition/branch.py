"""Branch and its cases: one of several ways, chosen by a value.

Says which case a value takes. It records nothing and chooses for no run by itself.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from durable_django.definition.blocks import AskingBlock, Block
from durable_django.definition.conditions import Condition, Given
from durable_django.definition.node import Node

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition
    from durable_django.exceptions import DefinitionError

CaseValue: TypeAlias = str | int | float | bool | None

DEFAULT_LABEL = "default"


class Branch(AskingBlock):
    """A block that runs one of its cases: ``with branch(on=approval) as decide:``.

    `on` is what is asked: a node (its output), a callable(self) or a context key. `children` are
    its cases, and nothing else.
    """

    kind: ClassVar[str] = "branch"

    def __init__(self, on: Given) -> None:
        super().__init__()
        self.on = on
        self.condition = self._checked_condition(Condition("on", on))

    def body(self, workflow: Any) -> str | None:
        """The label of the case this run takes; None when no case matches and none is default."""
        case = self.case_for(self.condition.ask(workflow))
        return case.label if case is not None else None

    @property
    def cases(self) -> tuple[Case, ...]:
        """The children, which are cases."""
        return cast("tuple[Case, ...]", self.children)

    def case_for(self, value: object) -> Case | None:
        """The case that `value` takes, by JSON type and value: ``True`` is not 1, ``1.0`` is. The
        default, or None without one, for what no case names.
        """
        key = _key_of(value)
        if key is not None:
            for case in self.cases:
                if key in case.keys:
                    return case
        return self._default

    def case_labelled(self, label: str) -> Case | None:
        """The case whose label this is, or None."""
        return next((case for case in self.cases if case.label == label), None)

    @property
    def _default(self) -> Case | None:
        return next((case for case in self.cases if case.is_default), None)

    def case(self, *values: CaseValue) -> Case:
        """One way of the branch, taken for any of `values`: ``with decide.case("a", "b"):``.

        Values are strings, numbers, True, False and None, each in one case of the branch only.
        """
        self._check_open("case")
        if not values:
            raise self.mistake_here(
                "a case has at least one value; for all the rest write "
                f"with {self._example}.default():"
            )
        return Case(tuple(self._checked_values(values)))

    def default(self) -> Case:
        """The way for every value without a case: ``with decide.default():``. At most one."""
        self._check_open("default")
        if self._default is not None:
            raise self.mistake_here(
                f"the branch has a default already, in line {self._default.line}"
            )
        return Case((), is_default=True)

    def _check_open(self, what: str) -> None:
        if not self.is_open:
            over = "; that is over, and a block is not opened a second time"
            raise self.mistake_here(
                f"a {what} belongs inside its branch, below with branch(…) as {self._example}:"
                f"{over if self.is_closed else ''}",
                what,
            )
        innermost = self.innermost
        if innermost is not None and innermost is not self:
            raise self.mistake_here(
                f"a {what} stands directly in its branch, not in the {innermost.kind} "
                f"{innermost.label} inside it"
            )

    def _checked_values(self, values: tuple[object, ...]) -> list[CaseValue]:
        lines = {key: case.line for case in self.cases for key in case.keys}
        seen = set()
        checked = []
        for value in values:
            key = _key_of(value)
            if key is None:
                raise self._mistake_of_value(value)
            if key in lines:
                raise self.mistake_here(
                    f"{value!r} has a case already, in line {lines[key]}; a value has one case"
                )
            if key in seen:
                raise self.mistake_here(f"{value!r} stands twice in this case")
            seen.add(key)
            checked.append(_plain(value))
        return checked

    def _mistake_of_value(self, value: object) -> DefinitionError:
        hint = '; write case("a", "b") for several' if isinstance(value, (list, tuple, set)) else ""
        return self.mistake_here(
            "the values of a case are strings, finite numbers, True, False and None, "
            f"not {value!r:.80}{hint}"
        )

    def admit(self, child: Node) -> None:
        if not isinstance(child, Case):
            raise child.mistake(
                f"a {child.noun} cannot stand directly in a branch; "
                f"put it below with {self._example}.case(…):"
            )

    def check_complete(self) -> None:
        super().check_complete()
        if all(case.is_default for case in self.cases):
            raise self.mistake(
                "the branch has a default and no case, so nothing is decided; give it a case"
            )

    def structure(self, definition: Definition) -> dict[str, Any]:
        told = super().structure(definition)
        return {**told, "on": self.condition.structure(), "children": told.pop("children")}


class Case(Block):
    """One way of a branch, made by `Branch.case` and `Branch.default`.

    `values` are those it is taken for, empty for the default; `label` names it within its branch:
    ``"approved"``, ``"a | b"``, ``"default"``.
    """

    kind: ClassVar[str] = "case"
    needs_name: ClassVar[bool] = False

    def __init__(self, values: tuple[CaseValue, ...], *, is_default: bool = False) -> None:
        self.values = values
        self.is_default = is_default
        self.keys = frozenset(_key_of(value) for value in values)
        self._label = DEFAULT_LABEL if is_default else " | ".join(map(_word, values))
        super().__init__()

    @property
    def label(self) -> str:
        return self._label

    @property
    def opening(self) -> str:
        branch = self.block.label if self.block is not None else "name"
        return f"with {branch}.default():" if self.is_default else f"with {branch}.case(…):"

    def mistake(self, message: str) -> DefinitionError:
        branch = self.block if self.block is not None else self
        told = Node.mistake(branch, f"in the case {self.label}, {message}")
        told.filename, told.line = self.filename, self.line
        return told

    def structure(self, definition: Definition) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "label": self.label,
            "children": [child.structure(definition) for child in self.children],
        }


def branch(on: Given) -> Branch:
    """A block that runs one of its cases, chosen once by a value and recorded.

    `on` is a node (its output), a callable(self) or a context key. A case is taken by JSON type and
    value. Without a match the default is; without a default the block is skipped.
    `DefinitionError` for what cannot be a branch.

    Example::

        with branch(on="plan") as by_plan:
            with by_plan.case("pro", "team"):
                @step
                def invoice(self): ...
            with by_plan.default():
                @step
                def welcome(self): ...
    """
    return Branch(on)


def _plain(value: Any) -> CaseValue:
    """`value` without its subclass: a TextChoices member is the string that is stored for it."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__index__(value)
    return cast(CaseValue, value)


def _key_of(value: object) -> tuple[str, CaseValue] | None:
    """What makes two values the same case, or None for what can have none."""
    plain = _plain(value)
    if plain is None or isinstance(plain, bool):
        return "word", plain
    if isinstance(plain, str):
        return "string", plain
    if isinstance(plain, int) or (isinstance(plain, float) and math.isfinite(plain)):
        return "number", plain
    return None


def _word(value: CaseValue) -> str:
    """`value` as a label tells it: strings bare, unless they would look like something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    bare = value.isprintable() and value == value.strip() != DEFAULT_LABEL and "|" not in value
    return value if bare and not _reads_as_json(value) else json.dumps(value)


def _reads_as_json(text: str) -> bool:
    if text[:1] in ('"', ""):
        return True
    try:
        return not isinstance(json.loads(text), (list, dict))
    except (ValueError, RecursionError):
        return False
