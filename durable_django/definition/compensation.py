"""Compensation: the function that undoes a node, and stands beside the order of nodes.

Made by ``@<node>.compensate``. It knows which node it is for and how it is retried; when it runs,
and for which visits, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from durable_django.definition.body import ClassBody, find_place
from durable_django.definition.durations import Duration
from durable_django.definition.node import Node
from durable_django.definition.nodes import Step
from durable_django.definition.retry import Retry

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition


class Compensation(Step):
    """What undoes a completed visit of a node: ``@charge.compensate``.

    `of` is the name of the node it undoes; `name` its own, the method's. It is run as a step is, so
    it has what a step has (`body`, `is_async`, `retry`, `timeout`, …), but it belongs to no block,
    follows nothing, and `Meta.retry` is not for it.
    """

    kind: ClassVar[str] = "compensation"
    in_plan: ClassVar[bool] = False

    def __init__(
        self,
        node: Node,
        body: Callable[[Any], Any],
        *,
        retry: Retry | None = None,
        timeout: Duration | None = None,
    ) -> None:
        self.of: str = node.label
        super().__init__(body, retry=retry, timeout=timeout)
        self._check_node(node, find_place(self.kind).body)

    @property
    def decorator(self) -> str:
        return f"@{self.of}.compensate"

    @property
    def redefining(self) -> str:
        return f"write @{self.owner}.{self.of}.compensate above it"

    def _check_node(self, node: Node, body: ClassBody) -> None:
        if isinstance(node, Compensation):
            raise self.mistake(
                f"{node.label} is itself a compensation, of {node.of}, and has none; what else is "
                f"to be undone with {node.of} belongs into {node.label}"
            )
        if not node.needs_name:
            raise self.mistake(
                f"a {node.kind} has no compensation; give one to the {_around(node)}, or to the "
                f"nodes in the {node.kind}"
            )
        if node.name is None:
            raise self.mistake(
                f"the {node.noun} it is for has no name yet; assign it to one first, then write "
                "@<that name>.compensate"
            )
        if not body.has(node):
            raise self.mistake(
                f"{node.owner}.{node.name} is a node of {node.owner}, which no run of "
                f"{body.class_name} comes to; give a node of this workflow"
            )
        for earlier in compensations_in(body):
            if earlier is not self and earlier.of == self.of:
                raise self.mistake(
                    f"{self.of} has a compensation already, {earlier.label} in line "
                    f"{earlier.line}; a node has one"
                )

    def told_when_called(self) -> str:
        return f"the engine runs it when {self.of} is to be undone"

    def told_when_misread(self) -> str:
        return f"is the compensation of {self.of}, not what it gave; nothing of that is kept"

    def structure(self, definition: Definition) -> dict[str, Any]:
        return {
            "name": self.name,
            "doc": self.doc,
            "async": self.is_async,
            "timeout": self.timeout,
            "retry": self.retry.structure() if self.retry else None,
        }


def _around(node: Node) -> str:
    return f"{node.block.kind} {node.block.label}" if node.block is not None else "block around it"


def compensations_in(body: ClassBody) -> list[Compensation]:
    """Those made in this class body, in the order they were made."""
    return [node for node in body.beside if isinstance(node, Compensation)]


def merge_compensations(
    base: Mapping[str, Compensation], nodes: Mapping[str, Node], body: ClassBody
) -> dict[str, Compensation]:
    """The compensations of the class whose body has ended, by the name of the node each undoes.

    `base` are those it inherits, `nodes` all its nodes by name. Its own take the place of
    inherited ones. DefinitionError for one whose node is gone, or whose name is taken.
    """
    own = {made.of: made for made in compensations_in(body)}
    for made in own.values():
        if made.of not in nodes:
            raise made.mistake(
                f"it is to undo {made.of}, which this class has taken out; take it out too"
            )
    inherited = {
        of: kept
        for of, kept in base.items()
        if of in nodes and of not in own and _is_kept(kept, body)
    }
    found = {**inherited, **own}
    return {name: found[name] for name in nodes if name in found}


def _is_kept(inherited: Compensation, body: ClassBody) -> bool:
    name = inherited.name or ""
    taker = body.nodes.get(name)
    if taker is not None:
        raise taker.mistake(
            f"{inherited.owner}.{name} is the compensation of {inherited.of}, and this "
            f"{taker.noun} cannot take its place; {inherited.redefining} to redefine that, or give "
            "it another name"
        )
    return name not in body  # name = None, or the body would have refused it
