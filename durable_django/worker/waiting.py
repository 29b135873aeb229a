"""The waits of one attempt: which of its calls were answered before, and which one parks it.

A body that waits is left by ``ParkRun`` and run again from its top when the wait is over; what it
asked before is then answered from the record, by position. Nothing here sleeps, and nothing is
written here but what a step remembers of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from asgiref.sync import iscoroutinefunction, sync_to_async

from .. import tracing
from ..conf import settings
from ..definition import registry
from ..definition.nodes import Step
from ..definition.requests import NO_VALUE, Request
from ..engine import values
from ..engine.machine import COMPENSATION, Outcome
from ..exceptions import (
    AttemptAbandoned,
    ChildFailed,
    InvalidState,
    NonDeterministicStep,
    ParkRun,
    WaitTimeout,
)
from ..models.ids import uuid7
from ..store import clock
from ..store.children import DEPTH_MAX, start_and_remember
from ..store.options import input_text, settled
from ..store.records import Child, WaitRecord
from ..store.waits import Recorded, recorded_waits, remember

if TYPE_CHECKING:
    from .attempt import Attempt

# Kinds of nodes that wait, or start a run.
WAITS = frozenset({"sleep", "event", "any", "all", "input", "callback", "call", "start"})
# What a step may do without being parked.
AT_ONCE = frozenset({"start", "once"})


class Waits:
    """What a body asks for by ``self.wait_for_event(…)`` and the like, counted from 1."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._position = 0
        self._rows: dict[int, Recorded] | None = None
        # What the attempt is parked for, once it is.
        self.parking: Outcome | None = None
        # Why it cannot go on at all.
        self.fault: NonDeterministicStep | None = None

    # -- what is recorded --------------------------------------------------------------------

    @property
    def rows(self) -> dict[int, Recorded]:
        """What was recorded in this visit, by position."""
        if self._rows is None:
            self._rows = {row.position: row for row in self._read()}
        return self._rows

    def _read(self) -> Sequence[Recorded]:
        run, path = self._attempt.run, self._attempt.path
        if path in run.waits:
            return run.waits[path]
        if not run.may_have_waited(self._attempt.visit):
            return ()
        key = (run.run_id, path)
        return recorded_waits([key]).get(key, ())

    def at(self, position: int) -> Recorded | None:
        """What is recorded at a position and still holds in this attempt."""
        row = self.rows.get(position)
        if row is None or self._is_made_anew(row):
            return None
        return row

    def _is_made_anew(self, row: Recorded) -> bool:
        """A later attempt tries again what ended the one before: what failed last."""
        if row.status == "cancelled":
            return True
        failed = row.status == "failed" or (row.status == "timed_out" and not row.timeout_text)
        is_last = row.position == max(self.rows)
        return failed and is_last and row.seq != self._attempt.visit.seq

    # -- waits -------------------------------------------------------------------------------

    def wait(self, request: Request) -> Any:
        """What a wait in a plain step gives; ParkRun if that is not known yet."""
        self._check(request.kind, request.label, awaits=False)
        position, row = self._next(request.kind, request.name, request.names, request.label)
        if row is not None:
            return self._answer(row, request)
        if request.kind == "start":
            return self._started(self._start(request, position))
        self._park(request, position)

    async def wait_async(self, request: Request) -> Any:
        """The same in an ``async def`` step."""
        self._check(request.kind, request.label, awaits=True)
        await sync_to_async(lambda: self.rows)()
        position, row = self._next(request.kind, request.name, request.names, request.label)
        if row is not None:
            return self._answer(row, request)
        if request.kind == "start":
            return self._started(await sync_to_async(self._start)(request, position))
        self._park(request, position)

    def once(
        self, key: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """``function(*args, **kwargs)``, run once in this visit and remembered."""
        self._check("once", f"once({key!r})", awaits=False)
        position, row = self._next("once", key, (), f"once({key!r})")
        if row is not None:
            return values.decode(row.value_text)
        text = self._encoded(key, function(*args, **kwargs))
        self._remembered(self._remember(key, position, text))
        return values.decode(text)

    async def once_async(
        self, key: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """The same in an ``async def`` step; ``function`` may be a coroutine function."""
        self._check("once", f"once({key!r})", awaits=True)
        await sync_to_async(lambda: self.rows)()
        position, row = self._next("once", key, (), f"once({key!r})")
        if row is not None:
            return values.decode(row.value_text)
        if iscoroutinefunction(function):
            value = await function(*args, **kwargs)
        else:
            value = await sync_to_async(function)(*args, **kwargs)
        text = self._encoded(key, value)
        self._remembered(await sync_to_async(self._remember)(key, position, text))
        return values.decode(text)

    # -- how ---------------------------------------------------------------------------------

    def _check(self, kind: str, label: str, *, awaits: bool) -> None:
        if self.parking is not None:  # somebody caught ParkRun; the attempt is over all the same
            raise ParkRun
        if self.fault is not None:
            raise self.fault
        node = self._attempt.node
        where = f"self.{label} in {self._attempt.step_name}"
        if not isinstance(node, Step):
            raise InvalidState(f"{where}, a {node.kind}: only steps and decisions can wait")
        if node.is_async and not awaits:
            raise InvalidState(f"{where}, an async def: write await self.a{label}")
        if kind in AT_ONCE:
            return
        if node.atomic or node.at_most_once:
            flag = "atomic" if node.atomic else "at_most_once"
            raise InvalidState(
                f"{where}, which is {flag}: its body runs once, and a wait would run it again; "
                "wait in a step of its own, or declare the wait in the class body"
            )
        if node.kind == COMPENSATION and kind != "sleep":
            raise InvalidState(f"{where}, a compensation: it may sleep and retry, nothing else")

    def _next(
        self, kind: str, name: str, names: tuple[str, ...], label: str
    ) -> tuple[int, Recorded | None]:
        """The position of this call, and what is recorded there. NonDeterministicStep if that is
        another call."""
        self._position += 1
        row = self.rows.get(self._position)
        if row is None:
            return self._position, None
        recorded_names = tuple(values.decode(row.names_text))
        if (row.kind, row.name, recorded_names) != (kind, name, names):
            self._refuse(row, label)
        return self._position, None if self._is_made_anew(row) else row

    def _refuse(self, row: Recorded, found: str) -> NoReturn:
        self.fault = NonDeterministicStep(
            f"{self._attempt.step_name}, run again: position {row.position} was recorded as "
            f"{_label(row)}, but found {found}; the body of a step that waits has to come to the "
            "same waits each time it runs"
        )
        raise self.fault

    def check_all_found(self) -> NonDeterministicStep | None:
        """Why a body that returned has not come to all that was recorded, None if it has."""
        missed = [row for position, row in self.rows.items() if position > self._position]
        if not missed:
            return None
        try:
            self._refuse(min(missed, key=lambda row: row.position), "the end of the body")
        except NonDeterministicStep as fault:
            return fault

    def _answer(self, row: Recorded, request: Request) -> Any:
        if row.status in ("open", "answered"):  # it was woken for another reason
            self.parking = Outcome("waiting", wake_at=row.due_at)
            raise ParkRun
        return answer_of(row, request.label)

    def _park(self, request: Request, position: int) -> NoReturn:
        self.parking = self.park(request, position)
        raise ParkRun

    def park(self, request: Request, position: int) -> Outcome:
        """The outcome of an attempt that waits."""
        record = self._record(request, position)
        child = None
        if request.kind == "call":
            child = self._child(request)
            record = record._replace(
                child_id=child.id, key=child.id.hex, on_cancel=request.on_cancel
            )
        return Outcome("waiting", waits=(record, child), wake_at=record.due_at)

    def start(self, request: Request, position: int) -> UUID:
        """Starts a run at once, and remembers it."""
        return self._started(self._start(request, position))

    def _record(self, request: Request, position: int) -> WaitRecord:
        attempt = self._attempt
        now = clock.known()
        timeout_text = ""
        if request.timeout_value is not NO_VALUE:
            timeout_text = values.encode(
                request.timeout_value, "timeout_value", limit=settings.MAX_PAYLOAD_BYTES
            )
        kind, assignee = request.assignee or ("", "")
        return WaitRecord(
            attempt.run.run_id,
            attempt.run.id,
            attempt.path,
            position,
            attempt.visit.seq,
            attempt.step_name,
            request.kind,
            now,
            request.name,
            values.encode(list(request.names), "names"),
            request.key,
            timeout_text=timeout_text,
            request_text=self._request_text(request),
            assignee_kind=kind,
            assignee=assignee,
            due_at=_due(request, now),
            anew=position in self.rows,
        )

    def _request_text(self, request: Request) -> str:
        if request.form is None:
            return ""
        told = {**request.form, "index": self._attempt.number_of_item}
        return values.encode(told, "fields", limit=settings.MAX_PAYLOAD_BYTES)

    def _child(self, request: Request) -> Child:
        run = self._attempt.run
        if run.claimed.depth >= DEPTH_MAX:
            raise InvalidState(f"{request.label}: workflows call workflows {DEPTH_MAX} deep here")
        cls = (
            registry.resolve(request.name)
            if request.version is None
            else registry.get(request.name, request.version)
        )
        options = settled(cls, **dict(request.options or {}))
        text = input_text(cls, request.input, f"input of {request.name}")
        shares_root = request.kind == "call" and request.on_cancel == "cancel"
        child = Child(uuid7(), run.run_id, options, text, shares_root)
        with tracing.starting(options.workflow_name) as span:
            if options.idempotency_key is None:  # else another run may have it already
                span.tell(execution_id=child.id)
            return child._replace(trace_context=span.kept)

    def _start(self, request: Request, position: int) -> UUID | None:
        record = self._record(request, position)
        done = record._replace(status="completed", resolved_at=record.created_at)
        return start_and_remember(self._attempt.run.lease, done, self._child(request))

    def _started(self, pk: UUID | None) -> UUID:
        self._remembered(pk is not None)
        assert pk is not None
        return pk

    def _encoded(self, key: str, value: Any) -> str:
        return values.encode(value, f"once({key!r})", limit=settings.MAX_PAYLOAD_BYTES)

    def _remember(self, key: str, position: int, text: str) -> bool:
        record = self._record(Request("once", key), position)
        done = record._replace(status="completed", value_text=text, resolved_at=record.created_at)
        return remember(self._attempt.run.lease, done)

    def _remembered(self, written: bool) -> None:
        if not written:
            raise AttemptAbandoned


def wait_declared(attempt: Attempt) -> Outcome:
    """The outcome of a visit of a declared wait: parked, or what it gave."""
    waits = attempt.waits
    row = waits.at(0)
    if row is not None:
        return _outcome_of(attempt, row)
    request: Request = attempt.node.body(attempt.run.definition.workflow._for_attempt(attempt))
    if request.kind == "start":
        return Outcome("completed", values.encode(waits.start(request, 0), "output"))
    return waits.park(request, 0)


def _outcome_of(attempt: Attempt, row: Recorded) -> Outcome:
    from .attempt import error_of

    if row.status in ("open", "answered"):  # it was woken for another reason
        return Outcome("waiting", wake_at=row.due_at)
    if row.status == "completed":
        return Outcome("completed", row.value_text)
    if row.status == "timed_out" and row.timeout_text:
        return Outcome("completed", row.timeout_text)
    try:
        answer_of(row, _label(row))
    except (WaitTimeout, ChildFailed) as error:
        status = "timed_out" if isinstance(error, WaitTimeout) else "failed"
        return Outcome(status, error=error_of(attempt, error))
    raise AssertionError(f"the wait {row.path} is {row.status}")


def answer_of(row: Recorded, label: str) -> Any:
    """What a wait that is over gave. WaitTimeout, ChildFailed."""
    if row.status == "completed":
        return values.decode(row.value_text)
    if row.status == "timed_out":
        if row.timeout_text:
            return values.decode(row.timeout_text)
        until = row.due_at.isoformat(" ", "seconds")
        raise WaitTimeout(f"{label} was not over by {until}")
    told = values.decode(row.error_text) if row.error_text else {}
    raise ChildFailed(
        str(told.get("message", f"{label} has failed")),
        child_id=row.child_id,
        status=str(told.get("status", "failed")),
        error=told.get("error"),
    )


def _due(request: Request, now: datetime) -> datetime | None:
    if request.until is not None:
        try:
            return request.until.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{request.label}: {request.until} is beyond the calendar") from None
    return None if request.seconds is None else clock.after(now, request.seconds)


def _label(row: Recorded) -> str:
    if row.kind == "once":
        return f"once({row.name!r})"
    return Request(row.kind, row.name, tuple(values.decode(row.names_text))).label
