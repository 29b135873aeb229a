"""The errors, all in one place. Imports nothing of the package, so that every layer may import it.

DurableError
 ├─ DefinitionError           a mistake in a workflow class, told at import with file and line
 ├─ WorkflowNotFound          no such name (or version) is registered
 ├─ QueueNotFound             no such queue
 ├─ ExecutionNotFound         no such run
 ├─ ScheduleNotFound          no such schedule
 ├─ InvalidState              the state of the run does not allow the call
 ├─ ExecutionFailed           get_result() of a run that did not complete
 ├─ NotSerializable           a value that cannot be stored, with its path
 │   └─ PayloadTooLarge
 ├─ NotInStep                 durable_django.context used outside a step
 ├─ InstanceState             self.foo = … in a step
 ├─ NodeCalled                self.other_node() in a step
 ├─ Fatal                     raised by a step: fail, do not retry
 ├─ RetryAfter                raised by a step: try again in so many seconds
 ├─ StepTimeout               an attempt ran longer than its step's timeout
 ├─ StepInterrupted           the worker died inside an at_most_once step
 ├─ WorkflowTimeout           the run took longer than Meta.timeout
 ├─ WaitTimeout               a wait ran out of time, and has no timeout_value
 ├─ ChildFailed               a called workflow did not complete
 ├─ NonDeterministicStep      a step's waits are not those it was recorded with
 ├─ WorkerLost                a run's workers died in the same node too many times
 ├─ DefinitionChanged         the run's next node is gone from the code
 ├─ LoopLimitExceeded         max_iterations or max_visits
 └─ ContextConflict           two members set one context key to different values

Suspension (BaseException)    how the engine leaves a body; `except Exception` does not see it
 ├─ FinishRun                 self.finish(value)
 ├─ ParkRun                   a wait inside a step: the body runs again when it is over
 └─ AttemptAbandoned          the attempt lost its lease; nothing it does will be recorded
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

# What a timestamp can still be moved by: a longer delay is cut to this.
_DELAY_SECONDS_MAX = 1000 * 365 * 86_400


class DurableError(Exception):
    """The base of every error of durable_django.

    Example::

        try:
            durable.cancel(execution_id)
        except durable.DurableError as error:
            messages.error(request, str(error))
    """


class DefinitionError(DurableError):
    """A mistake in a workflow class. Raised while the class is made, that is at import.

    `filename` and `line` say where the mistake stands; either is None when it is not known. `str()`
    ends with them: ``step "charge" … (/srv/shop/workflows.py:12)``.
    """

    def __init__(
        self, message: str, *, filename: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.filename = filename
        self.line = line

    def __str__(self) -> str:
        if self.filename is None:
            return self.message
        place = self.filename if self.line is None else f"{self.filename}:{self.line}"
        return f"{self.message} ({place})"


class WorkflowNotFound(DurableError):
    """No workflow of that name (or that version of it) is registered."""


class QueueNotFound(DurableError):
    """No queue of that name exists."""


class ExecutionNotFound(DurableError):
    """No execution has that id."""


class ScheduleNotFound(DurableError):
    """No schedule has that id or key, or a workflow has several and none is named."""


class InvalidState(DurableError):
    """The state of the run does not allow the call: cancelling a completed one, for example.

    `status` is the run's status at that moment, a str, or None when the reason is another one.
    """

    def __init__(self, message: str, *, status: str | None = None) -> None:
        super().__init__(message)
        self.status = status


class ExecutionFailed(DurableError):
    """`get_result()` was asked of a run that ended without completing.

    `execution` is the run, `error` what it recorded: ``{"type", "message", "traceback", "node"}``
    or None.
    """

    def __init__(
        self, message: str, *, execution: Any = None, error: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.execution = execution
        self.error = error


class NotSerializable(DurableError):
    """A value that cannot be stored. `path` says where it is, ``input["items"][3]``; `reason` says
    why.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class PayloadTooLarge(NotSerializable):
    """A value larger than `MAX_PAYLOAD_BYTES`. `size` and `limit` are bytes of UTF-8."""

    def __init__(self, path: str, size: int, limit: int) -> None:
        super().__init__(path, f"{size:,} bytes are more than the {limit:,} allowed")
        self.args = (path, size, limit)
        self.size = size
        self.limit = limit


class NotInStep(DurableError):
    """A function of `durable_django.context` was called where no step is running."""


class InstanceState(DurableError):
    """An attribute was set on `self` in a step; it would be lost, as each attempt has its own."""


class NodeCalled(DurableError):
    """A step called another node as if it were a method. Nodes are run by the engine, in their
    order.
    """


class Fatal(DurableError):
    """Raise it in a step to fail at once, whatever the step's `Retry` allows.

    Example::

        if order["total"] <= 0:
            raise Fatal("an order of nothing cannot be charged")
    """


class RetryAfter(DurableError):
    """Raise it in a step to choose the delay before the next attempt yourself.

    `delay` is a number of seconds or a timedelta, kept as float seconds; a moment already past
    means at once. Counts as an attempt like any failure. TypeError or ValueError for what is no
    duration.

    Example::

        if response.status_code == 429:
            raise RetryAfter(int(response.headers["Retry-After"]))
    """

    def __init__(self, delay: float | timedelta, message: str = "") -> None:
        super().__init__(delay, message)
        self.delay = _delay_seconds(delay)
        self.message = message

    def __str__(self) -> str:
        return self.message or f"try again in {self.delay:g} seconds"


def _delay_seconds(delay: object) -> float:
    if isinstance(delay, timedelta):
        return max(delay.total_seconds(), 0.0)
    if isinstance(delay, bool) or not isinstance(delay, (int, float)):
        raise TypeError(
            f"RetryAfter takes a number of seconds or a timedelta, not {type(delay).__name__}"
        )
    if isinstance(delay, float) and not math.isfinite(delay):
        raise ValueError(f"RetryAfter takes a finite number of seconds, not {delay!r}")
    return float(min(max(delay, 0), _DELAY_SECONDS_MAX))


class StepTimeout(DurableError):
    """An attempt ran longer than its step's `timeout`. Counts as a failed attempt."""


class StepInterrupted(DurableError):
    """The worker died inside an `at_most_once` step, so nobody knows whether it took effect."""


class WorkflowTimeout(DurableError):
    """The run took longer than its workflow's `timeout`."""


class WaitTimeout(DurableError):
    """A wait ran out of time. With a ``timeout_value`` it gives that instead."""


class ChildFailed(DurableError):
    """A workflow called by ``call_workflow`` ended without completing.

    `child_id` is its id, a UUID; `status` how it ended ("failed", "cancelled", …); `error` what it
    recorded, ``{"type", "message", "traceback", "node"}``, or None.

    Example::

        try:
            parcel = self.call_workflow(Shipping, {"order": 7})
        except ChildFailed as failure:
            self.context["why"] = failure.error["message"]
    """

    def __init__(
        self,
        message: str,
        *,
        child_id: Any = None,
        status: str = "failed",
        error: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.child_id = child_id
        self.status = status
        self.error = error


class NonDeterministicStep(DurableError):
    """A body that is run again after a wait came to other waits than those recorded. The message
    names the position, what was recorded and what was found. Never retried.
    """


class WorkerLost(DurableError):
    """The workers that ran this node died, one after the other, `MAX_RECOVERIES` times."""


class DefinitionChanged(DurableError):
    """The node at which the run would go on is no longer in the workflow's code."""


class LoopLimitExceeded(DurableError):
    """A loop ran over its `max_iterations`, or jumps visited one node over `max_visits` times."""


class ContextConflict(DurableError):
    """Two members that ran at the same time set one context key to different values."""


class Suspension(BaseException):
    """How the engine leaves a body that is to stop here. Never an `Exception`: no `except` of a
    user may take it for an error. Internal; let it pass.
    """


class FinishRun(Suspension):
    """`self.finish(value)`: the whole run ends here, as completed, with `value` as its result."""

    def __init__(self, value: object = None) -> None:
        super().__init__(value)
        self.value = value


class ParkRun(Suspension):
    """A wait inside a step: the run leaves memory here, and the body runs again when it is over."""


class AttemptAbandoned(Suspension):
    """Raised into a thread whose attempt lost its lease: whatever it does will not be recorded."""
