"""Decoded values as a tree that folds without a script, and as JSON to be copied.

What fits on a line stays on one. Every character of data goes through ``format_html``, see
``pretty``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.translation import ngettext

from ..showing.layout import brackets, entries, key_tokens, one_line
from ..showing.previews import Preview
from .pretty import Pretty, pretty, tokens_html

LINE_LENGTH_MAX: Final = 72
PARTS_MAX: Final = 2_000
UNFOLDED_MAX: Final = 12
UNFOLDED_DEPTH: Final = 3


class _Room:
    """How many more parts may be drawn, and characters in one of them."""

    def __init__(self, limit: int | None) -> None:
        self.parts = PARTS_MAX if limit is not None else None
        self.limit = limit
        self.is_cut = False

    def take(self) -> bool:
        """Whether there is room for another part."""
        if self.parts is None:
            return True
        self.parts -= 1
        self.is_cut = self.is_cut or self.parts < 0
        return self.parts >= 0


def tree(value: Any, limit: int | None = None) -> Pretty:
    """``value`` as nested, foldable lists; ``limit`` is in characters a part.

    >>> tree({"id": 7}).html
    '{<span class="durable-key">&quot;id&quot;</span>: <span class="durable-number">7</span>}'
    """
    room = _Room(limit)
    html = _part(value, "", 0, room)
    return Pretty(html, room.is_cut)


def copied(value: Any) -> str:
    """``value`` as JSON, indented; what JSON has no type for becomes its text, and what cannot be
    seen is written as escapes."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, indent=2)
    return "".join(map(_seen, text))


def _seen(char: str) -> str:
    return char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]


def _plain(value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value, key=repr)
    return list(value.items) if isinstance(value, Preview) else str(value)


def _part(value: Any, key: str, depth: int, room: _Room) -> str:
    """One value behind its key: a line, or something that folds."""
    line = one_line(value, LINE_LENGTH_MAX)
    opened = brackets(value)
    if line is not None:
        return format_html("{}{}", key, tokens_html(line))
    if opened is None:
        found = pretty(value, room.limit)
        room.is_cut = room.is_cut or found.is_cut
        return format_html("{}{}", key, found.html)
    begin, end, label = opened
    inner = format_html_join("", "<li>{}</li>", _parts(value, depth, room))
    few = depth < UNFOLDED_DEPTH and _size(value) <= UNFOLDED_MAX
    return format_html(
        '<details{}><summary>{}{}<span class="durable-tree-size">{}</span></summary>'
        '<ul class="durable-tree">{}</ul>{}{}</details>',
        " open" if few or depth == 0 else "",
        key,
        begin,
        _told(value),
        inner,
        end,
        tokens_html(label),
    )


def _parts(value: Any, depth: int, room: _Room) -> Iterable[tuple[str]]:
    for key, item in entries(value):
        if not room.take():
            yield ("…",)
            return
        yield (_part(item, tokens_html(key_tokens(key)), depth + 1, room),)


def _size(value: Any) -> int:
    return len(value.items) + value.more if isinstance(value, Preview) else len(value)


def _told(value: Any) -> str:
    number = _size(value)
    if isinstance(value, Mapping):
        return ngettext("%(n)s key", "%(n)s keys", number) % {"n": number}
    return ngettext("%(n)s value", "%(n)s values", number) % {"n": number}
