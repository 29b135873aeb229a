"""Workflow: the class users extend, and what it needs from the attempt it stands for.

A Workflow object is a shell around one attempt: it asks the attempt for everything, holds no state
of its own and lets none be put on it.
"""

from __future__ import annotations

import inspect
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self
from uuid import UUID

from durable_django.definition.metaclass import WorkflowMeta
from durable_django.definition.waiting import Waiting
from durable_django.exceptions import FinishRun, InstanceState

if TYPE_CHECKING:
    from durable_django.definition.answers import Answer
    from durable_django.definition.requests import Request
    from durable_django.models import Execution

__all__ = ["Attempt", "RunContext", "Workflow", "WorkflowMeta"]


class RunContext(MutableMapping[str, Any]):
    """The type of ``self.context``: a mutable mapping with str keys, and three operations that
    commute or keep in-place changes. The engine's context behaves like it without deriving from it.
    """

    @abstractmethod
    def append(self, key: str, value: Any) -> None:
        """Appends to the list under `key`, which is ``[]`` when missing."""

    @abstractmethod
    def increment(self, key: str, by: Any = 1) -> Any:
        """Adds `by` to the number under `key`, which is 0 when missing."""

    @abstractmethod
    def update_key(self, key: str, function: Callable[[Any], Any], default: Any = ...) -> Any:
        """Sets `key` to ``function(its value)`` and returns that. A missing key is a KeyError,
        unless `default` stands in for its value."""


class Attempt(Protocol):
    """One attempt at one step, as its workflow object sees it."""

    input: Any
    context: RunContext
    outputs: Mapping[str, Any]
    execution_id: UUID
    number: int
    step_name: str
    item: Any
    index: int
    iteration: int
    logger: logging.Logger
    idempotency_key: str
    answers: Mapping[str, Answer]

    def progress(self, fraction: float, message: str = "") -> None:
        """Shows how far the step is; `fraction` between 0 and 1."""

    def wait(self, request: Request) -> Any:
        """What was waited for, once it is there; before that it leaves the body."""

    async def wait_async(self, request: Request) -> Any:
        """`wait` for async steps."""

    def once(
        self,
        key: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """What `function` gave the first time."""

    async def once_async(
        self,
        key: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """`once` for async steps; `function` may be a coroutine function."""

    def callback_url(self, name: str) -> str:
        """Where an outside system posts to for ``wait_for_callback(name)``."""


class Workflow(Waiting, metaclass=WorkflowMeta):
    """A durable workflow: a class whose steps run in the order they stand, each checkpointed.

    In a step `self` is the run in progress. A new object is made for each attempt, so nothing is
    kept on it; data lives in `self.context`. Mistakes in the class are told when it is imported
    (DefinitionError).

    Example::

        class ProcessOrder(Workflow):
            class Meta:
                name = "process_order"
                timeout = hours(2)

            @step
            def validate(self):
                self.context["total"] = sum(self.input["prices"])

            @step(retry=Retry(max_attempts=3), timeout=minutes(5))
            def charge(self):
                return payments.charge(self.context["total"], key=self.idempotency_key)

        execution = ProcessOrder.start({"prices": [10, 20]})
    """

    _attempt: Attempt

    # The class

    @classmethod
    def start(cls, input: Any = None, **options: Any) -> Execution:
        """Starts a run: ``durable_django.start(ProcessOrder, input, …)``, with the same options."""
        from durable_django import api

        return api.start(cls, input, **options)

    @classmethod
    async def astart(cls, input: Any = None, **options: Any) -> Execution:
        """`start` as a coroutine."""
        from durable_django import api

        return await api.astart(cls, input, **options)

    @classmethod
    def clean_input(cls, input: Any) -> Any:
        """Override it to check or complete the input of a run before it starts; returns the input
        to use.

        May raise Django's ValidationError. Called by `start` and by the admin's start form.
        """
        return input

    @classmethod
    def _for_attempt(cls, attempt: Any) -> Self:
        """The object that is `self` in one attempt. For the worker and the test kit only."""
        run = object.__new__(cls)
        run.__dict__["_attempt"] = attempt
        return run

    # The run in progress

    @property
    def input(self) -> Any:
        """What the run was started with; read-only. Annotate ``input: OrderInput`` for type
        checkers.
        """
        return self._attempt.input

    @property
    def context(self) -> RunContext:
        """The run's data: a mutable mapping with str keys; what this attempt changes is kept with
        its completion. NotSerializable names the path of a value that cannot be stored.
        """
        return self._attempt.context

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the nodes before gave, by name; read-only. KeyError for one not yet completed."""
        return self._attempt.outputs

    @property
    def execution_id(self) -> UUID:
        """The id of the run."""
        return self._attempt.execution_id

    @property
    def attempt(self) -> int:
        """Which attempt at this step this is: 1, 2, …"""
        return self._attempt.number

    @property
    def step_name(self) -> str:
        """The name of this step."""
        return self._attempt.step_name

    @property
    def item(self) -> Any:
        """In a foreach, the item this runs for; of the innermost one."""
        return self._attempt.item

    @property
    def index(self) -> int:
        """In a foreach, which item that is: 0, 1, … of the innermost one."""
        return self._attempt.index

    @property
    def iteration(self) -> int:
        """In a loop, the number of the iteration: 1, 2, … of the innermost one."""
        return self._attempt.iteration

    @property
    def logger(self) -> logging.Logger:
        """A logger whose records are kept with this attempt."""
        return self._attempt.logger

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt at this visit of the step: give it to outside services, so that
        they recognise a repeated call.
        """
        return self._attempt.idempotency_key

    def finish(self, value: object = None) -> NoReturn:
        """Ends the whole run here, as completed, with `value` as its result.

        Leaves the step by an exception that ``except Exception`` does not catch.
        """
        raise FinishRun(value)

    def progress(self, fraction: float, message: str = "") -> None:
        """Shows in the admin how far this step is: `fraction` between 0 and 1, and a word on it."""
        self._attempt.progress(fraction, message)

    # No state

    def __setattr__(self, name: str, value: object) -> None:
        own = inspect.getattr_static(type(self), name, None)
        if not isinstance(own, property) or own.fset is None:
            raise InstanceState(
                f'self.{name} would be lost after this step; use self.context["{name}"]'
            )
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise InstanceState(
            f"self.{name} cannot be deleted: nothing is kept on self; "
            f'use del self.context["{name}"]'
        )

    def __repr__(self) -> str:
        attempt = self.__dict__.get("_attempt")
        where = f" {attempt.step_name} of {attempt.execution_id}" if attempt is not None else ""
        return f"<{type(self).__name__}{where}>"
