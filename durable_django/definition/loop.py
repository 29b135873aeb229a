"""Loop and Sequence: blocks that run their children in order, many times or once.

Says whether a loop goes on. It counts no iteration and knows no run but the one it is asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from durable_django.definition.blocks import AskingBlock, Block
from durable_django.definition.conditions import Condition, Given, checked_limit

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition

ITERATIONS_MAX = 1000


class Loop(AskingBlock):
    """A block that runs again and again: ``with loop(until="done") as polling:``.

    `tests_first` is True for ``while_=``, which is asked before each iteration, and False for
    ``until=``, asked after each. `max_iterations` is how many there may be.
    """

    kind: ClassVar[str] = "loop"

    def __init__(
        self,
        *,
        until: Given | None = None,
        while_: Given | None = None,
        max_iterations: int = ITERATIONS_MAX,
    ) -> None:
        super().__init__()
        if until is not None and while_ is not None:
            raise self.mistake("a loop has until= or while_=, not both")
        self.tests_first = while_ is not None
        self.condition = self._checked_condition(self._condition_of(until, while_))
        self.max_iterations = checked_limit(self, "max_iterations", max_iterations)

    def _condition_of(self, until: Given | None, while_: Given | None) -> Condition:
        if while_ is not None:
            return Condition("while_", while_)
        if until is not None:
            return Condition("until", until)
        raise self.mistake(
            "a loop needs to know when to stop; write loop(until=…), asked after each iteration, "
            "or loop(while_=…), asked before"
        )

    def body(self, workflow: Any) -> bool:
        """Whether another iteration shall run."""
        answer = bool(self.condition.ask(workflow))
        return answer if self.tests_first else not answer

    @property
    def children_answer(self) -> bool:
        return not self.tests_first

    def structure(self, definition: Definition) -> dict[str, Any]:
        told = super().structure(definition)
        return {
            **told,
            "while" if self.tests_first else "until": self.condition.structure(),
            "max_iterations": self.max_iterations,
            "children": told.pop("children"),
        }


class Sequence(Block):
    """A block that runs its children once, in order: several nodes where one is expected."""

    kind: ClassVar[str] = "sequence"


def loop(
    *,
    until: Given | None = None,
    while_: Given | None = None,
    max_iterations: int = ITERATIONS_MAX,
) -> Loop:
    """A block whose nodes run again until, or as long as, something is true.

    Exactly one of `until`, asked after each iteration, and `while_`, asked before each: a
    callable(self), a context key or a node (its output). Each answer is recorded. When
    `max_iterations` have run and another is due, the run fails with `LoopLimitExceeded`.
    `DefinitionError` for what cannot be a loop.

    Example::

        with loop(until=lambda self: self.context["done"], max_iterations=100) as polling:
            @step
            def poll(self): ...
    """
    return Loop(until=until, while_=while_, max_iterations=max_iterations)


def sequence() -> Sequence:
    """A block that runs its nodes in order and counts as one node; its output is the last one's.

    Example::

        with sequence() as billing:
            @step
            def invoices(self): ...
            @step
            def balance(self): ...
    """
    return Sequence()
