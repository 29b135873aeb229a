"""AsyncWaiting: the waits as methods of `self`, for async steps: ``await self.asleep_for(60)``.

Each is the twin of a method of `Waiting` in every argument and answer. Where the step is no
coroutine, nothing awaits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from durable_django.definition.durations import Duration
from durable_django.definition.requests import NO_VALUE
from durable_django.definition.wait_requests import checked_once, request_in_step

if TYPE_CHECKING:
    from durable_django.definition.workflow import Attempt, Workflow


class AsyncWaiting:
    """What an async step can wait for. See `Waiting` for each method."""

    _attempt: Attempt

    async def asleep_for(self, duration: Duration) -> None:
        """`sleep_for`, awaited."""
        request = request_in_step("sleep_for", self, {"duration": duration})
        await self._attempt.wait_async(request)

    async def asleep_until(self, moment: datetime) -> None:
        """`sleep_until`, awaited."""
        request = request_in_step("sleep_until", self, {"moment": moment})
        await self._attempt.wait_async(request)

    async def await_for_event(
        self,
        name: str,
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_event`, awaited."""
        given = {"key": key, "timeout": timeout, "timeout_value": timeout_value}
        request = request_in_step("wait_for_event", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_any(
        self,
        names: Sequence[str],
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_any`, awaited."""
        given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
        request = request_in_step("wait_for_any", self, given)
        return await self._attempt.wait_async(request)

    async def await_for_all(
        self,
        names: Sequence[str],
        key: str | None = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_all`, awaited."""
        given = {"names": names, "key": key, "timeout": timeout, "timeout_value": timeout_value}
        request = request_in_step("wait_for_all", self, given)
        return await self._attempt.wait_async(request)

    async def await_for_input(
        self,
        name: str,
        *,
        prompt: str = "",
        fields: Any = None,
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_input`, awaited."""
        given = {
            "prompt": prompt,
            "fields": fields,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        request = request_in_step("wait_for_input", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_approval(
        self,
        name: str,
        *,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_approval`, awaited."""
        given = {
            "prompt": prompt,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        request = request_in_step("wait_for_approval", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_choice(
        self,
        name: str,
        *,
        choices: Any,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_choice`, awaited."""
        given = {
            "prompt": prompt,
            "choices": choices,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        request = request_in_step("wait_for_choice", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_text(
        self,
        name: str,
        *,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_text`, awaited."""
        given = {
            "prompt": prompt,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        request = request_in_step("wait_for_text", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_form(
        self,
        name: str,
        *,
        fields: Any,
        prompt: str = "",
        assignee: Any = None,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
    ) -> Any:
        """`wait_for_form`, awaited."""
        given = {
            "prompt": prompt,
            "fields": fields,
            "assignee": assignee,
            "timeout": timeout,
            "timeout_value": timeout_value,
        }
        request = request_in_step("wait_for_form", self, given, name)
        return await self._attempt.wait_async(request)

    async def await_for_callback(
        self, name: str, timeout: Duration | None = None, timeout_value: Any = NO_VALUE
    ) -> Any:
        """`wait_for_callback`, awaited."""
        given = {"timeout": timeout, "timeout_value": timeout_value}
        request = request_in_step("wait_for_callback", self, given, name)
        return await self._attempt.wait_async(request)

    async def acall_workflow(
        self,
        workflow: type[Workflow] | str,
        input: Any = None,
        *,
        timeout: Duration | None = None,
        timeout_value: Any = NO_VALUE,
        on_cancel: str = "cancel",
    ) -> Any:
        """`call_workflow`, awaited."""
        given = {
            "workflow": workflow,
            "input": input,
            "timeout": timeout,
            "timeout_value": timeout_value,
            "on_cancel": on_cancel,
        }
        request = request_in_step("call_workflow", self, given)
        return await self._attempt.wait_async(request)

    async def astart_workflow(
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
        """`start_workflow`, awaited."""
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
        request = request_in_step("start_workflow", self, given)
        return await self._attempt.wait_async(request)

    async def aonce(
        self, key: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        """`once`, awaited; `function` may be an async def."""
        checked_once(key, function, may_await=True)
        return await self._attempt.once_async(key, function, args, kwargs)
