"""From stored texts to what may be seen of them: decoded, masked, laid out, cut.

A value that cannot be decoded here is said to be so, without its text, which nobody could mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext

from ..engine import values
from ..engine.context import decode_changes
from .masking import Mask
from .pretty import brief, pretty, visible
from .previews import Previews


@dataclass(frozen=True)
class ValueView:
    """A value ready to be shown; ``problem`` says why it cannot be."""

    html: str = ""
    is_cut: bool = False
    is_empty: bool = False
    problem: str = ""


class Entry(NamedTuple):
    """A value under a key; ``op`` says what was done to it, for a change."""

    key: str
    value: ValueView
    op: str = ""


@dataclass(frozen=True)
class ErrorView:
    """An error ready to be shown."""

    type: str
    message: str = ""
    node: str = ""
    traceback: str = ""


class Shown:
    """Shows the values of one run under its mask; those longer than ``limit`` characters are cut,
    None shows them whole."""

    def __init__(self, mask: Mask, limit: int | None, previews: Previews | None = None) -> None:
        self.mask = mask
        self.limit = limit
        self.previews = previews or Previews()

    def value(self, text: str, *keys: str) -> ValueView:
        """One stored value; ``keys`` are those it stands under, one within another."""
        return self._view(lambda: self.mask.under_any(keys, self.previews.decode(text)))

    def entry(self, key: str, text: str, op: str = "") -> Entry:
        """One stored value that stands under a key."""
        return Entry(visible(key), self.value(text, key), op)

    def brief(self, text: str, length: int, *keys: str) -> str:
        """The first ``length`` characters of a stored value, on one line; no results are read."""
        try:
            value = Previews(0).decode(text)
        except ValueError:
            return unreadable()
        return brief(self.mask.under_any(keys, value), length)

    def text(self, text: str) -> str:
        """A free text."""
        return visible(self.mask.text(text))

    def error(self, text: str) -> ErrorView | None:
        """A stored error, None where there is none."""
        if not text:
            return None
        try:
            found = values.decode(text)
        except ValueError:
            return ErrorView(unreadable())
        parts = (found.get(part) or "" for part in ("type", "message", "node", "traceback"))
        return ErrorView(*(self.text(str(part)) for part in parts))

    def changes(self, text: str) -> list[Entry]:
        """What an attempt did to the context."""
        try:
            changes = decode_changes(text)
        except ValueError:
            return [Entry("", ValueView(problem=unreadable()))]
        return [self.entry(change.key, change.text, change.op) for change in changes]

    def _view(self, read: Callable[[], Any]) -> ValueView:
        try:
            value = read()
        except ValueError:
            return ValueView(problem=unreadable())
        found = pretty(value, self.limit)
        return ValueView(found.html, found.is_cut, is_empty=value is None or value in ({}, []))


def unreadable() -> str:
    """Said of a value with a time zone or a type that this process does not know."""
    return gettext("This value cannot be read on this machine.")


def learn(mask: Mask, text: str, keys: Iterable[str] = ()) -> None:
    """Lets ``mask`` gather the secrets of a stored value, which may itself stand under keys."""
    try:
        value = values.decode(text)
    except ValueError:
        return
    if any(map(mask.hides, keys)):
        mask.learn_secret(value)
    else:
        mask.learn(value)


def learn_changes(mask: Mask, text: str) -> None:
    """Lets ``mask`` gather the secrets of what an attempt did to the context."""
    try:
        changes = decode_changes(text)
    except ValueError:
        return
    for change in changes:
        learn(mask, change.text, (change.key,))
