"""Decoded values laid out for people: like JSON, other types named, as tokens of a kind and a text.

Whoever shows them gives each kind its colour. What cannot be seen is written as escapes; nothing is
escaped for HTML here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils.formats import number_format
from django.utils.translation import ngettext

from ..engine.results import MemberFailure
from .masking import DOTS, Masked
from .previews import Preview
from .visible import visible

Token = tuple[str, str]


LINE_LENGTH_MAX: Final = 76


BYTES_SHOWN_MAX: Final = 1_000


@dataclass(frozen=True)
class _More:
    """Stands for the values that a preview leaves out."""

    count: int
    follows: bool


def layout(value: Any, depth: int) -> Iterator[Token]:
    """``value`` on one line where it fits, else an entry a line."""
    opened = brackets(value)
    if opened is None or not _is_filled(value):
        yield from _scalar(value)
        return
    line = one_line(value, LINE_LENGTH_MAX - 2 * depth)
    if line is not None:
        yield from line
        return
    begin, end, label = opened
    yield "", begin
    indent = "\n" + "  " * (depth + 1)
    for index, (key, item) in enumerate(entries(value)):
        yield "", f",{indent}" if index else indent
        yield from key_tokens(key)
        yield from layout(item, depth + 1)
    yield "", "\n" + "  " * depth + end
    yield from label


def one_line(value: Any, room: int) -> list[Token] | None:
    """The tokens of ``value`` on one line, None where that is longer than ``room``."""
    tokens: list[Token] = []
    for token in flat(value):
        room -= len(token[1])
        if room < 0:
            return None
        tokens.append(token)
    return tokens


def flat(value: Any) -> Iterator[Token]:
    """``value`` on one line, however long."""
    opened = brackets(value)
    if opened is None or not _is_filled(value):
        yield from _scalar(value)
        return
    begin, end, label = opened
    yield "", begin
    for index, (key, item) in enumerate(entries(value)):
        if index:
            yield "", ", "
        yield from key_tokens(key)
        yield from flat(item)
    yield "", end
    yield from label


def _is_filled(value: Any) -> bool:
    return bool(value.items or value.more) if isinstance(value, Preview) else bool(value)


def brackets(value: Any) -> tuple[str, str, list[Token]] | None:
    """What stands around a value that has others in it, and the name of its type; else None."""
    if isinstance(value, Mapping):
        return "{", "}", []
    if isinstance(value, list | Preview):
        return "[", "]", []
    if isinstance(value, tuple):
        return "(", ")", [("type", " tuple")]
    if isinstance(value, set):
        return "{", "}", [("type", " set")]
    return None


def entries(value: Any) -> Iterable[tuple[str | None, Any]]:
    """What is in a value, by key where it has keys."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, set):
        return ((None, item) for item in sorted(value, key=repr))
    if isinstance(value, Preview):
        rest = [_More(value.more, bool(value.items))] if value.more else []
        return ((None, item) for item in (*value.items, *rest))
    return ((None, item) for item in value)


def key_tokens(key: str | None) -> Iterator[Token]:
    """A key, and what stands behind it; nothing for None."""
    if key is not None:
        yield "key", _quoted(str(key))
        yield "", ": "


def _quoted(text: str) -> str:
    return visible(json.dumps(text, ensure_ascii=False))


def _scalar(value: Any) -> Iterator[Token]:
    if isinstance(value, Masked):
        yield "masked", DOTS
    elif isinstance(value, _More):
        yield "type", _told(value)
    elif isinstance(value, MemberFailure):
        yield "failure", visible(": ".join(filter(None, (value.type, value.message))))
        yield "type", " MemberFailure"
    elif isinstance(value, str):
        yield "text", _quoted(value)
    elif value is None or value is True or value is False:
        yield "constant", json.dumps(value)
    elif isinstance(value, int | float):
        yield "number", repr(value)
    elif isinstance(value, Mapping | list | Preview):
        yield "", "{}" if isinstance(value, Mapping) else "[]"
    else:
        yield from _named(value)


def _told(more: _More) -> str:
    number = number_format(more.count, force_grouping=True)
    if more.follows:
        return ngettext("… %(n)s more", "… %(n)s more", more.count) % {"n": number}
    return ngettext("%(n)s result", "%(n)s results", more.count) % {"n": number}


def _named(value: Any) -> Iterator[Token]:
    """A value of a type that JSON does not have: its text, then the name of its type."""
    text = str(value)
    if isinstance(value, tuple | set):
        text = "()" if isinstance(value, tuple) else "{}"
    elif isinstance(value, bytes):
        shown = repr(value[:BYTES_SHOWN_MAX])
        rest = len(value) - BYTES_SHOWN_MAX
        text = shown if rest <= 0 else f"{shown} … {rest:,} more"
    elif isinstance(value, datetime | time):
        zone = getattr(value.tzinfo, "key", None)
        text = f"{text} {zone}" if zone else text
    known = (datetime, date, time, timedelta, Decimal, UUID, bytes, tuple, set)
    name = next((cls.__name__ for cls in known if isinstance(value, cls)), type(value).__name__)
    yield "number" if isinstance(value, Decimal) else "text", visible(text)
    yield "type", f" {name}"
