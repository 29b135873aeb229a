"""The nodes that wait, or start a workflow: what the functions in `waits` make.

A node judges its arguments when it is made, and says what it waits for when a run comes to it. It
waits for nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from django.utils import translation

from durable_django.definition.body import Place, find_place
from durable_django.definition.conditions import ask_callable, fault_of_callable
from durable_django.definition.node import Node
from durable_django.definition.prompt import format_prompt
from durable_django.definition.requests import NO_VALUE, Request
from durable_django.definition.shown import own_copy, read_words, shown
from durable_django.definition.wait_arguments import read_name
from durable_django.definition.wait_requests import (
    compose,
    fault_of_constant_timeout,
    fault_together,
    read_argument,
    settle_argument,
)
from durable_django.exceptions import DefinitionError

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition
    from durable_django.definition.retry import Retry


T = TypeVar("T")
# An argument, or what is asked for it when a run comes to the node.
OrAsked: TypeAlias = T | Callable[[Any], T]


@dataclass(frozen=True)
class Asked:
    """An argument that is asked of the run when it comes to the node."""

    function: Callable[[Any], Any]


class DeclaredWait(Node):
    """A wait in the class body: ``approval = wait_for_approval(timeout=days(3))``.

    `function` is the name of the function that made it; `arguments` what it was given, by name,
    each as kept or an `Asked`. It is run as a step without retry would be: `body` says what is
    waited for, and the node completes when that has come.
    """

    is_async: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    at_most_once: ClassVar[bool] = False
    timeout: ClassVar[float | None] = None
    retry: ClassVar[Retry | None] = None
    doc: ClassVar[str] = ""

    def __init__(self, function: str, arguments: Mapping[str, Any]) -> None:
        self.function = function
        super().__init__(_find_place(function))
        given = {key: value for key, value in arguments.items() if value is not NO_VALUE}
        self.arguments: dict[str, Any] = {
            key: self._checked(key, value) for key, value in given.items()
        }
        timeout = self.arguments.get("timeout")
        fault = fault_together(self.arguments) or fault_of_constant_timeout(function, timeout)
        if fault is not None:
            raise self.mistake(fault)

    @property
    def awaited(self) -> str | None:
        """The name an event, an answer or a callback for it is sent under; None for a wait that is
        found in another way: a sleep, several events, a called workflow.
        """
        return None

    @property
    def noun(self) -> str:
        return self.function

    @property
    def redefining(self) -> str:
        return f"write {self.name} = {self.function}(…)"

    def body(self, workflow: Any) -> Request:
        """What this run waits for here: the callables are asked now, the prompt is formatted.

        Whatever a callable raises; TypeError or ValueError naming an argument for what it gives;
        KeyError for a key that the prompt asks for in vain.
        """
        read = {key: self._settled(key, value, workflow) for key, value in self.arguments.items()}
        return compose(self.function, read, self.awaited or "", type(workflow))

    def check_complete(self) -> None:
        if self.name is None:
            raise self.mistake(
                f"{self.function}(…) was made here but not assigned to a name of its own; "
                f"write name = {self.function}(…)"
            )

    def structure(self, definition: Definition) -> dict[str, Any]:
        told = {**super().structure(definition), "function": self.function}
        if self.awaited is not None:
            told["wait"] = self.awaited
        # Without a language, so that all who store the structure store the same.
        with translation.override(None):
            told.update({key: self._shown(key) for key in self.arguments if key != "input"})
        return told

    def _shown(self, argument: str) -> Any:
        value = self.arguments[argument]
        if isinstance(value, Asked):
            return "callable"
        return shown(None if argument == "key" and not value else value)

    def _checked(self, argument: str, value: Any) -> Any:
        if isinstance(value, Node):
            raise self.mistake(
                f"{argument} is the {value.noun} {value.label}, not what it gave; write "
                f'lambda self: self.outputs["{value.label}"]'
            )
        # A class is a workflow to call, or TextChoices, but no question.
        if callable(value) and not isinstance(value, type) and argument != "fields":
            fault = fault_of_callable(value)
            if fault is not None:
                raise self.mistake(f"{argument} {fault}")
            return Asked(value)
        try:
            return read_argument(self.function, argument, value)
        except (TypeError, ValueError) as error:
            raise self.mistake(str(error)) from None

    def _settled(self, argument: str, value: Any, workflow: Any) -> Any:
        if not isinstance(value, Asked):
            if argument == "prompt":
                return format_prompt(str(value), workflow.context)
            # What `clean_input` does to it is done to a copy.
            return own_copy(value) if argument == "input" else value
        answer = ask_callable(argument, value.function, workflow)
        if argument == "prompt":  # said as it is: it may hold what somebody wrote
            return str(read_words(answer, argument))
        return settle_argument(self.function, argument, answer)


class NamedWait(DeclaredWait):
    """A wait for something that is sent under a name, by default the node's."""

    def __init__(self, function: str, name: object, arguments: Mapping[str, Any]) -> None:
        self._awaited: str | None = None
        super().__init__(function, arguments)
        if name is not None:
            try:
                self._awaited = read_name(name)
            except (TypeError, ValueError) as error:
                raise self.mistake(str(error)) from None

    @property
    def awaited(self) -> str | None:
        return self._awaited or self.name


class Sleep(DeclaredWait):
    """A node that waits for a time: `sleep_for`, `sleep_until`."""

    kind: ClassVar[str] = "sleep"


class EventWait(NamedWait):
    """A node that waits for an event: `wait_for_event`."""

    kind: ClassVar[str] = "event"


class AnyWait(DeclaredWait):
    """A node that waits for the first of several events: `wait_for_any`."""

    kind: ClassVar[str] = "any"


class AllWait(DeclaredWait):
    """A node that waits for several events: `wait_for_all`."""

    kind: ClassVar[str] = "all"


class InputWait(NamedWait):
    """A node that waits for a person: `wait_for_input`, `wait_for_approval`, …"""

    kind: ClassVar[str] = "input"

    @property
    def form(self) -> str:
        """What kind of answer: "input", "approval", "choice", "text" or "form"."""
        return self.function.removeprefix("wait_for_")

    def structure(self, definition: Definition) -> dict[str, Any]:
        return {**super().structure(definition), "form": self.form}

    def _shown(self, argument: str) -> Any:
        value = self.arguments[argument]
        if argument == "assignee" and isinstance(value, tuple):
            return ":".join(value)
        return super()._shown(argument)


class CallbackWait(NamedWait):
    """A node that waits for what an outside system posts to its URL: `wait_for_callback`."""

    kind: ClassVar[str] = "callback"


class ChildNode(DeclaredWait):
    """A node that starts another workflow. What Call and Start have in common."""

    @property
    def workflow(self) -> Any:
        """Which workflow: a class, a registered name, "self", or None where the run is asked."""
        given = self.arguments["workflow"]
        return None if isinstance(given, Asked) else given

    def _shown(self, argument: str) -> Any:
        if argument == "workflow" and isinstance(self.workflow, type):
            definition: Definition = self.workflow.definition  # type: ignore[attr-defined]
            return definition.name
        return super()._shown(argument)


class Call(ChildNode):
    """A node that starts a workflow and waits for its result: `call_workflow`."""

    kind: ClassVar[str] = "call"


class Start(ChildNode):
    """A node that starts a workflow and goes on: `start_workflow`."""

    kind: ClassVar[str] = "start"


def _find_place(function: str) -> Place:
    try:
        return find_place(function)
    except DefinitionError as error:
        raise DefinitionError(
            f"{error.message}; in a step, write self.{function}(…), in an async one await "
            f"self.a{function}(…)",
            filename=error.filename,
            line=error.line,
        ) from None
