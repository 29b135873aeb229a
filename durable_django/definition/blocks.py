"""Block: a node with children, opened by `with` in the class body.

The kinds (branch, parallel, foreach, …) derive from it; this module knows how blocks open, nest and
close, and nothing of what a kind does with its children.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from durable_django.definition.before import fault_of_asking
from durable_django.definition.body import ClassBody, find_place
from durable_django.definition.conditions import Condition, mistake_in_plan
from durable_django.definition.node import Node
from durable_django.exceptions import DefinitionError

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition
    from durable_django.definition.retry import Retry


class Block(Node):
    """A node that holds others: ``with parallel() as fetch:``. `children` are its nodes, in order.

    A kind overrides `admit` to refuse a child, `check_complete` to judge the whole, `structure` to
    tell more. One whose `with` takes no name (a case of a branch) sets `needs_name = False` and
    gives `label`.
    """

    kind: ClassVar[str] = "block"
    # Whether the children run at the same time, so that none follows another.
    side_by_side: ClassVar[bool] = False

    def __init__(self) -> None:
        self.children: tuple[Node, ...] = ()
        self._opened = False
        place = find_place(self.kind)
        self._body: ClassBody | None = place.body
        super().__init__(place)

    @property
    def is_open(self) -> bool:
        """Whether its `with` is being run."""
        return self._opened and self._body is not None

    @property
    def is_closed(self) -> bool:
        """Whether its `with` is over."""
        return self._body is None

    @property
    def innermost(self) -> Block | None:
        """While it is open: the innermost block that is, itself or one inside it."""
        return self._body.open_block if self._body is not None else None

    @property
    def _example(self) -> str:
        return self.name or "name"

    @property
    def opening(self) -> str:
        """The line that opens such a block, as messages show it."""
        return f"with {self.kind}(…) as {self._example}:"

    def admit(self, child: Node) -> None:
        """Raises ``child.mistake(…)`` when `child` cannot stand directly in this block."""

    def adopt(self, child: Node) -> None:
        """Takes `child` in as its last."""
        self.admit(child)
        self.children += (child,)

    def __enter__(self) -> Self:
        if self._body is None or self._opened or self.name is not None:
            raise self._mistake_of_with()
        self._opened = True
        self._body.enter(self)
        return self

    def _mistake_of_with(self) -> DefinitionError:
        """Told at the `with` that is wrong, which need not be where the block was made."""
        return self.mistake_here(
            f"the {self.kind} is closed; a block is not opened a second time"
            if self._body is None
            else f"open the {self.kind} where it is made, {self.opening}"
        )

    def mistake_here(self, message: str, what: str = "") -> DefinitionError:
        """A DefinitionError about this block, at the line of the class body that runs now; `what`
        is being made there, by default the block.
        """
        told = self.mistake(message)
        place = find_place(what or self.kind)
        told.filename, told.line = place.filename, place.line
        return told

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error_type is not None or self._body is None:
            return  # the class will not come to be; the error that stops it is the one to show
        self._body.leave(self)
        self._body = None
        self.check_complete()

    def check_complete(self) -> None:
        """Raises DefinitionError when the block has no name, was never opened, or is empty."""
        if not self._opened:
            raise self.mistake(
                f"the {self.kind} is never opened; write {self.opening} and its nodes below"
            )
        if self.needs_name and self.name is None:
            raise self.mistake(f"the {self.kind} has no name; write {self.opening}")
        if not self.children:
            raise self.mistake(f"the {self.kind} is empty; put a node into it or take it away")

    def structure(self, definition: Definition) -> dict[str, Any]:
        return {
            **super().structure(definition),
            "children": [child.structure(definition) for child in self.children],
        }

    def copied_into(self, block: Block | None) -> Self:
        copy = super().copied_into(block)
        copy.children = tuple(child.copied_into(copy) for child in self.children)
        return copy

    def seal(self) -> None:
        super().seal()
        for child in self.children:
            child.seal()


class BlockWithBody(Block):
    """A block that is run itself before or after its children, as a step without retry would be:
    `body` is called with the run, and what it gives is recorded.
    """

    is_async: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    at_most_once: ClassVar[bool] = False
    timeout: ClassVar[float | None] = None
    retry: ClassVar[Retry | None] = None
    doc: ClassVar[str] = ""

    @abstractmethod
    def body(self, workflow: Any) -> Any:
        """What this block says of the run."""


class AskingBlock(BlockWithBody):
    """A block whose body asks the run something: a node's output, a callable or a context key.

    A kind sets `condition` to what `_checked_condition` gives.
    """

    condition: Condition

    @property
    def children_answer(self) -> bool:
        """Whether the block's own nodes have completed when it asks for the first time."""
        return False

    def _checked_condition(self, condition: Condition) -> Condition:
        condition.check_given(self, find_place(self.kind).body)
        return condition

    def check_plan(self, nodes: Mapping[str, Node], body: ClassBody) -> None:
        fault = self.condition.fault_in_plan(
            nodes,
            lambda asked: fault_of_asking(self, asked, nodes, children_answer=self.children_answer),
        )
        if fault is not None:
            raise mistake_in_plan(self, fault, body)
