"""Readers: each takes a value and what to call it, returns it as kept, or raises TypeError or
ValueError.

`class Meta`, waits, schedules and the API judge with the same ones. They know no settings: whether
a queue exists is not judged here.
"""

from __future__ import annotations

from durable_django.definition.durations import to_seconds

NAME_LENGTH_MAX = 200
QUEUE_LENGTH_MAX = 100
PRIORITY_MAX = 32_767  # and as far below zero: a 16-bit column, which can also be negated
VERSION_MAX = 2_147_483_647


def read_text(value: object, what: str, length_max: int) -> str:
    """A printable text without spaces around it, of at most `length_max` characters."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {value!r:.80}")
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError(f"{what} is a printable text without spaces around it, not {value!r:.80}")
    if len(value) > length_max:
        raise ValueError(f"{what} has at most {length_max} characters, not {len(value)}")
    return str(value)


def read_name(value: object, what: str) -> str:
    """The name of a workflow. "self" is taken: it means the calling workflow."""
    name = read_text(value, what, NAME_LENGTH_MAX)
    if name == "self":
        raise ValueError(f'{what} cannot be "self", which means the workflow that calls')
    return name


def read_queue(value: object, what: str) -> str:
    """The name of a queue. Whether it exists is not judged here."""
    return read_text(value, what, QUEUE_LENGTH_MAX)


def read_integer(value: object, what: str, least: int, most: int) -> int:
    """A whole number from `least` to `most`, no bool."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} is a whole number, not {value!r:.80}")
    if not least <= value <= most:
        raise ValueError(f"{what} is between {least} and {most}, not {value!r:.40}")
    return int(value)


def read_version(value: object, what: str) -> int:
    """A version: 1, 2, …"""
    return read_integer(value, what, 1, VERSION_MAX)


def read_priority(value: object, what: str) -> int:
    """A priority: higher first, 0 is usual."""
    return read_integer(value, what, -PRIORITY_MAX, PRIORITY_MAX)


def read_timeout(value: object, what: str) -> float | None:
    """A timeout in seconds, more than 0, or None for no limit."""
    if value is None:
        return None
    result = to_seconds(value, what)
    if result == 0:
        raise ValueError(f"{what} is 0, so no run could ever complete; None means no limit")
    return result
