"""What people call: start, look up, cancel, retry. Each judges its arguments before it writes.

All can be called inside the caller's transaction on the same database and then commit or roll back
with it; only ``get_result`` cannot. Models are imported when a function runs, so that a project's
own ``models.py`` may import this.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from asgiref.sync import sync_to_async

from . import signals
from .conf import settings
from .definition import options as option_readers
from .definition import registry
from .definition.durations import Duration, to_seconds
from .definition.spelling import did_you_mean
from .engine import values
from .exceptions import (
    ExecutionFailed,
    ExecutionNotFound,
    InvalidState,
    QueueNotFound,
    WorkflowNotFound,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from .definition.workflow import Workflow
    from .models import Execution
    from .store.starting import StartOptions

    WorkflowLike: TypeAlias = type[Workflow] | str
    ExecutionLike: TypeAlias = UUID | str | Execution


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final[Any] = _Unset()
"""Says that an option is taken from the workflow's Meta."""

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
) -> Execution:
    """Starts a run and returns its Execution; workers take it up when the transaction commits.

    ``workflow`` is a class or a registered name. ``queue``, ``priority`` (higher first) and
    ``timeout`` (timedelta or seconds; None: no limit) are the workflow's own unless given.
    ``scheduled_at`` is an aware datetime before which the run does not begin. With an
    ``idempotency_key`` already used for this workflow, the execution that has it is returned and
    nothing is started. ``tags`` are strings, or a mapping of names to scalars, to find the run by.

    Raises WorkflowNotFound, QueueNotFound, NotSerializable (naming the path in the input),
    PayloadTooLarge, whatever ``clean_input`` raises, TypeError or ValueError naming an argument.

    >>> execution = durable.start(ProcessOrder, {"order": {"id": 7, "items": []}})  # doctest: +SKIP
    """
    from .store import starting

    cls = registry.resolve(workflow)
    options = _options(cls, queue, priority, timeout, scheduled_at, idempotency_key, tags)
    execution, created = starting.insert(options, _input_text(cls, input, "input"))
    if created:
        _tell_started(cls, [execution.pk])
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
) -> list[UUID]:
    """Starts a run for each input, in one transaction, a thousand a statement; their ids in order.

    Options as :func:`start`. One ``idempotency_key`` cannot stand for many runs: ValueError.

    >>> ids = durable.start_many(ProcessOrder, ({"order": o} for o in orders))  # doctest: +SKIP
    """
    from .store import starting

    cls = registry.resolve(workflow)
    if idempotency_key is not None:
        raise ValueError("start_many takes no idempotency_key: one key stands for one run")
    options = _options(cls, queue, priority, timeout, scheduled_at, None, tags)
    texts = [_input_text(cls, item, f"input[{index}]") for index, item in enumerate(inputs)]
    ids = starting.insert_many(options, texts)
    _tell_started(cls, ids)
    return ids


def get_execution(id: ExecutionLike, *, include_steps: bool = False) -> Execution:
    """The execution, with its step runs read along when asked. ExecutionNotFound if none."""
    from .models import Execution
    from .models.execution import ExecutionKind

    rows = Execution.objects.using(settings.DATABASE)
    pk = _pk(id)
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
    if queue is not None:
        rows = rows.filter(queue=queue)
    if tags is not None:
        rows = rows.filter(tags__tagged=_tags(tags))
    rows = rows.order_by("-id")
    return rows if limit is None else rows[:limit]


def cancel(id: ExecutionLike, reason: str = "", compensate: bool = False) -> Execution:
    """Ends a run as ``cancelled``, with a reason people will read.

    After it returns nothing of the run is recorded or claimed; a step that is running is
    interrupted where possible and its outcome discarded. With ``compensate`` what it completed is
    undone first, by the compensations its workflow declares: it is ``compensating``, then
    ``compensated`` or ``compensation_failed``. Raises ExecutionNotFound, and InvalidState for a run
    that has ended or is being compensated.
    """
    from .store import ending

    if not isinstance(reason, str):
        raise TypeError(f"reason must be a string, not {reason!r}")
    return ending.cancel(_pk(id), values.visible(reason, 10_000), bool(compensate))


def retry(id: ExecutionLike) -> Execution:
    """Lets a failed or cancelled run go on from the node it stopped at, with fresh attempts.

    What had completed is not run again. A run whose timeout has passed gets the workflow's timeout
    anew. Raises ExecutionNotFound, InvalidState.
    """
    from .store import ending

    pk = _pk(id)
    run = get_execution(pk)
    try:
        timeout = registry.get(run.workflow_name, run.version).definition.options.timeout
    except WorkflowNotFound:
        timeout = None
    return ending.retry(pk, timeout)


def list_children(id: ExecutionLike) -> QuerySet[Execution]:
    """The runs started by this one, oldest first."""
    from .models import Execution
    from .models.execution import ExecutionKind

    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(parent_id=_pk(id), kind=ExecutionKind.WORKFLOW).order_by("id")


def get_result(id: ExecutionLike, *, timeout: Duration | None = None) -> Any:
    """Blocks until the run ends; its result, or ExecutionFailed if it did not complete.

    ``timeout`` in seconds or a timedelta: TimeoutError when the run has not ended by then. Raises
    InvalidState inside a transaction, which could never see the end.
    """
    until = _deadline(timeout)
    pk = _pk(id)
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
    pk = _pk(id)
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
aretry = sync_to_async(retry)


def _options(
    cls: type[Workflow],
    queue: Any,
    priority: Any,
    timeout: Any,
    scheduled_at: Any,
    idempotency_key: Any,
    tags: Any,
) -> StartOptions:
    from .store.starting import StartOptions

    definition = cls.definition
    meta = definition.options
    readers = option_readers
    if queue is not UNSET:
        readers.read_queue(queue, "queue")
    if idempotency_key is not None:
        readers.read_text(idempotency_key, "idempotency_key", 255)
    return StartOptions(
        workflow_name=definition.name,
        version=definition.version,
        queue=known_queue(meta.queue if queue is UNSET else str(queue)),
        priority=meta.priority
        if priority is UNSET
        else readers.read_priority(priority, "priority"),
        timeout=meta.timeout if timeout is UNSET else readers.read_timeout(timeout, "timeout"),
        scheduled_at=_scheduled_at(scheduled_at),
        idempotency_key=idempotency_key,
        tags=_tags(tags),
    )


def _scheduled_at(moment: Any) -> datetime | None:
    """In UTC: a moment beyond its calendar could be stored, but not read back."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ValueError(f"scheduled_at must be an aware datetime, not {moment!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"scheduled_at is beyond the calendar: {moment!r}") from None


def known_queue(queue: str) -> str:
    """The queue, if it exists: where ``QUEUES`` names queues, only those and "default" do.
    QueueNotFound otherwise."""
    known = settings.QUEUES
    if known and queue != "default" and queue not in known:
        names = ", ".join(sorted({*known, "default"}))
        meant = did_you_mean(queue, known)
        raise QueueNotFound(f"no queue is called {queue!r}{meant} (DURABLE['QUEUES'] has {names})")
    return queue


def _tags(tags: Any) -> list[str] | dict[str, Any]:
    if tags is None:
        return []
    if isinstance(tags, str):
        tags = [tags]
    if not isinstance(tags, Iterable):
        raise TypeError(f"tags are strings or a mapping of names to scalars, not {tags!r:.80}")
    values.encode(dict(tags) if isinstance(tags, Mapping) else list(tags), "tags")
    if isinstance(tags, Mapping):
        if "$" in tags:
            raise ValueError('tags: "$" cannot be the name of a tag')
        for key, value in tags.items():
            if not isinstance(value, str | int | float | bool | None):
                raise TypeError(f"tags[{key!r}] must be a string, number or boolean: {value!r}")
        return dict(tags)
    found = list(dict.fromkeys(tags))
    for tag in found:
        if not isinstance(tag, str) or not tag:
            raise TypeError(f"tags must be non-empty strings, not {tag!r}")
    return [str(tag) for tag in found]


def _input_text(cls: type[Workflow], input: Any, path: str) -> str:
    cleaned = cls.clean_input({} if input is None else input)
    return values.encode(cleaned, path, limit=settings.MAX_PAYLOAD_BYTES)


def _pk(id: Any) -> UUID:
    """The id of what a caller gave: a UUID, its text, or an Execution."""
    if isinstance(id, UUID):
        return id
    pk = getattr(id, "pk", id)
    if isinstance(pk, UUID):
        return pk
    try:
        return UUID(str(pk))
    except ValueError:
        raise ExecutionNotFound(f"{id!r} is not the id of an execution") from None


def _tell_started(cls: type[Workflow], ids: list[UUID]) -> None:
    if not signals.execution_started.receivers:
        return
    from django.db.transaction import on_commit

    def send() -> None:
        for pk in ids:
            signals.execution_started.send_robust(sender=cls.definition.name, execution_id=pk)

    on_commit(send, using=settings.DATABASE)


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
