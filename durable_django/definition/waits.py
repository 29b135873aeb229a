"""The functions that make waits in a class body: for times, events, callbacks and workflows.

Those for people stand in `wait_inputs`. Each has a twin of the same name on `self`, for steps.
They make nodes, and wait for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from durable_django.definition.durations import Duration
from durable_django.definition.requests import NO_VALUE
from durable_django.definition.wait_nodes import (
    AllWait,
    AnyWait,
    Call,
    CallbackWait,
    EventWait,
    OrAsked,
    Sleep,
    Start,
)

if TYPE_CHECKING:
    from durable_django.definition.workflow import Workflow


def sleep_for(duration: OrAsked[Duration]) -> Sleep:
    """A node that goes on after `duration`, a timedelta or seconds. Its output is None.

    As every argument of a wait but `name` and `fields`, `duration` may be a callable(self), asked
    once when a run comes to the node. `DefinitionError` for what is no duration.

    Example::

        pause = sleep_for(minutes(5))
    """
    return Sleep("sleep_for", {"duration": duration})


def sleep_until(moment: OrAsked[datetime]) -> Sleep:
    """A node that goes on at `moment`, an aware datetime; at once when that is over. Its output is
    None.

    What stands here is read when the module is imported: a moment that each run has its own of is
    asked for, as in the example. `DefinitionError` for a naive datetime.

    Example::

        morning = sleep_until(lambda self: next_business_day(hour=9))
    """
    return Sleep("sleep_until", {"moment": moment})


def wait_for_event(
    name: str | None = None,
    key: OrAsked[str | None] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> EventWait:
    """A node that waits for an event; its output is the event's payload. One that was sent before
    is taken, too, the oldest first.

    `name`: of the event, the node's own by default. `key`: only events sent with this key are
    meant. `timeout`: a timedelta or seconds; then the node fails with `WaitTimeout`, or gives
    `timeout_value`, where one is given (None is one). 0 takes only what is there already.

    Example::

        paid = wait_for_event("payment", key=lambda self: self.input["invoice"], timeout=days(7))
    """
    return EventWait(
        "wait_for_event", name, {"key": key, "timeout": timeout, "timeout_value": timeout_value}
    )


def wait_for_any(
    names: OrAsked[Sequence[str]],
    key: OrAsked[str | None] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> AnyWait:
    """A node that waits for the first of several events; its output is ``(name, payload)``.

    `names`: of the events; the rest as for `wait_for_event`.

    Example::

        outcome = wait_for_any(["payment.success", "payment.failure"], timeout=hours(1))
    """
    given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
    return AnyWait("wait_for_any", given)


def wait_for_all(
    names: OrAsked[Sequence[str]],
    key: OrAsked[str | None] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> AllWait:
    """A node that waits for several events; its output is ``{name: payload}``.

    `names`: of the events; the rest as for `wait_for_event`. When the time is up before all have
    come, those that have are not used up.

    Example::

        signed = wait_for_all(["signed.tenant", "signed.landlord"], timeout=days(14))
    """
    given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
    return AllWait("wait_for_all", given)


def wait_for_callback(
    name: str | None = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> CallbackWait:
    """A node that waits for the JSON that an outside system posts to ``self.callback_url(name)``;
    that is its output.

    `name`: the node's own by default. `timeout` and `timeout_value` as for `wait_for_event`.

    Example::

        scanned = wait_for_callback("scan", timeout=hours(1))
    """
    given = {"timeout": timeout, "timeout_value": timeout_value}
    return CallbackWait("wait_for_callback", name, given)


def call_workflow(
    workflow: type[Workflow] | str | Callable[[Any], Any],
    input: Any = None,
    *,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
    on_cancel: OrAsked[str] = "cancel",
) -> Call:
    """A node that starts a workflow and waits for it to end; its output is the child's result. A
    child that does not complete fails the node with `ChildFailed`.

    `workflow`: a class, a registered name, or "self" for the workflow this stands in. `input`: of
    the child. `timeout`: then the child is cancelled, and the node fails with `WaitTimeout` or
    gives `timeout_value`. `on_cancel`: what becomes of the child when this run is cancelled,
    "cancel" or "abandon".

    Example::

        parcel = call_workflow("shipping", lambda self: {"order": self.context["order_id"]})
    """
    given = {
        "workflow": workflow,
        "input": input,
        "timeout": timeout,
        "timeout_value": timeout_value,
        "on_cancel": on_cancel,
    }
    return Call("call_workflow", given)


def start_workflow(
    workflow: type[Workflow] | str | Callable[[Any], Any],
    input: Any = None,
    *,
    queue: OrAsked[str] = NO_VALUE,
    priority: OrAsked[int] = NO_VALUE,
    timeout: OrAsked[Duration | None] = NO_VALUE,
    scheduled_at: OrAsked[datetime | None] = NO_VALUE,
    idempotency_key: OrAsked[str | None] = NO_VALUE,
    tags: OrAsked[Iterable[str] | Mapping[str, Any] | None] = NO_VALUE,
) -> Start:
    """A node that starts a workflow and goes on; its output is the id of the run it started, which
    is on its own from then on: it is not cancelled with this one.

    `workflow` and `input` as for `call_workflow`, the options as for `durable_django.start`.

    Example::

        newsletter = start_workflow(
            "newsletter", {"issue": 7}, scheduled_at=lambda self: next_weekday("monday")
        )
    """
    given = {
        "workflow": workflow,
        "input": input,
        "queue": queue,
        "priority": priority,
        "timeout": timeout,
        "scheduled_at": scheduled_at,
        "idempotency_key": idempotency_key,
        "tags": tags,
    }
    return Start("start_workflow", given)
