"""Definition: the frozen description of one workflow class, which everything else reads.

Built once, when the class is complete. It answers what comes next and what stands where; it decides
nothing about a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from durable_django.definition.blocks import Block
from durable_django.definition.compensation import Compensation
from durable_django.definition.edges import edges
from durable_django.definition.inheritance import named
from durable_django.definition.nodes import Node, Step
from durable_django.definition.options import Options
from durable_django.definition.retry import NO_RETRY, Retry

if TYPE_CHECKING:
    from durable_django.definition.workflow import Workflow


@dataclass(frozen=True, eq=False)
class Definition:
    """What a workflow class says: ``ProcessOrder.definition``.

    `workflow` is the class; `name`, `version` and `options` its Meta; `nodes` all nodes by name and
    `top` those outside any block, both in the order they stand; `first` is the name of the first;
    `compensations` are the Compensations by the name of the node each undoes.

    Example::

        ProcessOrder.definition.next_of("validate")  # "calculate_total"
    """

    workflow: type[Workflow] = field(repr=False)
    options: Options = field(repr=False)
    top: tuple[Node, ...] = field(repr=False)
    compensations: Mapping[str, Compensation] = field(repr=False)
    name: str = field(init=False)
    version: int = field(init=False)
    first: str = field(init=False)
    nodes: Mapping[str, Node] = field(init=False, repr=False)
    _has_jumps: bool = field(init=False, repr=False)
    _next: dict[str, str | None] = field(init=False, repr=False, default_factory=dict)
    _chain: dict[str, tuple[str, ...]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._place(self.top, (), side_by_side=False)
        nodes = named(self.top)
        for key, value in (
            ("name", self.options.name),
            ("version", self.options.version),
            ("first", next(iter(nodes))),
            ("nodes", MappingProxyType(nodes)),
            ("compensations", MappingProxyType(dict(self.compensations))),
            ("_has_jumps", any(node.kind == "decision" for node in nodes.values())),
        ):
            object.__setattr__(self, key, value)

    def _place(
        self, nodes: tuple[Node, ...], chain: tuple[str, ...], *, side_by_side: bool
    ) -> None:
        following = [None] * len(nodes) if side_by_side else [*nodes[1:], None]
        for node, after in zip(nodes, following, strict=True):
            if node.name is not None:
                self._next[node.name] = after.name if after is not None else None
                self._chain[node.name] = chain
            if isinstance(node, Block):
                self._place(node.children, (*chain, node.label), side_by_side=node.side_by_side)

    @property
    def has_jumps(self) -> bool:
        """Whether a node can be visited again other than by a loop's next iteration."""
        return self._has_jumps

    def next_of(self, name: str) -> str | None:
        """The node that follows `name` in the same block; None for the last, and for a member of a
        parallel or race, which nothing follows. KeyError if unknown.
        """
        return self._next[name]

    def chain_of(self, name: str) -> tuple[str, ...]:
        """The blocks around `name`, outermost first; empty at the top. KeyError if unknown."""
        return self._chain[name]

    def retry_of(self, name: str) -> Retry:
        """How the node is retried: its own Retry, or Meta's, or not at all. KeyError if unknown.

        Meta.retry is for steps and decisions; a block is not retried.
        """
        node = self.nodes[name]
        if not isinstance(node, Step):
            return NO_RETRY
        return node.retry or self.options.retry or NO_RETRY

    def compensation_named(self, name: str) -> Compensation | None:
        """The compensation whose own name this is (``"refund"``), or None."""
        return next((made for made in self.compensations.values() if made.name == name), None)

    def structure(self) -> dict[str, Any]:
        """The plan as JSON-able data, to be stored, compared and drawn: ``{"nodes": [{"name": …}],
        "edges": [{"from": …, "to": …, "kind": …}], …}``. Durations are seconds.
        """
        return {
            "nodes": [node.structure(self) for node in self.top],
            "edges": list(edges(self.top)),
            "timeout": self.options.timeout,
            "max_retries": self.options.max_retries,
            "sensitive": sorted(self.options.sensitive),
        }
