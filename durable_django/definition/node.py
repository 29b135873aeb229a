"""Node: what every node is, whatever its kind.

A node is made in a class body, named by the attribute it is assigned to, and frozen when the class
is complete. It runs nothing and knows no execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, overload

from durable_django.exceptions import DefinitionError, NodeCalled

if TYPE_CHECKING:
    from durable_django.definition.blocks import Block
    from durable_django.definition.body import ClassBody, Place
    from durable_django.definition.compensation import Compensation
    from durable_django.definition.definition import Definition
    from durable_django.definition.durations import Duration
    from durable_django.definition.retry import Retry


class Node:
    """A place in the plan of a workflow.

    `name` is the attribute's name, and the identity of the node's work in the database; `kind` says
    what it is ("step"); `block` is the block it stands in, or None at the top; `filename` and
    `line` say where it was written; `order` counts the nodes of one class body in the order they
    were made.

    A kind is added by deriving from this class: give it a `kind`, call
    ``super().__init__(find_place(…))`` in its constructor, extend `structure`.
    """

    kind: ClassVar[str] = "node"
    # A case of a branch has none: it is found by its label.
    needs_name: ClassVar[bool] = True
    # What undoes a node has a name but no place in the order of nodes, and so no block around it.
    in_plan: ClassVar[bool] = True
    # A template that is given a node shows it; without this it would call a step.
    do_not_call_in_templates: ClassVar[bool] = True

    def __init__(self, place: Place) -> None:
        self.name: str | None = None
        self.block: Block | None = place.body.open_block if self.in_plan else None
        self.filename = place.filename
        self.line = place.line
        self.owner = place.body.class_name
        self.order = place.body.add(self)

    @property
    def label(self) -> str:
        """How messages call this node: its name, or what comes nearest before it has one."""
        return self.name or ""

    @property
    def noun(self) -> str:
        """What messages call it, behind "a" or "the": its kind, or the function that makes it."""
        return self.kind

    @property
    def decorator(self) -> str:
        """What stands above the function of such a node, where one does: ``"@step"``."""
        return f"@{self.kind}"

    @property
    def redefining(self) -> str:
        """What to do with a plain attribute of a subclass so that it redefines this node."""
        return f"make it a {self.noun}"

    def mistake(self, message: str) -> DefinitionError:
        """A DefinitionError about this node, at its file and line; to be raised by the caller."""
        who = f"{self.owner}.{self.label}" if self.label.isidentifier() else self.owner
        return DefinitionError(f"{who}: {message}", filename=self.filename, line=self.line)

    def check_complete(self) -> None:
        """Raises DefinitionError when the class body ended and this node lacks something."""
        if self.name is None:
            raise self.mistake(
                f"a {self.noun} was made here but not assigned to a name of its own; "
                "every node needs one, as an attribute of the class"
            )

    def check_plan(self, nodes: Mapping[str, Node], body: ClassBody) -> None:
        """Raises DefinitionError when this node does not fit `nodes`, all those of the finished
        class whose body ended, by name.
        """

    def blocks(self) -> Iterator[Block]:
        """The blocks around this node, innermost first."""
        block = self.block
        while block is not None:
            yield block
            block = block.block

    @overload
    def compensate(self, body: Callable[[Any], Any], /) -> Compensation: ...
    @overload
    def compensate(
        self, /, *, retry: Retry | None = None, timeout: Duration | None = None
    ) -> Callable[[Callable[[Any], Any]], Compensation]: ...
    def compensate(
        self,
        body: Callable[[Any], Any] | None = None,
        /,
        *,
        retry: Retry | None = None,
        timeout: Duration | None = None,
    ) -> Compensation | Callable[[Callable[[Any], Any]], Compensation]:
        """Makes a method the compensation of this node: it undoes a completed visit when the run
        fails, or is cancelled with ``compensate=True``. A node has one.

        `retry`: a Retry; None is one attempt, whatever `Meta.retry` says. `timeout`: for one
        attempt, a timedelta or seconds. On a node of the base (``@Base.charge.compensate``) it is
        for the subclass only. `DefinitionError` for what cannot be a compensation.

        Example::

            @charge.compensate
            def refund(self):
                payments.refund(self.outputs["charge"])
        """
        from durable_django.definition.compensation import Compensation

        def decorate(function: Callable[[Any], Any]) -> Compensation:
            return Compensation(self, function, retry=retry, timeout=timeout)

        return decorate if body is None else decorate(body)

    def structure(self, definition: Definition) -> dict[str, Any]:
        """This node as JSON-able data. A kind that has more to tell extends it."""
        told: dict[str, Any] = {"name": self.name, "kind": self.kind}
        undone_by = definition.compensations.get(self.name or "")
        if undone_by is not None:
            told["compensation"] = undone_by.structure(definition)
        return told

    def told_when_called(self) -> str:
        """Who runs this node: said to a step that calls it."""
        return (
            f'the engine runs each node in its turn, and its output is self.outputs["{self.name}"]'
        )

    def told_when_misread(self) -> str:
        """What ``self.<name>`` is: said to a step that takes it for the output."""
        return f'is the node, not what it gave; read self.outputs["{self.name}"] instead'

    def copied_into(self, block: Block | None) -> Self:
        """An open copy of this node in another block: how a subclass changes what it inherits."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, block=block, _sealed=False)
        return copy

    def seal(self) -> None:
        """Called when the class is complete: from here on the node cannot change."""
        self.__dict__["_sealed"] = True

    def __setattr__(self, name: str, value: object) -> None:
        if self.__dict__.get("_sealed"):
            raise AttributeError(f"{self!r} cannot change: its class is complete")
        super().__setattr__(name, value)

    @overload
    def __get__(self, run: None, owner: type) -> Self: ...
    @overload
    def __get__(self, run: object, owner: type) -> Any: ...
    def __get__(self, run: object, owner: type) -> Any:
        """``ProcessOrder.charge`` is the node; ``self.charge`` in a step is a `NodeOfRun`."""
        return self if run is None else NodeOfRun(self, owner)

    def __repr__(self) -> str:
        return f"<{self.noun} {self.owner}.{self.label or '?'}>"


class NodeOfRun:
    """What ``self.charge`` is in a step: nothing one can use, and it says so instead of misleading.

    Without it ``if self.approval:`` would be true whatever the answer was.
    """

    __slots__ = ("_node", "_owner")

    def __init__(self, node: Node, owner: type) -> None:
        self._node = node
        self._owner = owner

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        name, workflow = self._node.name, self._owner.__name__
        raise NodeCalled(
            f"self.{name}() would run {workflow}.{name} inside another node, without its "
            f"checkpoint; {self._node.told_when_called()}; code for several steps belongs in a "
            "plain method"
        )

    def _misread(self) -> NodeCalled:
        return NodeCalled(f"self.{self._node.name} {self._node.told_when_misread()}")

    def __bool__(self) -> NoReturn:
        raise self._misread()

    def __iter__(self) -> NoReturn:
        raise self._misread()

    def __getitem__(self, key: object) -> NoReturn:
        raise self._misread()

    def __eq__(self, other: object) -> NoReturn:
        raise self._misread()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<the node {self._owner.__name__}.{self._node.name}>"
