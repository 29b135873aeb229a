"""Decision: a function that says where the run goes on, and the `@decision` that makes one.

Checks that its targets can be reached. It moves no run itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from durable_django.definition.body import ClassBody, find_place
from durable_django.definition.conditions import checked_limit, mistake_in_plan
from durable_django.definition.durations import Duration
from durable_django.definition.node import Node
from durable_django.definition.nodes import Step
from durable_django.definition.retry import Retry
from durable_django.definition.spelling import did_you_mean

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition

VISITS_MAX = 1000


class Decision(Step):
    """A step that names the node to go on with: what `@decision` makes.

    `to` are the names it may give, nodes of its own block; `max_visits` how often the run may come
    to one of them by a jump.
    """

    kind: ClassVar[str] = "decision"

    def __init__(
        self,
        body: Callable[[Any], Any],
        *,
        to: Sequence[str | Node],
        max_visits: int = VISITS_MAX,
        retry: Retry | None = None,
        timeout: Duration | None = None,
    ) -> None:
        super().__init__(body, retry=retry, timeout=timeout)
        self.to = self._checked_targets(to, find_place(self.kind).body)
        self.max_visits = checked_limit(self, "max_visits", max_visits)

    def target_of(self, value: object) -> str | None:
        """What the body gave, as the name to go on with; None is the node that follows.

        ValueError or TypeError for what is no target of this decision.
        """
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(
                f"the decision {self.label} gives a node's name or None, not {value!r:.80}"
            )
        name = str.__str__(value)
        if name not in self.to:
            raise ValueError(
                f'the decision {self.label} gave "{name:.80}", which is not in its '
                f"to=[{', '.join(self.to)}]{did_you_mean(name, self.to)}"
            )
        return name

    def structure(self, definition: Definition) -> dict[str, Any]:
        return {
            **super().structure(definition),
            "to": list(self.to),
            "max_visits": self.max_visits,
        }

    def check_plan(self, nodes: Mapping[str, Node], body: ClassBody) -> None:
        for target in self.to:
            fault = self._fault_of_target(target, nodes)
            if fault is not None:
                raise mistake_in_plan(self, fault, body)

    def _fault_of_target(self, target: str, nodes: Mapping[str, Node]) -> str | None:
        node = nodes.get(target)
        if node is None:
            near = [name for name, other in nodes.items() if other.block is self.block]
            return (
                f'there is no node "{target}" to jump to'
                f"{did_you_mean(target, (name for name in near if name != self.name))}"
            )
        if node is self:
            return "it jumps to itself, which decides nothing; name a node before it"
        if node.block is not self.block:
            return (
                f"{target} stands {_where(node)} and {self.label} {_where(self)}; "
                "a jump stays in its own block"
            )
        return None

    def _checked_targets(self, to: object, body: ClassBody) -> tuple[str, ...]:
        if isinstance(to, (str, Node)) or not isinstance(to, Sequence):
            raise self.mistake(
                f'to is a list of nodes or their names, like to=["pay_out"], not {to!r:.80}'
            )
        if not to:
            raise self.mistake(
                'a decision says where it may jump to: write @decision(to=["pay_out"])'
            )
        names = tuple(self._checked_target(target, body) for target in to)
        for index, name in enumerate(names):
            if name in names[:index]:
                raise self.mistake(f'"{name}" stands twice in to')
        return names

    def _checked_target(self, target: object, body: ClassBody) -> str:
        if isinstance(target, str):
            return str.__str__(target)
        if not isinstance(target, Node):
            raise self.mistake(f"a target in to is a node or its name, not {target!r:.80}")
        if not target.in_plan:
            raise self.mistake(
                f"{target.label} in to is a {target.kind}, which has no place in the order to go "
                "on from"
            )
        if not body.has(target):
            raise self.mistake(
                f"{target.owner}.{target.label} in to is a node of {target.owner}, and a jump "
                "stays in its own workflow"
            )
        if target.name is None:
            raise self.mistake(f"the {target.kind} in to has no name; give its name as a string")
        return target.name


def decision(
    body: None = None,
    /,
    *,
    to: Sequence[str | Node] = (),
    max_visits: int = VISITS_MAX,
    retry: Retry | None = None,
    timeout: Duration | None = None,
) -> Callable[[Callable[[Any], Any]], Decision]:
    """Makes a method of a workflow a decision: it returns the name of the node to go on with,
    before it or behind it in the same block, or None for the one that follows.

    `to`: all names it may return, or the nodes themselves. `max_visits`: how often the run may come
    to a node by a jump; one more fails it with `LoopLimitExceeded`. `retry` and `timeout` as for a
    step. What it returned is recorded and never asked again. `DefinitionError` for what cannot be a
    decision.

    Example::

        @decision(to=["collect_documents"])
        def complete(self):
            return None if self.context["complete"] else "collect_documents"
    """

    def decorate(function: Callable[[Any], Any]) -> Decision:
        return Decision(function, to=to, max_visits=max_visits, retry=retry, timeout=timeout)

    # Bare @decision gives the function here: it has no targets, and the Decision says so.
    return decorate if body is None else decorate(body)


def _where(node: Node) -> str:
    return f"in the {node.block.kind} {node.block.label}" if node.block else "outside of any block"
