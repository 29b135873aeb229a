"""Durations: how users write them, and the one place that reads them.

A duration is a timedelta or a number of seconds. Knows no clock and no time zone.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TypeAlias

Duration: TypeAlias = timedelta | float

# Longer ones cannot be added to a date that a database can hold.
DURATION_SECONDS_MAX = 1000 * 365 * 86_400


def seconds(n: float) -> timedelta:
    """`n` seconds as a timedelta: ``seconds(30)``."""
    return timedelta(seconds=n)


def minutes(n: float) -> timedelta:
    """`n` minutes as a timedelta: ``minutes(5)``."""
    return timedelta(minutes=n)


def hours(n: float) -> timedelta:
    """`n` hours as a timedelta: ``hours(2)``."""
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    """`n` days of 24 hours as a timedelta: ``days(7)``."""
    return timedelta(days=n)


def to_seconds(value: object, what: str) -> float:
    """The seconds of a duration, as a float, never negative.

    `what` names the value in the error: ``to_seconds(True, "timeout")`` raises
    ``TypeError: timeout is a timedelta or a number of seconds, not True``. ValueError for a number
    that is no duration: negative, NaN, infinite, or over a thousand years.
    """
    if isinstance(value, timedelta):
        number: float = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = value
    else:
        raise TypeError(f"{what} is a timedelta or a number of seconds, not {value!r:.80}")
    if isinstance(number, float) and math.isnan(number):
        raise ValueError(f"{what} is no number of seconds, but NaN")
    # Compared before float(), which cannot take an integer of 400 digits.
    if number < 0:
        raise ValueError(f"{what} is negative")
    if number > DURATION_SECONDS_MAX:
        raise ValueError(f"{what} is longer than a thousand years")
    return float(number)
