"""Decoded values as readable, coloured text: laid out like JSON, other types named.

Every character of data goes through ``format_html``. Characters that cannot be seen, or that change
the direction of what follows, are shown as escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.utils.html import format_html, format_html_join

from ..showing.layout import Token, flat, layout


class Pretty(NamedTuple):
    """Readable HTML, and whether the end of the value is missing in it."""

    html: str
    is_cut: bool


def pretty(value: Any, limit: int | None = None) -> Pretty:
    """``value`` as HTML for a ``<pre>``; ``limit`` is in characters.

    >>> from decimal import Decimal
    >>> pretty({"id": 7, "price": Decimal("9.50")}).html
    '{<span class="durable-key">&quot;id&quot;</span>: <span class="durable-number">7</span>, ...
    """
    return _cut(layout(value, 0), limit)


def brief(value: Any, limit: int) -> str:
    """``value`` as HTML on one line, cut after ``limit`` characters.

    >>> brief(["ada", "bob"], 5)
    '[<span class="durable-text">&quot;ada…</span>'
    """
    return _cut(flat(value), limit).html


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


def tokens_html(tokens: Iterable[Token]) -> str:
    """Tokens as HTML; all of them are escaped."""
    pieces = (
        (format_html('<span class="durable-{}">{}</span>', kind, text) if kind else text,)
        for kind, text in tokens
    )
    return format_html_join("", "{}", pieces)
