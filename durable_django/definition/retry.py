"""Retry: how often a failed step is tried again, and after how long.

Pure arithmetic. It draws no random number and reads no clock: who asks passes both in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from durable_django.definition.durations import Duration, hours, to_seconds
from durable_django.exceptions import Fatal, Suspension

Backoff: TypeAlias = Literal["exponential", "linear", "constant"]
ErrorTypes: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]

_HOUR = hours(1)


@dataclass(frozen=True)
class Retry:
    """How a step is retried.

    `max_attempts` counts the first attempt too. The delay after failed attempt n is, in seconds:
    ``base**n`` (exponential), ``n * base`` (linear) or ``base`` (constant), never more than
    `max_backoff` (a timedelta or seconds). `jitter` between 0 and 1 spreads it: 0.1 is ten percent
    up or down. Retried are errors of the classes in `on` that are not of those in `never_on`;
    `Fatal` never is. TypeError or ValueError names the argument that is wrong.

    Example::

        @step(retry=Retry(max_attempts=5, jitter=0.1, never_on=CardDeclined))
        def charge(self): ...
    """

    max_attempts: int = 3
    backoff: Backoff = "exponential"
    base: float = 2
    max_backoff: Duration = _HOUR
    jitter: float = 0.0
    on: ErrorTypes = (Exception,)
    never_on: ErrorTypes = ()

    def __post_init__(self) -> None:
        _check_attempts(self.max_attempts)
        if self.backoff not in get_args(Backoff):
            choices = ", ".join(repr(name) for name in get_args(Backoff))
            raise ValueError(f"Retry backoff is one of {choices}, not {self.backoff!r}")
        if _number("base", self.base) < 0:
            raise ValueError(f"Retry base is 0 or more, not {self.base!r}")
        to_seconds(self.max_backoff, "Retry max_backoff")
        if not 0 <= _number("jitter", self.jitter) <= 1:
            raise ValueError(f"Retry jitter is between 0 and 1, not {self.jitter!r}")
        object.__setattr__(self, "on", _error_types("on", self.on))
        object.__setattr__(self, "never_on", _error_types("never_on", self.never_on))
        if not self.on:
            raise ValueError(
                "Retry on is empty, so nothing would be retried; leave retry out instead"
            )

    def delay_after(self, attempt: int, random: float = 0.5) -> float:
        """The seconds to wait after failed attempt number `attempt` (1, 2, …).

        `random` between 0 and 1 picks the place within the jitter; 0.5 is its middle.
        """
        delay_max = to_seconds(self.max_backoff, "Retry max_backoff")
        delay = min(self._backoff_seconds(attempt), delay_max)
        return min(delay * (1 + self.jitter * (2 * random - 1)), delay_max)

    def _backoff_seconds(self, attempt: int) -> float:
        base = float(self.base)
        try:
            if self.backoff == "exponential":
                return base**attempt
            return attempt * base if self.backoff == "linear" else base
        except OverflowError:  # attempt 2,000 of a step that is tried until it works
            return math.inf

    def allows(self, error: BaseException) -> bool:
        """Whether an error of this kind is retried at all, however many attempts are left."""
        if isinstance(error, (Fatal, Suspension)):
            return False
        return isinstance(error, self.on) and not isinstance(error, self.never_on)

    def structure(self) -> dict[str, Any]:
        """This Retry as JSON-able data, for a stored or drawn definition; durations in seconds."""
        return {
            "max_attempts": self.max_attempts,
            "backoff": self.backoff,
            "base": self.base,
            "max_backoff": to_seconds(self.max_backoff, "Retry max_backoff"),
            "jitter": self.jitter,
            "on": _names(self.on),
            "never_on": _names(self.never_on),
        }


def _check_attempts(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Retry max_attempts is a whole number, not {value!r}")
    if value < 1:
        raise ValueError(
            f"Retry max_attempts is at least 1 (the first attempt counts), not {value}"
        )


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Retry {field} is a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"Retry {field} is a finite number, not {value!r:.40}")
    return number


def _error_types(field: str, value: object) -> tuple[type[BaseException], ...]:
    types = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for entry in types:
        if not (isinstance(entry, type) and issubclass(entry, BaseException)):
            raise TypeError(f"Retry {field} is an exception class or several, not {entry!r}")
    return types


def _names(types: ErrorTypes) -> list[str]:
    entries = types if isinstance(types, tuple) else (types,)
    return [f"{entry.__module__}.{entry.__qualname__}" for entry in entries]


NO_RETRY = Retry(max_attempts=1)
