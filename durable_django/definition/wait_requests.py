"""From the arguments of a wait to its Request: one way for the class body and for steps.

The arguments are read already; here they are put together, with the run at hand: the prompt is
formatted with its context. Nothing is stored and nobody waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from asgiref.sync import iscoroutinefunction

from durable_django.definition.input_fields import texts_settled
from durable_django.definition.prompt import format_prompt
from durable_django.definition.requests import NO_VALUE, Request
from durable_django.definition.wait_arguments import READERS, START_READERS, read_name

# What each function waits for, and which form an input has.
KINDS: dict[str, str] = {
    "sleep_for": "sleep",
    "sleep_until": "sleep",
    "wait_for_event": "event",
    "wait_for_any": "any",
    "wait_for_all": "all",
    "wait_for_input": "input",
    "wait_for_approval": "input",
    "wait_for_choice": "input",
    "wait_for_text": "input",
    "wait_for_form": "input",
    "wait_for_callback": "callback",
    "call_workflow": "call",
    "start_workflow": "start",
}
NAMED_KINDS = ("event", "input", "callback")

# With a timeout of 0 nobody could ever answer such a wait; an event may be there already.
_NEEDS_TIME = ("input", "call")


def read_argument(function: str, argument: str, value: Any) -> Any:
    """One argument as it stands in the class body, as kept. TypeError or ValueError names it."""
    if value is None and function == "wait_for_input" and argument == "fields":
        return []  # one text, or whatever code gives
    own = START_READERS if function == "start_workflow" else {}
    return (own.get(argument) or READERS[argument])(value, argument)


def settle_argument(function: str, argument: str, value: Any) -> Any:
    """One argument as a run has it, as kept. TypeError or ValueError names it.

    A run may count on from a moment, and come to this line again when that is over: less than no
    time left is none, and what a start may not have is told when it starts.
    """
    if function == "start_workflow" and argument in START_READERS:
        return value
    if argument in ("duration", "timeout") and _is_negative(value):
        return 0.0
    return read_argument(function, argument, value)


def _is_negative(duration: Any) -> bool:
    if isinstance(duration, timedelta):
        return duration < timedelta(0)
    return isinstance(duration, (int, float)) and duration < 0


def fault_together(given: Mapping[str, Any]) -> str | None:
    """Why the arguments, each fine by itself, make no wait together; or None."""
    if "timeout_value" in given and given.get("timeout") is None:
        return "timeout_value without a timeout would never be given; say the timeout, too"
    return None


def fault_of_constant_timeout(function: str, timeout: object) -> str | None:
    """Why a timeout written into the class makes no sense for this wait; or None."""
    if timeout == 0 and KINDS[function] in _NEEDS_TIME:
        return "timeout is 0, so nobody could ever answer in time"
    return None


def request_in_step(
    function: str, workflow: Any, given: Mapping[str, Any], name: object = None
) -> Request:
    """The Request of ``self.<function>(…)`` in a step. TypeError or ValueError names the argument
    that is wrong; KeyError a key that the prompt asks for in vain.
    """
    given = {key: value for key, value in given.items() if value is not NO_VALUE}
    named = read_name(name) if KINDS[function] in NAMED_KINDS else ""
    read = {key: settle_argument(function, key, value) for key, value in given.items()}
    fault = fault_together(read)
    if fault is not None:
        raise ValueError(fault)
    if "prompt" in read:
        read["prompt"] = format_prompt(str(read["prompt"]), workflow.context)
    return compose(function, read, named, type(workflow))


def compose(function: str, read: Mapping[str, Any], name: str, caller: Any) -> Request:
    """The Request of arguments that are read and settled. `name` is what is waited for, `caller`
    the workflow class of the run.
    """
    kind = KINDS[function]
    if kind == "sleep":
        return Request(kind, seconds=read.get("duration"), until=read.get("moment"))
    if kind in ("call", "start"):
        return _request_of_child(kind, read, caller)
    return Request(
        kind,
        name=name,
        names=read.get("names", ()),
        key=read.get("key", ""),
        seconds=read.get("timeout"),
        timeout_value=read.get("timeout_value", NO_VALUE),
        form=_form(function, read) if kind == "input" else None,
        assignee=read.get("assignee"),
    )


def _form(function: str, read: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "form": function.removeprefix("wait_for_"),
        "prompt": str(read.get("prompt", "")),
        "fields": texts_settled(read.get("fields", [])),
        "choices": texts_settled(read.get("choices", [])),
    }


def _request_of_child(kind: str, read: Mapping[str, Any], caller: Any) -> Request:
    name, version = _called(read["workflow"], caller)
    if kind == "start":
        options = {key: read[key] for key in START_READERS if key in read}
        return Request(kind, name, input=read.get("input"), version=version, options=options)
    return Request(
        kind,
        name,
        seconds=read.get("timeout"),
        timeout_value=read.get("timeout_value", NO_VALUE),
        input=read.get("input"),
        version=version,
        on_cancel=read.get("on_cancel", "cancel"),
    )


def _called(workflow: Any, caller: Any) -> tuple[str, int | None]:
    """Name and version of a workflow. A name has no version: which one it is, and whether there is
    one, is seen when it starts, and not again by a body that comes here a second time.
    """
    if isinstance(workflow, str) and workflow != "self":
        return workflow, None
    definition = (caller if workflow == "self" else workflow).definition
    return definition.name, definition.version


def checked_once(key: object, function: Any, *, may_await: bool) -> None:
    """TypeError or ValueError for what `once` cannot remember or call."""
    read_name(key, "key")
    if not callable(function):
        raise TypeError(
            f"function is what to call, not {function!r:.80}; give its arguments behind it: "
            'self.once("token", make_token, 16)'
        )
    if not may_await and iscoroutinefunction(function):
        raise TypeError("function is an async def, and once does not await; use self.aonce(…)")
