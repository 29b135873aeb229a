"""The test kit: runs workflows in the test's own thread and transaction, moves time, fails at will.

>>> from durable_django.testing import advance, drain, fail_once, run
>>> def test_an_order_is_charged(db):
...     execution = run(ProcessOrder, {"order": {"id": 1, "items": []}})
...     assert execution.status == "completed"

With pytest, ``pytest_plugins = ["durable_django.testing"]`` in ``conftest.py`` gives the fixture
``durable``: all of this as methods, with time, faults and the registry put back after the test.
Nothing here is for production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .definition import registry
from .definition.durations import Duration, to_seconds
from .definition.node import Node
from .definition.nodes import Step
from .definition.workflow import Workflow

if TYPE_CHECKING:
    from .definition.requests import Request
    from .engine.machine import Outcome
    from .models import Execution
    from .worker.attempt import Attempt


def run(workflow: type[Workflow] | str, input: Any = None, **options: Any) -> Execution:
    """Starts a run and drains; the Execution as it then stands, ended or parked.

    ``options`` as for ``durable_django.start``.
    """
    from . import api

    execution = api.start(workflow, input, **options)
    drain()
    return api.get_execution(execution.pk)


def drain() -> int:
    """Drives everything that is ready or due, whoever started it, and fires schedules that are due;
    how many attempts were made.

    A retry's delay and a ``scheduled_at`` are not waited for: move time with :func:`advance`.
    """
    from .worker.inline import InlineDriver

    return InlineDriver(_around).drain()


def advance(duration: Duration) -> None:
    """Moves time forward for every timeout, retry and schedule (see :func:`sync_schedules`). Drain
    afterwards.

    ``duration`` is a timedelta or a number of seconds. :func:`reset` puts time back; the pytest
    fixture does so by itself.
    """
    from .store import clock

    clock.advance(timedelta(seconds=to_seconds(duration, "duration")))


def sync_schedules() -> None:
    """Makes the rows of schedules that workflows declare, from now on. Outside of tests migrate
    does so; a test's database has none, so that nothing fires in tests about something else.

    >>> sync_schedules()  # then advance(days(1)) and drain()
    """
    from . import schedules

    schedules.sync_schedules()


def reset() -> None:
    """Puts time back and forgets faults that have not struck yet."""
    from .store import clock, timetable

    clock.reset()
    timetable.forget()
    _faults.clear()


def run_step(
    node: Step,
    *,
    input: Any = None,
    context: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    attempt: int = 1,
    iteration: int = 1,
    item: Any = None,
    index: int = 0,
    waits: Iterable[Any] = (),
    answers: Mapping[str, Any] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Runs the body of one step, or of a compensation, without a database; (its output, the context
    after it).

    ``iteration`` is what a step inside a loop sees as ``self.iteration``, ``item`` and ``index``
    what one inside a foreach sees. ``waits`` are what its waits, calls and starts give, in the
    order in which the body comes to them; an exception is raised there. What it does ``once`` is
    done. ``answers`` are Answers by node. Every value passes the gate as in a real run. What the
    body raises is raised here.

    >>> values = {"order_id": 7, "total": 12}
    >>> output, context = run_step(ProcessOrder.charge_payment, context=values)
    """
    from asgiref.sync import async_to_sync

    from .engine import values
    from .engine.context import apply_changes
    from .engine.current import current_attempt
    from .exceptions import FinishRun

    path = _path_alone(node, iteration, index)
    made = _attempt_alone(node, path, input, context or {}, outputs or {}, attempt)
    if _is_in_foreach(node):
        made.run.item_text, made.run.index = values.encode(item, "item"), index
    made.__dict__["waits"] = _GivenWaits(made, waits)
    made.__dict__["answers"] = dict(answers or {})
    workflow = made.run.definition.workflow._for_attempt(made)
    token = current_attempt.set(made)
    try:
        value = async_to_sync(node.body)(workflow) if node.is_async else node.body(workflow)
    except FinishRun as finish:
        value = finish.value
    finally:
        current_attempt.reset(token)
    output = values.decode(values.encode(value, f"output of {node.name}"))
    after = apply_changes(made.run.state.context, made.context.changes())
    return output, {key: values.decode(text) for key, text in after.items()}


class _GivenWaits:
    """Stands for the waits of an attempt that runs alone."""

    def __init__(self, attempt: Attempt, given: Iterable[Any]) -> None:
        self._attempt = attempt
        self._given = iter(given)

    def wait(self, request: Request) -> Any:
        from .engine import values

        nothing = object()
        value = next(self._given, nothing)
        if value is nothing:
            raise AssertionError(
                f"{self._attempt.step_name} comes to {request.label}, but run_step was given no "
                "value for it: add it to waits=[…]"
            )
        if isinstance(value, BaseException):
            raise value
        return values.decode(values.encode(value, request.label))

    async def wait_async(self, request: Request) -> Any:
        return self.wait(request)

    def once(self, key: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        from .engine import values

        return values.decode(values.encode(function(*args, **kwargs), f"once({key!r})"))

    async def once_async(
        self, key: str, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        from inspect import isawaitable

        from .engine import values

        value = function(*args, **kwargs)
        if isawaitable(value):
            value = await value
        return values.decode(values.encode(value, f"once({key!r})"))


def _path_alone(node: Step, iteration: int, index: int) -> str:
    """A visit of the node in this iteration of the loop around it, and for this item."""
    parts = [node.name or ""]
    numbers = {"loop": iteration, "foreach": index}
    for block in _in_plan(node).blocks():
        if block.name is not None:
            number = f"[{numbers[block.kind]}]" if block.kind in numbers else ""
            parts.append(f"{block.name}{number}")
    return "/".join(reversed(parts))


def _is_in_foreach(node: Step) -> bool:
    return any(block.kind == "foreach" for block in _in_plan(node).blocks())


def _in_plan(node: Step) -> Node:
    """The node itself; of a compensation the one it is for."""
    undone = getattr(node, "of", None)
    return node if undone is None else _class_of(node).definition.nodes[undone]


def _attempt_alone(
    node: Step,
    path: str,
    input: Any,
    context: Mapping[str, Any],
    outputs: Mapping[str, Any],
    number: int,
) -> Attempt:
    from .engine import values
    from .engine.machine import Visit
    from .store import clock
    from .store.claiming import Claimed
    from .worker.attempt import Attempt
    from .worker.run import Run

    definition = _class_of(node).definition
    clock.observe(datetime.now(UTC))  # so that nothing asks the database for the time
    text = values.encode({} if input is None else input, "input")
    claimed = Claimed(
        uuid4(), 1, definition.name, definition.version, "default", text, "", 0, False, 0, 0
    )
    made = Run(claimed, definition)
    made.state = made.state._replace(
        next_path=path,
        context={key: values.encode(v, f'context["{key}"]') for key, v in context.items()},
        outputs={key: values.encode(v, f'outputs["{key}"]') for key, v in outputs.items()},
    )
    return Attempt(made, Visit(node, path, 1, number))


def _class_of(node: Step) -> type[Workflow]:
    for cls in registry.all():
        definition = cls.definition
        if definition.nodes.get(node.name or "") is node:
            return cls
        if definition.compensation_named(node.name or "") is node:
            return cls
    raise LookupError(f"no registered workflow has the node {node!r}")


# -- faults ----------------------------------------------------------------------------------


class Fault(AbstractContextManager["Fault"]):
    """A fault that strikes once. As a context manager it must have struck when the block ends."""

    def __init__(self, node: Step, kind: str, error: BaseException | None = None) -> None:
        self.node = node
        self.kind = kind
        self.error = error
        self.struck = False
        _faults.append(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self in _faults:
            _faults.remove(self)
        if kind is None and not self.struck:
            raise AssertionError(f"{self.kind} of {self.node.name} did not happen")


_faults: list[Fault] = []


def fail_once(node: Step, error: BaseException | None = None) -> Fault:
    """The next attempt at ``node`` raises ``error`` (a RuntimeError) instead of running.

    >>> with fail_once(ProcessOrder.charge_payment):
    ...     execution = run(ProcessOrder, {"order": {"id": 7, "items": []}})
    """
    return Fault(node, "fail_once", error or RuntimeError(f"{node.name} fails once"))


def crash_before(node: Step) -> Fault:
    """The worker dies before the next attempt at ``node`` runs its body."""
    return Fault(node, "crash_before")


def crash_after(node: Step) -> Fault:
    """The worker dies after the body of the next attempt at ``node``, before its checkpoint."""
    return Fault(node, "crash_after")


def _around(attempt: Attempt, body: Callable[[], Outcome]) -> Outcome:
    from .worker.attempt import failure
    from .worker.inline import SimulatedCrash

    fault = next((fault for fault in _faults if fault.node is attempt.node), None)
    if fault is None:
        return body()
    _faults.remove(fault)
    fault.struck = True
    if fault.error is not None:
        return failure(attempt, fault.error)
    if fault.kind == "crash_after":
        body()
    raise SimulatedCrash(f"{fault.kind} {attempt.step_name}")


# -- the registry, and assertions ------------------------------------------------------------


@contextmanager
def isolate_registry() -> Iterator[None]:
    """Workflow classes made inside are forgotten at the end."""
    with registry.isolate():
        yield


def assert_status(execution: Execution, status: str) -> None:
    """The execution has this status now; else an AssertionError that tells its error."""
    from . import api

    now = api.get_execution(execution.pk)
    assert now.status == status, f"{now} is {now.status}, not {status}: {now.error}"


def assert_nodes_run(execution: Execution, nodes: Iterable[Step | str]) -> None:
    """These nodes completed, in this order, and no others."""
    wanted = [_name(node) for node in nodes]
    rows = execution.steps.filter(status="completed").order_by("id")
    found = list(rows.values_list("name", flat=True))
    assert found == wanted, f"{execution} ran {found}, not {wanted}"


def assert_attempts(execution: Execution, node: Step | str, count: int) -> None:
    """``count`` attempts were made at ``node``."""
    found = execution.steps.filter(name=_name(node)).count()
    assert found == count, f"{execution} made {found} attempts at {_name(node)}, not {count}"


def assert_context(execution: Execution, **expected: Any) -> None:
    """The context holds these values, among others perhaps."""
    from . import api

    found = api.get_execution(execution.pk).context
    for key, value in expected.items():
        assert key in found, f"{execution} has no context[{key!r}], only {sorted(found)}"
        assert found[key] == value, (
            f"{execution}: context[{key!r}] is {found[key]!r}, not {value!r}"
        )


def _name(node: Step | str) -> str:
    return node if isinstance(node, str) else node.name or ""


class DurableKit:
    """What the pytest fixture ``durable`` is: the functions of this module as methods."""

    run = staticmethod(run)
    drain = staticmethod(drain)
    advance = staticmethod(advance)
    sync_schedules = staticmethod(sync_schedules)
    run_step = staticmethod(run_step)
    fail_once = staticmethod(fail_once)
    crash_before = staticmethod(crash_before)
    crash_after = staticmethod(crash_after)
    assert_status = staticmethod(assert_status)
    assert_nodes_run = staticmethod(assert_nodes_run)
    assert_attempts = staticmethod(assert_attempts)
    assert_context = staticmethod(assert_context)


try:
    import pytest
except ImportError:  # the kit works with unittest as well
    pass
else:

    @pytest.fixture
    def durable(db: None) -> Iterator[DurableKit]:
        """The test kit, with registry, time and faults put back after the test."""
        with isolate_registry():
            try:
                yield DurableKit()
            finally:
                reset()
