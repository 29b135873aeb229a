"""Waiting: the waits as methods of `self`, for plain steps: ``self.wait_for_event("payment")``.

A method builds the same `Request` as its twin in the class body and hands it to the attempt, which
answers or leaves the body. Arguments are values here, no callables, and a name is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from durable_django.definition.async_waiting import AsyncWaiting
from durable_django.definition.durations import Duration
from durable_django.definition.requests import NO_VALUE
from durable_django.definition.wait_arguments import read_name
from durable_django.definition.wait_requests import checked_once, request_in_step

if TYPE_CHECKING:
    from durable_django.definition.answers import Answer
    from durable_django.definition.workflow import Workflow


class Waiting(AsyncWaiting):
    """What a step can wait for. When the wait is over the body runs again from its top, and what
    was found before is given again at once: the calls have to come in the same order.

    Each method gives what its twin in the class body has as output, and takes the same arguments;
    TypeError or ValueError names one that is wrong.
    """

    def sleep_for(self, duration: Duration) -> None:
        """Goes on after `duration`, a timedelta or seconds."""
        self._attempt.wait(request_in_step("sleep_for", self, {"duration": duration}))

    def sleep_until(self, moment: datetime) -> None:
        """Goes on at `moment`, an aware datetime."""
        self._attempt.wait(request_in_step("sleep_until", self, {"moment": moment}))

    def wait_for_event(
        self,
        name: str,
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """The payload of the event `name`, with that `key` if one is given. `WaitTimeout` after
        `timeout`, or `timeout_value` where one is given.
        """
        given = {"key": key, "timeout": timeout, "timeout_value": timeout_value}
        return self._attempt.wait(request_in_step("wait_for_event", self, given, name))

    def wait_for_any(
        self,
        names: Sequence[str],
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """``(name, payload)`` of the first of several events; the rest as for `wait_for_event`."""
        given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
        return self._attempt.wait(request_in_step("wait_for_any", self, given))

    def wait_for_all(
        self,
        names: Sequence[str],
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """``{name: payload}`` of several events; the rest as for `wait_for_event`."""
        given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
        return self._attempt.wait(request_in_step("wait_for_all", self, given))

    def wait_for_input(
        self,
        name: str,
        *,
        prompt: str = "",
        fields: Any = None,
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """What a person gives. `prompt` is formatted with keys of the context: what somebody else
        wrote belongs into the context, not into the prompt.
        """
        given = {
            "prompt": prompt,
            "fields": fields,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        return self._attempt.wait(request_in_step("wait_for_input", self, given, name))

    def wait_for_approval(
        self,
        name: str,
        *,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """A person's "approved" or "rejected"; arguments as for `wait_for_input`."""
        given = {
            "prompt": prompt,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        return self._attempt.wait(request_in_step("wait_for_approval", self, given, name))

    def wait_for_choice(
        self,
        name: str,
        *,
        choices: Any,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """The one of `choices` that a person chooses; the rest as for `wait_for_input`."""
        given = {
            "prompt": prompt,
            "choices": choices,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        return self._attempt.wait(request_in_step("wait_for_choice", self, given, name))

    def wait_for_text(
        self,
        name: str,
        *,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """The text that a person writes; arguments as for `wait_for_input`."""
        given = {
            "prompt": prompt,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        return self._attempt.wait(request_in_step("wait_for_text", self, given, name))

    def wait_for_form(
        self,
        name: str,
        *,
        fields: Any,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """A dict of the `fields` that a person fills in; the rest as for `wait_for_input`."""
        given = {
            "prompt": prompt,
            "fields": fields,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        return self._attempt.wait(request_in_step("wait_for_form", self, given, name))

    def wait_for_callback(
        self, name: str, timeout: Duration | None = None, timeout_value: Any = NO_VALUE
    ) -> Any:
        """The JSON that an outside system posts to ``self.callback_url(name)``."""
        given = {"timeout": timeout, "timeout_value": timeout_value}
        return self._attempt.wait(request_in_step("wait_for_callback", self, given, name))

    def call_workflow(
        self,
        workflow: type[Workflow] | str,
        input: Any = None,
        *,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
        on_cancel: str = "cancel",
    ) -> Any:
        """The result of the workflow, a class, a registered name or "self", started with `input`.
        `ChildFailed` when it does not complete.
        """
        given = {
            "workflow": workflow,
            "input": input,
            "timeout": timeout,
            "timeout_value": timeout_value,
            "on_cancel": on_cancel,
        }
        return self._attempt.wait(request_in_step("call_workflow", self, given))

    def start_workflow(
        self,
        workflow: type[Workflow] | str,
        input: Any = None,
        *,
        queue: str = NO_VALUE,
        priority: int = NO_VALUE,
        timeout: Duration | None = NO_VALUE,
        scheduled_at: datetime | None = NO_VALUE,
        idempotency_key: str | None = NO_VALUE,
        tags: Iterable[str] | Mapping[str, Any] | None = NO_VALUE,
    ) -> Any:
        """Starts a workflow and goes on; its id. A body that runs again starts it no second time.
        Options as for `durable_django.start`.
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
        return self._attempt.wait(request_in_step("start_workflow", self, given))

    def once(self, key: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """``function(*args, **kwargs)``, called once in this visit of the step: the value is kept,
        and given again when the body or the step runs again. `key` tells what it is.

        Example::

            token = self.once("token", secrets.token_urlsafe)
        """
        checked_once(key, function, may_await=False)
        return self._attempt.once(key, function, args, kwargs)

    # Beside the waits

    @property
    def answers(self) -> Mapping[str, Answer]:
        """Who answered the requests for input so far, by node name: an `Answer` with the value, by
        whom, their comment and when. KeyError for one that nobody has answered.
        """
        return self._attempt.answers

    def callback_url(self, name: str) -> str:
        """A signed URL for an outside system, to which it posts the JSON that
        ``wait_for_callback(name)`` gives. Needs the setting `BASE_URL`.
        """
        return self._attempt.callback_url(read_name(name))
