"""What people call: start, look up, cancel. Each judges its arguments before it writes.

All can be called inside the caller's transaction on the same database and then commit or roll back
with it; only ``get_result`` cannot. Models are imported when a function runs, so that a project's
own ``models.py`` may import this.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from asgiref.sync import sync_to_async

from .conf import settings
from .definition import registry
from .definition.durations import Duration, to_seconds
from .engine import values
from .engine.ids import pk_of
from .exceptions import ExecutionFailed, ExecutionNotFound, InvalidState
from .store.options import UNSET, input_text, settled
from .store.options import tags_given as _tags

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from .definition.workflow import Workflow
    from .models import Execution

    WorkflowLike: TypeAlias = type[Workflow] | str
    ExecutionLike: TypeAlias = UUID | str | Execution


POLL_SECONDS_FIRST = 0.01
POLL_SECONDS_LAST = 0.25


def start(
    workflow: WorkflowLike,
    input: Any = None,
    *,
    queue: str = UNSET,
    priority: int = UNSET,
    timeout: Duration | None = UNSET,
    scheduled_at: datetime | None = None,
    idempotency_key: str | None = None,
    tags: Iterable[str] | Mapping[str, Any] | None = None,
    by: Any = None,
) -> Execution:
    """Starts a run and returns its Execution; workers take it up when the transaction commits.

    ``workflow`` is a class or a registered name. ``queue``, ``priority`` (higher first) and
    ``timeout`` (timedelta or seconds; None: no limit) are the workflow's own unless given.
    ``scheduled_at`` is an aware datetime before which the run does not begin. With an
    ``idempotency_key`` already used for this workflow, the execution that has it is returned and
    nothing is started. ``tags`` are strings, or a mapping of names to scalars, to find the run by.
    ``by`` is a user or a text, kept in the run's history.

    Raises WorkflowNotFound, QueueNotFound, NotSerializable (naming the path in the input),
    PayloadTooLarge, whatever ``clean_input`` raises, TypeError or ValueError naming an argument.

    >>> execution = durable.start(ProcessOrder, {"order": {"id": 7, "items": []}})  # doctest: +SKIP
    """
    from .store import starting

    cls = registry.resolve(workflow)
    options = settled(
        cls,
        queue=queue,
        priority=priority,
        timeout=timeout,
        scheduled_at=scheduled_at,
        idempotency_key=idempotency_key,
        tags=tags,
    )
    execution, created = starting.insert(options, input_text(cls, input), by=by)
    if created:
        starting.tell_started(cls.definition.name, [execution.pk])
    return execution


def start_many(
    workflow: WorkflowLike,
    inputs: Iterable[Any],
    *,
    queue: str = UNSET,
    priority: int = UNSET,
    timeout: Duration | None = UNSET,
    scheduled_at: datetime | None = None,
    idempotency_key: str | None = None,
    tags: Iterable[str] | Mapping[str, Any] | None = None,
    by: Any = None,
) -> list[UUID]:
    """Starts a run for each input, in one transaction, a thousand a statement; their ids in order.

    Options as :func:`start`; a ``by`` is kept in the history of each. One ``idempotency_key``
    cannot stand for many runs: ValueError.

    >>> ids = durable.start_many(ProcessOrder, ({"order": o} for o in orders))  # doctest: +SKIP
    """
    from .store import audit, starting

    cls = registry.resolve(workflow)
    audit.who(by)
    if idempotency_key is not None:
        raise ValueError("start_many takes no idempotency_key: one key stands for one run")
    options = settled(
        cls,
        queue=queue,
        priority=priority,
        timeout=timeout,
        scheduled_at=scheduled_at,
        idempotency_key=None,
        tags=tags,
    )
    texts = [input_text(cls, item, f"input[{index}]") for index, item in enumerate(inputs)]
    ids = starting.insert_many(options, texts, by)
    starting.tell_started(cls.definition.name, ids)
    return ids


def get_execution(id: ExecutionLike, *, include_steps: bool = False) -> Execution:
    """The execution, with its step runs read along when asked. ExecutionNotFound if none."""
    from .models import Execution
    from .models.execution import ExecutionKind

    rows = Execution.objects.using(settings.DATABASE)
    pk = pk_of(id)
    found = rows.filter(pk=pk, kind=ExecutionKind.WORKFLOW).first()
    if found is None:
        raise ExecutionNotFound(f"no execution has the id {pk}")
    if include_steps:
        found.read_steps()
    return found


def list_executions(
    *,
    workflow: WorkflowLike | None = None,
    status: str | Iterable[str] | None = None,
    queue: str | None = None,
    tags: str | Iterable[str] | Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> QuerySet[Execution]:
    """A QuerySet of runs, newest first. ``status`` is one or several; ``tags`` those a run has all
    of. With ``limit`` it is sliced, so it cannot be filtered further.

    Raises ValueError for a status that does not exist.

    >>> durable.list_executions(workflow="process_order", status="failed").count()  # doctest: +SKIP
    """
    from .models import Execution, ExecutionStatus
    from .models.execution import ExecutionKind
    from .models.rare import RARE, rare_only, tagged_only

    rows = Execution.objects.using(settings.DATABASE).filter(kind=ExecutionKind.WORKFLOW)
    if workflow is not None:
        # A name that is registered no longer can be listed; runs outlive code.
        named = isinstance(workflow, str)
        rows = rows.filter(
            workflow_name=workflow if named else registry.resolve(workflow).definition.name
        )
    if status is not None:
        wanted = [status] if isinstance(status, str) else list(status)
        for one in wanted:
            if one not in ExecutionStatus.values:
                known = ", ".join(ExecutionStatus.values)
                raise ValueError(f"no execution status is called {one!r} (there are {known})")
        rows = rows.filter(status__in=wanted)
        if wanted and set(wanted) <= set(RARE):
            rows = rare_only(rows)  # by their index
    if queue is not None:
        rows = rows.filter(queue=queue)
    if tags is not None and (wanted_tags := _tags(tags)):
        rows = tagged_only(rows).filter(tags__tagged=wanted_tags)
    rows = rows.order_by("-id")
    return rows if limit is None else rows[:limit]


def cancel(
    id: ExecutionLike, reason: str = "", compensate: bool = False, *, by: Any = None
) -> Execution:
    """Ends a run as ``cancelled``, with a reason people will read; ``by`` is a user or a text.

    After it returns nothing of the run is recorded or claimed; a step that is running is
    interrupted where possible and its outcome discarded. With ``compensate`` what it completed is
    undone first, by the compensations its workflow declares: it is ``compensating``, then
    ``compensated`` or ``compensation_failed``. Raises ExecutionNotFound, and InvalidState for a run
    that has ended or is being compensated.
    """
    from .store import audit, ending

    text = values.visible(audit.checked(reason, by), 10_000)
    return ending.cancel(pk_of(id), text, bool(compensate), by)


def list_children(id: ExecutionLike) -> QuerySet[Execution]:
    """The runs started by this one, oldest first."""
    from .models import Execution
    from .models.execution import ExecutionKind

    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(parent_id=pk_of(id), kind=ExecutionKind.WORKFLOW).order_by("id")


def get_result(id: ExecutionLike, *, timeout: Duration | None = None) -> Any:
    """Blocks until the run ends; its result, or ExecutionFailed if it did not complete.

    ``timeout`` in seconds or a timedelta: TimeoutError when the run has not ended by then. Raises
    InvalidState inside a transaction, which could never see the end.
    """
    until = _deadline(timeout)
    pk = pk_of(id)
    _check_outside_transaction(pk)
    pause = POLL_SECONDS_FIRST
    while True:
        run = get_execution(pk)
        if run.is_final:
            return _result_of(run)
        _check_time(until, run)
        time.sleep(_pause(pause, until))
        pause = min(pause * 1.5, POLL_SECONDS_LAST)


async def aget_result(id: ExecutionLike, *, timeout: Duration | None = None) -> Any:
    """The coroutine of :func:`get_result`; it holds no thread while it waits."""
    import asyncio

    until = _deadline(timeout)
    pk = pk_of(id)
    await sync_to_async(_check_outside_transaction)(pk)
    pause = POLL_SECONDS_FIRST
    while True:
        run = await aget_execution(pk)
        if run.is_final:
            return _result_of(run)
        _check_time(until, run)
        await asyncio.sleep(_pause(pause, until))
        pause = min(pause * 1.5, POLL_SECONDS_LAST)


astart = sync_to_async(start)
astart_many = sync_to_async(start_many)
aget_execution = sync_to_async(get_execution)
acancel = sync_to_async(cancel)


def _deadline(timeout: Duration | None) -> float | None:
    return None if timeout is None else time.monotonic() + to_seconds(timeout, "timeout")


def _pause(pause: float, until: float | None) -> float:
    return pause if until is None else max(min(pause, until - time.monotonic()), 0.0)


def _check_outside_transaction(pk: UUID) -> None:
    from .store.transactions import in_callers_transaction

    if in_callers_transaction():
        raise InvalidState(f"get_result of {pk} inside a transaction would wait for ever")


def _check_time(until: float | None, run: Execution) -> None:
    if until is not None and time.monotonic() >= until:
        raise TimeoutError(f"execution {run.pk} of {run.workflow_name} is still {run.status}")


def _result_of(run: Execution) -> Any:
    if run.status == "completed":
        return run.result
    error = run.error or {}
    said = f": {error.get('type')}: {error.get('message')}" if error else ""
    reason = f" ({run.reason})" if run.reason else ""
    raise ExecutionFailed(
        f"execution {run.pk} of {run.workflow_name} is {run.status}{reason}{said}",
        execution=run,
        error=run.error,
    )
