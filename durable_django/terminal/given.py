"""What people write behind an option, as values: JSON, durations, moments, tags, ``key=JSON``.

Each reader names the option in what it raises, and shows how it is written. Nothing is written,
and no row is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from ..conf import settings
from ..engine import values
from ..exceptions import NotSerializable
from ..showing.durations import read_duration
from ..store import clock
from .command import WRONG_USAGE, Refused

_SHOWN_MAX: Final = 80


def read_json(text: str, what: str) -> Any:
    """The value of JSON, of a file (``@order.json``) or of what is piped in (``-``).

    >>> read_json('{"order": 7}', "--input")
    {'order': 7}
    """
    if text == "-":
        return judged(_decoded(_read_piped(what), f"{what} -"), f"{what} -")
    if text.startswith("@"):
        return judged(_decoded(_read_file(text[1:], what), f"{what} {text}"), f"{what} {text}")
    return judged(text, what)


def judged(text: str, what: str, path: str | None = None) -> Any:
    """The value of a JSON text, as it will be stored. ``path`` is what it is called in what the
    gate says of its parts, ``what`` if not given."""
    try:
        value = values.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in text else _pointed(error)
        hint = "; a text stands in quotes: '\"…\"'" if _is_word(text) else ""
        raise _wrong(f"{what} is no JSON: {error.msg} ({where}){hint}") from None
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{what} cannot be read: {values.visible(error, 200)}") from None
    try:
        values.encode(value, path or what, limit=settings.MAX_PAYLOAD_BYTES)
    except NotSerializable as error:
        raise _wrong(str(error)) from None
    except RecursionError:
        raise _wrong(f"{what} is nested too deep") from None
    return value


def read_settings(given: Iterable[str], what: str) -> dict[str, Any]:
    """The values by key of ``key=JSON``, each key once.

    >>> read_settings(["email=null", 'name="Ada"'], "--set")
    {'email': None, 'name': 'Ada'}
    """
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise _wrong(
                f"{what} is written key=JSON, for example total=3 or name='\"Ada\"': {text}"
            )
        if key in found:
            raise _wrong(f"{what} has the key {key} twice")
        found[key] = read_json(value, f"{what} {key}=")
    return found


def duration_of(text: str, what: str) -> timedelta:
    """How long, as people write it.

    >>> duration_of("1h 30m", "--timeout")
    datetime.timedelta(seconds=5400)
    """
    try:
        return read_duration(text, what)
    except ValueError as error:
        raise _wrong(str(error)) from None


def read_moment(text: str, what: str) -> datetime:
    """When: a date or a time as ISO 8601 writes it, in the zone of the terminal unless it names an
    offset; ``now``; or from now on: ``+2h``.

    >>> read_moment("2030-01-31T09:00Z", "--at").isoformat()
    '2030-01-31T09:00:00+00:00'
    """
    plain = text.strip()
    if plain == "now":
        return clock.now()
    try:
        if plain.startswith("+"):
            return clock.now() + duration_of(plain[1:], what)
        moment = datetime.fromisoformat(plain)
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    except (ValueError, OverflowError):
        raise _wrong(
            f"{what} is a time such as 2030-01-31T09:00, 2030-01-31T09:00+01:00, or +2h from now, "
            f"not {_shown(text)}"
        ) from None


def read_tags(given: Iterable[str]) -> list[str] | dict[str, Any] | None:
    """Words, or names with values as soon as one has a value; None for none.

    >>> read_tags(["vip", "customer=42"])
    {'vip': True, 'customer': '42'}
    """
    words = list(given)
    if not any("=" in word for word in words):
        return words or None
    pairs = (word.partition("=") for word in words)
    return {name: value if equals else True for name, equals, value in pairs}


def lines_of(text: str, what: str) -> Any:
    """A binary file to read lines from: ``@orders.jsonl``, or ``-`` for what is piped in."""
    if text == "-":
        return _piped(what)
    if not text.startswith("@"):
        raise _wrong(f"{what} is a file, written @orders.jsonl, or - for what is piped in")
    try:
        return Path(text[1:]).open("rb")
    except OSError as error:
        raise _unreadable(text[1:], what, error) from None


def _piped(what: str) -> Any:
    """What is piped in, as a binary file. Refused where stdin was closed."""
    if sys.stdin is None:
        raise _wrong(f"{what} -: nothing is piped in, stdin is closed")
    return sys.stdin.buffer


def _read_piped(what: str) -> bytes:
    try:
        content: bytes = _piped(what).read()
    except OSError as error:
        raise _unreadable("-", what, error) from None
    return content


def _read_file(name: str, what: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(name, what, error) from None


def _unreadable(name: str, what: str, error: Exception) -> Refused:
    why = error.strerror if isinstance(error, OSError) else error
    return _wrong(f"{what}: the file {_shown(name)} cannot be read: {why}")


def _decoded(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(f"{what} is no UTF-8: byte {error.start}") from None


def _pointed(error: json.JSONDecodeError) -> str:
    near = values.visible(error.doc[error.pos : error.pos + 20], _SHOWN_MAX)
    return f"at character {error.pos + 1}: {near}" if near else "at its end"


def _is_word(text: str) -> bool:
    return text.lstrip()[:1].isalpha()


def _shown(text: str) -> str:
    return repr(values.visible(text, _SHOWN_MAX))


def _wrong(message: str) -> Refused:
    return Refused(message, WRONG_USAGE)
