"""Forks: blocks whose members run at the same time, Parallel and Race.

Says which members there are and how many may fail. It starts none of them and joins none.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from durable_django.definition.blocks import BlockWithBody
from durable_django.definition.decision import Decision
from durable_django.definition.node import Node
from durable_django.definition.spelling import did_you_mean

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition

OnError: TypeAlias = Literal["fail_fast", "collect"]


class Fork(BlockWithBody):
    """A block that splits the run into members, which run at the same time on any worker.

    `on_error` is "fail_fast" (too many failed members end the block at once) or "collect" (the
    others go on); `concurrency` how many members run at once, None for all; `tolerate` how many may
    fail, a number or a fraction of them, None where nothing was said.
    """

    on_error: OnError = "fail_fast"
    concurrency: int | None = None
    tolerate: int | float | None = None

    def body(self, workflow: Any) -> Any:
        """None: a block whose members stand in the class asks nothing."""
        return None

    def tolerated(self, count: int) -> int | None:
        """How many failed members of `count` the block bears; None for any number of them."""
        if self.tolerate is None:
            return 0 if self.on_error == "fail_fast" else None
        if isinstance(self.tolerate, int):
            return self.tolerate
        # Of what was written, not of the float nearest to it: 0.29 of 100 are 29.
        return floor(Fraction(repr(self.tolerate)) * count)

    def _checked_on_error(self, value: object) -> OnError:
        for choice in get_args(OnError):
            if isinstance(value, str) and value == choice:
                found: OnError = choice
                return found
        hint = did_you_mean(value, get_args(OnError)) if isinstance(value, str) else ""
        raise self.mistake(f'on_error is "fail_fast" or "collect", not {value!r:.80}{hint}')


class MembersFork(Fork):
    """A fork whose members are its children, each one member. What Parallel and Race have in
    common.
    """

    side_by_side: ClassVar[bool] = True

    def admit(self, child: Node) -> None:
        if isinstance(child, Decision):
            raise child.mistake(
                f"a decision cannot stand directly in a {self.kind}: it moves the point of "
                "execution, and the nodes beside it run at the same time; put it below with "
                "sequence() as name:, together with the nodes it jumps to"
            )


class Parallel(MembersFork):
    """A block whose children run at the same time: ``with parallel() as fetch:``. It has completed
    when all have.
    """

    kind: ClassVar[str] = "parallel"

    def __init__(self, *, on_error: OnError = "fail_fast") -> None:
        super().__init__()
        self.on_error = self._checked_on_error(on_error)

    def structure(self, definition: Definition) -> dict[str, Any]:
        told = super().structure(definition)
        return {**told, "on_error": self.on_error, "children": told.pop("children")}


class Race(MembersFork):
    """A block whose children run at the same time until one has completed: ``with race() as
    first:``. A child that fails is out; the block fails when all have.
    """

    kind: ClassVar[str] = "race"
    on_error: OnError = "collect"

    def tolerated(self, count: int) -> int | None:
        return count - 1


def parallel(*, on_error: OnError = "fail_fast") -> Parallel:
    """A block whose nodes run at the same time, on any worker; its output is ``{name: output}``.

    Each node directly in it is one member; several in order go into a `sequence()`. `on_error`:
    with "fail_fast" the first failure fails the block, members not yet started never start; with
    "collect" all run, and the output of a failed one is a `MemberFailure`. `DefinitionError` for
    what cannot be a parallel.

    Example::

        with parallel() as fetch:
            @step
            def user(self): ...
            @step
            def orders(self): ...
    """
    return Parallel(on_error=on_error)


def race() -> Race:
    """A block whose nodes run at the same time until the first has completed; the others are
    cancelled.

    Its output is ``{"winner": name, "value": …}``. A member that fails is out; when all have failed
    the block fails with the first error. `DefinitionError` for what cannot be a race.

    Example::

        with race() as quote:
            @step
            def carrier_a(self): ...
            @step
            def carrier_b(self): ...
    """
    return Race()
