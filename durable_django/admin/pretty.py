"""Decoded values as readable, coloured text: laid out like JSON, other types named.

Every character of data goes through ``format_html``. Characters that cannot be seen, or that change
the direction of what follows, are shown as escapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import ngettext

from ..engine.results import MemberFailure
from .masking import DOTS, Masked
from .previews import Preview

Token = tuple[str, str]

LINE_LENGTH_MAX: Final = 76
BYTES_SHOWN_MAX: Final = 1_000
# Joiners that shape Arabic and Indic scripts and emoji: invisible, but part of the writing.
_JOINERS: Final = "\u200c\u200d"


@dataclass(frozen=True)
class _More:
    """Stands for the values that a preview leaves out."""

    count: int
    follows: bool


class Pretty(NamedTuple):
    """Readable HTML, and whether the end of the value is missing in it."""

    html: str
    is_cut: bool


def pretty(value: Any, limit: int | None = None) -> Pretty:
    """``value`` as HTML for a ``<pre>``; ``limit`` is in characters.

    >>> pretty({"id": 7, "price": Decimal("9.50")}).html
    '{<span class="durable-key">&quot;id&quot;</span>: <span class="durable-number">7</span>, ...
    """
    return _cut(_layout(value, 0), limit)


def brief(value: Any, limit: int) -> str:
    """``value`` as HTML on one line, cut after ``limit`` characters.

    >>> brief(["ada", "bob"], 5)
    '[<span class="durable-text">&quot;ada…</span>'
    """
    return _cut(_flat(value), limit).html


def _cut(tokens: Iterable[Token], limit: int | None) -> Pretty:
    kept: list[Token] = []
    left = limit
    is_cut = False
    for kind, text in tokens:
        if left is not None and len(text) > left:
            kept.append((kind, text[:left] + "…"))
            is_cut = True
            break
        left = None if left is None else left - len(text)
        kept.append((kind, text))
    return Pretty(tokens_html(kept), is_cut)


def visible(text: str) -> str:
    """``text`` with what cannot be seen written as escapes; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" or char in _JOINERS else _escape(char)
        for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def tokens_html(tokens: Iterable[Token]) -> str:
    """Tokens as HTML; all of them are escaped."""
    pieces = (
        (format_html('<span class="durable-{}">{}</span>', kind, text) if kind else text,)
        for kind, text in tokens
    )
    return format_html_join("", "{}", pieces)


def _layout(value: Any, depth: int) -> Iterator[Token]:
    """On one line where it fits, else an entry a line."""
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
        yield from _layout(item, depth + 1)
    yield "", "\n" + "  " * depth + end
    yield from label


def one_line(value: Any, room: int) -> list[Token] | None:
    """The tokens of ``value`` on one line, None where that is longer than ``room``."""
    tokens: list[Token] = []
    for token in _flat(value):
        room -= len(token[1])
        if room < 0:
            return None
        tokens.append(token)
    return tokens


def _flat(value: Any) -> Iterator[Token]:
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
        yield from _flat(item)
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
