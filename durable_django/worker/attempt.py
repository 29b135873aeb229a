"""One attempt at a node: the object behind ``self`` in a step, and the running of its body.

It runs user code and turns whatever happens into an Outcome. It writes nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

# Not that of functools, which takes a lock for all attempts on Python 3.11.
from django.utils.functional import cached_property

from ..callbacks import make_url
from ..conf import settings
from ..definition.answers import Answer
from ..definition.requests import Request
from ..engine import machine, values
from ..engine.context import Context
from ..engine.current import current_attempt
from ..engine.joining import members_of
from ..engine.logs import LogBuffer
from ..engine.machine import Outcome, Transition, Visit
from ..engine.outputs import Outputs, read_only
from ..engine.paths import item_scope, number_in
from ..engine.results import results_text
from ..engine.state import FORKS
from ..exceptions import (
    AttemptAbandoned,
    DurableError,
    Fatal,
    FinishRun,
    LoopLimitExceeded,
    NotSerializable,
    StepTimeout,
)
from ..models.ids import uuid7
from ..models.reading import output_text
from ..store import clock
from ..store.answers import Answers
from . import spans
from .capture import STEP_LOGGER
from .joining import join_members
from .run import Run
from .waiting import WAITS, Waits, wait_declared


class Attempt:
    """What a step's ``self`` delegates to. ``number`` is 1 for the first attempt."""

    def __init__(self, run: Run, visit: Visit) -> None:
        self.run = run
        self.visit = visit
        self.node: Any = visit.node
        self.number = visit.attempt
        self.path = visit.path
        self.logs = LogBuffer(settings.LOG_MAX_BYTES)
        self.progress_fraction = 0.0
        self.progress_message = ""
        self.begun = time.monotonic()
        self.started_at: datetime = clock.at(self.begun)
        # Its timeout is for each leg of an attempt that waits in between.
        self.leg_began_at = self.started_at
        self.deadline = self.begun + self.node.timeout if self.node.timeout else None
        # A row of this attempt's seq stands, or is about to, so its end takes it over.
        self.has_row = run.started_row is not None or run.parked_row is not None
        if run.parked_row is not None and run.parked_row.started_at is not None:
            self.started_at = run.parked_row.started_at  # the same attempt goes on
        self.settled = False
        self.settled_here = False
        self._settling = threading.Lock()
        self._transition: tuple[Outcome, Transition] | None = None
        # How to stop the body; set by whoever runs it.
        self.interrupt: Callable[[Attempt], bool] | None = None
        self.interrupted_at: float | None = None

    @cached_property
    def context(self) -> Context:
        return Context(self.run.state.context, settings.MAX_PAYLOAD_BYTES)

    @cached_property
    def outputs(self) -> Outputs:
        return Outputs(self.run.state, self._fetch)

    def _fetch(self, reference: str) -> str:
        return output_text(self.run.id, reference)

    @cached_property
    def input(self) -> Any:
        return read_only(values.decode(self.run.input_text))

    @cached_property
    def waits(self) -> Waits:
        """What the body waits for, and has waited for."""
        return Waits(self)

    def wait(self, request: Request) -> Any:
        """What a wait gives; leaves the body where that is not known yet."""
        return self.waits.wait(request)

    async def wait_async(self, request: Request) -> Any:
        """The same in an ``async def`` step."""
        return await self.waits.wait_async(request)

    def once(
        self, key: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """What the function gave when it was run in this visit."""
        return self.waits.once(key, function, args, kwargs)

    async def once_async(
        self, key: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """The same in an ``async def`` step."""
        return await self.waits.once_async(key, function, args, kwargs)

    @cached_property
    def answers(self) -> Mapping[str, Answer]:
        """What people gave, by node; read when it is looked at."""
        return Answers(self.run.run_id, self.run.id)

    def callback_url(self, name: str) -> str:
        """The signed URL for an outside system to answer ``wait_for_callback(name)``."""
        nodes = self.run.definition.nodes
        items = {each for each, node in nodes.items() if node.kind == "foreach"}
        return make_url(self.run.run_id, name, self.path, item_scope(self.path, items))

    @cached_property
    def logger(self) -> logging.Logger:
        return logging.getLogger(f"{STEP_LOGGER}.{self.run.definition.name}")

    @cached_property
    def item(self) -> Any:
        """What the innermost foreach runs for."""
        if self.item_text is None:
            raise DurableError(f"{self.step_name} is not inside a foreach, so it has no item")
        return values.decode(self.item_text)

    @property
    def index(self) -> int:
        """Which item that is: 0, 1, …"""
        if self.number_of_item is None:
            raise DurableError(f"{self.step_name} is not inside a foreach, so it has no index")
        return self.number_of_item

    @property
    def item_text(self) -> str | None:
        """The item, encoded."""
        return self.run.item_text

    @property
    def number_of_item(self) -> int | None:
        """Its index, None outside a foreach."""
        return self.run.index

    @property
    def execution_id(self) -> UUID:
        return self.run.run_id

    @property
    def step_name(self) -> str:
        return self.node.name  # type: ignore[no-any-return]

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this visit, so that an outside service can tell repeats."""
        return f"{self.run.run_id}:{self.path}"

    @property
    def iteration(self) -> int:
        """1 in the first iteration of the innermost loop."""
        nodes = self.run.definition.nodes
        loops = {name for name, node in nodes.items() if node.kind == "loop"}
        found = number_in(self.path, loops)
        if found is None:
            raise DurableError(f"{self.step_name} is not inside a loop, so it has no iteration")
        return found

    def progress(self, fraction: float, message: str = "") -> None:
        """Kept here; the keeper writes it with the running row."""
        if isinstance(fraction, bool) or not isinstance(fraction, int | float):
            raise TypeError(f"progress takes a number from 0 to 1, not {fraction!r}")
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress takes a number from 0 to 1, not {fraction!r}")
        self.progress_fraction = float(fraction)
        self.progress_message = values.visible(message, 500)

    def settle(self) -> bool:
        """True for the first who calls it: who may say how this attempt ended."""
        with self._settling:
            if self.settled:
                return False
            self.settled = True
            return True

    def transition(self, outcome: Outcome) -> Transition:
        """What ``outcome`` does to the run."""
        if self._transition is None or self._transition[0] is not outcome:
            run = self.run
            made = machine.advance(run.definition, run.state, self.visit, outcome, self._fetch)
            self._transition = (outcome, made)
        return self._transition[1]


def run_body(attempt: Attempt, lets_out: Callable[[BaseException], bool] | None = None) -> Outcome:
    """Runs the body of a plain step in this thread. Errors that ``lets_out`` picks are raised."""
    if attempt.visit.joins:
        return join_members(attempt)
    if not attempt.run.is_traced:
        return _run_body(attempt, lets_out)
    with spans.around(attempt) as span:
        outcome = _run_body(attempt, lets_out)
        span.ended(outcome.status, outcome.error)
        return outcome


def _run_body(attempt: Attempt, lets_out: Callable[[BaseException], bool] | None) -> Outcome:
    token = current_attempt.set(attempt)
    try:
        if attempt.node.kind in WAITS:
            return wait_declared(attempt)
        workflow = attempt.run.definition.workflow._for_attempt(attempt)
        value = attempt.node.body(workflow)
        if attempt.node.kind in FORKS:
            return forked(attempt, list(value or ()))
        return unless_parked(attempt, lambda: concluded(attempt, value))
    except BaseException as error:
        if lets_out is not None and lets_out(error):
            raise
        caught, returned = error, isinstance(error, FinishRun)
        return unless_parked(attempt, lambda: failure(attempt, caught), returned=returned)
    finally:
        current_attempt.reset(token)


async def run_body_async(attempt: Attempt) -> Outcome:
    """Runs the body of an ``async def`` step in this task."""
    if not attempt.run.is_traced:
        return await _run_body_async(attempt)
    with spans.around(attempt) as span:
        outcome = await _run_body_async(attempt)
        span.ended(outcome.status, outcome.error)
        return outcome


async def _run_body_async(attempt: Attempt) -> Outcome:
    token = current_attempt.set(attempt)
    try:
        workflow = attempt.run.definition.workflow._for_attempt(attempt)
        value = await attempt.node.body(workflow)
        return unless_parked(attempt, lambda: concluded(attempt, value))
    except BaseException as error:
        caught, returned = error, isinstance(error, FinishRun)
        return unless_parked(attempt, lambda: failure(attempt, caught), returned=returned)
    finally:
        current_attempt.reset(token)


def unless_parked(
    attempt: Attempt, ended: Callable[[], Outcome], *, returned: bool = True
) -> Outcome:
    """The outcome of a body that has been left; ``ended`` makes it where no wait decides. A body
    may catch whatever leaves it; it is parked, or has failed, all the same."""
    if "waits" not in attempt.__dict__ and attempt.path not in attempt.run.waits:
        return ended()
    waits = attempt.waits
    fault = waits.fault
    if fault is None and waits.parking is not None:
        return waits.parking
    if fault is None and returned:
        fault = waits.check_all_found()
    return ended() if fault is None else refused(attempt, fault)


def concluded(attempt: Attempt, value: Any, finish: bool = False) -> Outcome:
    """The outcome of a body that returned: its output and changes, judged."""
    try:
        what = "finish()" if finish else f"output of {attempt.step_name}"
        output = values.encode(value, what, limit=settings.MAX_PAYLOAD_BYTES)
        changes = attempt.context.changes() if "context" in attempt.__dict__ else ()
        outcome = Outcome("completed", output, changes, finish=finish)
        attempt.transition(outcome)  # refuses changes that do not fit
        return outcome
    except (NotSerializable, TypeError, LoopLimitExceeded) as error:
        # The body has done its work: running it again would do it twice for the same result.
        return Outcome("failed", error=error_of(attempt, error), fatal=True)


def forked(attempt: Attempt, items: list[Any]) -> Outcome:
    """The outcome of a visit that forks: its members, each with its item, judged."""
    limit = settings.MAX_PAYLOAD_BYTES
    try:
        texts = [
            values.encode(item, f"item {index} of {attempt.step_name}", limit=limit)
            for index, item in enumerate(items)
        ]
        members = members_of(attempt.node, attempt.path, texts)
        changes = attempt.context.changes() if "context" in attempt.__dict__ else ()
        output = results_text(uuid7(), len(members), attempt.node.kind) if members else "[]"
        outcome = Outcome("completed", output, changes, members=members)
        attempt.transition(outcome)
        return outcome
    except (NotSerializable, TypeError) as error:
        return Outcome("failed", error=error_of(attempt, error), fatal=True)


def failure(attempt: Attempt, error: BaseException) -> Outcome:
    """The outcome of a body that raised."""
    if isinstance(error, FinishRun):
        return concluded(attempt, error.value, finish=True)
    if isinstance(error, AttemptAbandoned):
        error = StepTimeout(f"{attempt.step_name} was interrupted")
    delay = machine.retry_delay(
        attempt.run.definition, attempt.node, attempt.number, error, random.random()
    )
    fatal = isinstance(error, Fatal)
    return Outcome("failed", error=error_of(attempt, error), delay=delay, fatal=fatal)


def timed_out(attempt: Attempt) -> Outcome:
    """The verdict on an attempt whose time is up; ``at_most_once`` is not retried then."""
    node = attempt.node
    error = StepTimeout(
        f"{node.name} did not end within its timeout of {node.timeout:g} seconds "
        f"(attempt {attempt.number})"
    )
    delay = None
    if not node.at_most_once:
        delay = machine.retry_delay(
            attempt.run.definition, node, attempt.number, error, random.random()
        )
    error_text = error_of(attempt, error)
    return Outcome("timed_out", error=error_text, delay=delay, fatal=node.at_most_once)


def refused(attempt: Attempt, error: DurableError) -> Outcome:
    """The outcome of an attempt that the engine ends without running its body."""
    return Outcome("failed", error=error_of(attempt, error), fatal=True)


def error_of(attempt: Attempt, error: BaseException) -> dict[str, Any]:
    """The stored form of ``error``, without the engine's own frames in its traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    return machine.error_of(error, attempt.step_name, text)
