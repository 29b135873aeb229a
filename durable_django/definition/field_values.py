"""Field values: what an input field of each type may hold, as JSON's own types.

Used for what stands in a field's `initial`, `min` and `max`. What people enter is judged by a real
form, not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from durable_django.definition.shown import is_storable

# What has a chance to be one; the form that is filled in judges with Django's own validator.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {value!r:.80}")
    if not is_storable(value):
        raise ValueError(f"{what} holds a character that cannot be stored: {value!r:.80}")
    return str.__str__(value)


def _email(value: object, what: str) -> str:
    text = _text(value, what)
    if not _EMAIL.fullmatch(text):
        raise ValueError(f"{what} is an e-mail address, not {text!r:.80}")
    return text


def _integer(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} is a whole number, not {value!r:.80}")
    return int.__index__(value)


def _decimal(value: object, what: str) -> str:
    """A number as text: 0.1 is meant as it is written, not as the float nearest to it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise TypeError(f"{what} is a number, not {value!r:.80}")
    try:
        number = Decimal(repr(float(value)) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError(f"{what} is a number, not {value!r:.80}") from None
    if not number.is_finite():
        raise ValueError(f"{what} is a finite number, not {value!r:.80}")
    return str(number)


def _boolean(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, not {value!r:.80}")
    return value


def _date(value: object, what: str) -> str:
    if isinstance(value, str):
        value = _parsed(date, value, what, "2030-01-31")
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"{what} is a date, not {value!r:.80}")
    return value.isoformat()


def _datetime(value: object, what: str) -> str:
    if isinstance(value, str):
        value = _parsed(datetime, value, what, "2030-01-31T09:00:00+00:00")
    if not isinstance(value, datetime):
        raise TypeError(f"{what} is a datetime, not {value!r:.80}")
    if value.utcoffset() is None:
        raise ValueError(f"{what} is a datetime with a time zone, and {value.isoformat()} has none")
    return value.isoformat()


def _parsed(kind: Any, text: str, what: str, example: str) -> Any:
    try:
        return kind.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'{what} is a {kind.__name__} like "{example}", not {text!r:.80}'
        ) from None


def _length(value: object, what: str) -> int:
    length = _integer(value, what)
    if length < 0:
        raise ValueError(f"{what} is a length and cannot be negative: {length}")
    return length


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


class Sizes(NamedTuple):
    """How the values of a type are bounded: `bound` reads a `min` or `max`, `order` gives what
    such a bound is compared by, `size` what a value is.
    """

    bound: Callable[[object, str], Any]
    order: Callable[[Any], Any]
    size: Callable[[Any], Any]


READERS: dict[str, Callable[[object, str], Any]] = {
    "text": _text,
    "long_text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "email": _email,
}

SIZES: dict[str, Sizes] = {
    "text": Sizes(_length, int, len),
    "long_text": Sizes(_length, int, len),
    "integer": Sizes(_integer, int, int),
    "decimal": Sizes(_decimal, Decimal, Decimal),
    "date": Sizes(_date, date.fromisoformat, date.fromisoformat),
    "datetime": Sizes(_datetime, _instant, _instant),
}
