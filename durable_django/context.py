"""Function style for code far from the step: the run that is in progress in this thread or task.

Outside a step each of these raises NotInStep.

>>> from durable_django.context import get_context, put_context
>>> def add_tax():                                                     # called from a step
...     put_context("total", get_context("total", 0) * 1.19)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from .engine.context import MISSING, Context
from .engine.current import CurrentAttempt, current_attempt
from .exceptions import NotInStep


def _current() -> CurrentAttempt:
    attempt = current_attempt.get()
    if attempt is None:
        raise NotInStep(
            "no step is running in this thread or task; durable_django.context works inside the "
            "body of a step, and not in threads that it starts"
        )
    return attempt


def context() -> Context:
    """The run's data, the same live object as ``self.context``."""
    return _current().context


def get_context(key: str, default: Any = None) -> Any:
    """The value under ``key``, or ``default``."""
    return context().get(key, default)


def put_context(key: str | Mapping[str, Any], value: Any = MISSING) -> None:
    """``put_context("total", 12)``, or several at once: ``put_context({"total": 12, "n": 3})``."""
    if isinstance(key, Mapping):
        if value is not MISSING:
            raise TypeError("put_context takes a key and a value, or one mapping")
        context().update(key)
    elif value is MISSING:
        raise TypeError(f"put_context({key!r}) needs a value")
    else:
        context()[key] = value


def update_context(key: str, function: Callable[[Any], Any], default: Any = MISSING) -> Any:
    """Sets ``key`` to ``function(its value)``; see ``Context.update_key``."""
    return context().update_key(key, function, default)


def delete_context(key: str) -> None:
    """Removes ``key``; KeyError if it is not there."""
    del context()[key]


def append_context(key: str, value: Any) -> None:
    """Appends to the list under ``key`` (from an empty one)."""
    context().append(key, value)


def increment_context(key: str, by: Any = 1) -> Any:
    """Adds to the number under ``key`` (from 0); the sum."""
    return context().increment(key, by)


def get_input() -> Any:
    """The start input, as ``self.input``."""
    return _current().input


def workflow_id() -> UUID:
    """The id of the run, as ``self.execution_id``."""
    return _current().execution_id
