"""From stored texts to what may be seen of them: decoded, masked, laid out, cut.

A value that cannot be decoded here is said to be so, without its text, which nobody could mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..engine import values
from ..engine.context import decode_changes
from ..showing.learning import unreadable
from ..showing.masking import Mask
from ..showing.previews import Previews
from ..showing.visible import visible
from .pretty import Pretty, brief, pretty
from .tree import tree

TEXT_LENGTH_MAX: Final = 20_000


@dataclass(frozen=True)
class ValueView:
    """A value ready to be shown, as text or as a tree; ``problem`` says why it cannot be."""

    html: str = ""
    is_cut: bool = False
    is_empty: bool = False
    problem: str = ""
    is_tree: bool = False


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

    def tree(self, text: str, *keys: str) -> ValueView:
        """The same as a tree that folds."""
        return self._view(lambda: self.mask.under_any(keys, self.previews.decode(text)), tree)

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

    def text(self, text: str, most: int = TEXT_LENGTH_MAX) -> str:
        """A free text; where values are cut, one longer than ``most`` is, too."""
        shown = visible(self.mask.text(text))
        return shown if self.limit is None or len(shown) <= most else f"{shown[:most]}…"

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

    def given(self, value: Any) -> ValueView:
        """A value that has been decoded and masked already."""
        found = pretty(value, self.limit)
        return ValueView(found.html, found.is_cut, is_empty=value is None or value in ({}, []))

    def _view(
        self, read: Callable[[], Any], draw: Callable[[Any, int | None], Pretty] = pretty
    ) -> ValueView:
        try:
            value = read()
        except ValueError:
            return ValueView(problem=unreadable())
        found = draw(value, self.limit)
        is_empty = value is None or value in ({}, [])
        return ValueView(found.html, found.is_cut, is_empty, is_tree=draw is tree)
