"""The nodes without children: Step, and the `@step` that makes one.

Reads a function, never calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, overload

from asgiref.sync import iscoroutinefunction

from durable_django.definition.body import find_place
from durable_django.definition.durations import Duration, to_seconds
from durable_django.definition.node import Node, NodeOfRun
from durable_django.definition.retry import Retry
from durable_django.exceptions import NodeCalled

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition

__all__ = ["Node", "NodeOfRun", "Step", "step"]


class Step(Node):
    """A node that runs a function: what `@step` makes.

    `body` is the function, called with the run as its only argument; `is_async` whether it is a
    coroutine function; `retry` its own Retry or None; `timeout` seconds for one attempt or None;
    `atomic` and `at_most_once` as given; `doc` the first line of its docstring.
    """

    kind: ClassVar[str] = "step"

    def __init__(
        self,
        body: Callable[[Any], Any],
        *,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        atomic: bool = False,
        at_most_once: bool = False,
    ) -> None:
        self.body = body
        super().__init__(find_place(self.kind))
        self._check_function()
        self.is_async: bool = iscoroutinefunction(body)
        self.retry = self._checked_retry(retry)
        self.timeout = self._checked_timeout(timeout)
        self.atomic = self._checked_flag("atomic", atomic)
        self.at_most_once = self._checked_flag("at_most_once", at_most_once)
        self._check_together()
        self.doc = (inspect.getdoc(body) or "").partition("\n")[0]
        # So that decorators, documentation tools and tracebacks see the function behind the node.
        self.__wrapped__ = body
        self.__doc__ = body.__doc__
        self.__name__: str = body.__name__
        self.__qualname__: str = body.__qualname__
        self.__module__ = body.__module__

    @property
    def label(self) -> str:
        return self.name or str(getattr(self.body, "__name__", ""))

    @property
    def redefining(self) -> str:
        return f"write {self.decorator} above it"

    def structure(self, definition: Definition) -> dict[str, Any]:
        retry = self.retry or definition.options.retry
        return {
            **super().structure(definition),
            "doc": self.doc,
            "async": self.is_async,
            "atomic": self.atomic,
            "at_most_once": self.at_most_once,
            "timeout": self.timeout,
            "retry": retry.structure() if retry else None,
        }

    @overload
    def __get__(self, run: None, owner: type) -> Self: ...
    @overload
    def __get__(self, run: object, owner: type) -> Callable[[], Any]: ...
    def __get__(self, run: object, owner: type) -> Any:
        """As every node; and ``super().charge()`` in the step that redefines it is the base's body,
        bound.

        Python asks both ways alike, so the plan decides: a body that this class runs as the node is
        not to be called, one that it has redefined or taken out is plain Python.
        """
        if run is None:
            return self
        current = getattr(owner, self.name or "", None)
        if isinstance(current, Step) and current.body is self.body:
            return NodeOfRun(self, owner)
        return self.body.__get__(run, owner)

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise NodeCalled(
            f"{self.owner}.{self.label}() is a {self.kind}, run by the engine in its turn; to run "
            f"it alone in a test, use durable_django.testing.run_step({self.owner}.{self.label})"
        )

    def _check_function(self) -> None:
        body: object = self.body
        if isinstance(body, (staticmethod, classmethod, property)):
            raise self.mistake(
                f"a {self.kind} is a plain method, not a {type(body).__name__}; "
                "take that decorator away"
            )
        if not isinstance(body, FunctionType):
            raise self.mistake(f"{self.decorator} takes a function, not {body!r:.80}")
        if body.__name__ == "<lambda>":
            raise self.mistake(
                f"a lambda cannot be a {self.kind}; write {self.decorator} above a def"
            )
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            raise self.mistake(f"a {self.kind} returns its output; it cannot yield")
        self._check_parameters(inspect.unwrap(body))

    def _check_parameters(self, function: object) -> None:
        # Not inspect.signature(): it evaluates annotations on Python 3.14, which need not exist at
        # run time.
        if not isinstance(function, FunctionType):
            return
        found = _parameters(function)
        if found == ["self"]:
            return
        hint = ""
        if function is self.body and found[:1] != ["self"] and "*args" in found:
            hint = f" (a decorator below {self.decorator} should use functools.wraps)"
        raise self.mistake(
            f"a {self.kind} takes self and nothing else, not ({', '.join(found)}){hint}; what it "
            "needs it reads from self.input, self.context or self.outputs"
        )

    def _checked_retry(self, retry: object) -> Retry | None:
        if retry is None or isinstance(retry, Retry):
            return retry
        raise self.mistake(f"retry is a Retry, like Retry(max_attempts=3), not {retry!r:.80}")

    def _checked_timeout(self, timeout: Duration | None) -> float | None:
        if timeout is None:
            return None
        try:
            result = to_seconds(timeout, "timeout")
        except (TypeError, ValueError) as error:
            raise self.mistake(str(error)) from None
        if result == 0:
            raise self.mistake("timeout is 0, so no attempt could ever complete")
        return result

    def _checked_flag(self, name: str, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise self.mistake(f"{name} is True or False, not {value!r:.80}")

    def _check_together(self) -> None:
        if self.atomic and self.is_async:
            raise self.mistake(
                "atomic=True does not go with async def: Django's transactions are not async; "
                "make it a plain def"
            )
        if self.atomic and self.at_most_once:
            raise self.mistake(
                "atomic=True and at_most_once=True exclude each other: atomic takes effect exactly "
                "once already"
            )


def _parameters(function: FunctionType) -> list[str]:
    """The parameters as one writes them: ``["self", "order=", "*args"]``."""
    code = function.__code__
    names = code.co_varnames
    count, keywords = code.co_argcount, code.co_kwonlyargcount
    plain = list(names[:count])
    for index in range(count - len(function.__defaults__ or ()), count):
        plain[index] += "=…"
    at = count + keywords
    if code.co_flags & inspect.CO_VARARGS:
        plain.append(f"*{names[at]}")
        at += 1
    elif keywords:
        plain.append("*")
    plain.extend(names[count : count + keywords])
    if code.co_flags & inspect.CO_VARKEYWORDS:
        plain.append(f"**{names[at]}")
    return plain


@overload
def step(body: Callable[[Any], Any], /) -> Step: ...
@overload
def step(
    *,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    atomic: bool = False,
    at_most_once: bool = False,
) -> Callable[[Callable[[Any], Any]], Step]: ...
def step(
    body: Callable[[Any], Any] | None = None,
    /,
    *,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    atomic: bool = False,
    at_most_once: bool = False,
) -> Step | Callable[[Callable[[Any], Any]], Step]:
    """Makes a method of a workflow a step: checkpointed, run in the order it stands, never run
    again once it has completed. It takes `self` and nothing else; what it returns is its output.

    `retry`: a Retry; None takes `Meta.retry`, else there is one attempt. `timeout`: for one
    attempt, a timedelta or seconds. `atomic`: its database writes and its checkpoint are one
    transaction. `at_most_once`: its start is committed first, and it is not run again if the worker
    dies inside. `DefinitionError` for what cannot be a step.

    Example::

        @step(retry=Retry(max_attempts=3), timeout=minutes(5))
        def charge(self):
            self.context["charge_id"] = payments.charge(self.input["order"])
    """

    def decorate(function: Callable[[Any], Any]) -> Step:
        return Step(
            function, retry=retry, timeout=timeout, atomic=atomic, at_most_once=at_most_once
        )

    return decorate if body is None else decorate(body)
