"""The results of a foreach as a page shows them: the first few values and how many more there are.

They are ten thousand rows as easily as three, so a page reads the first of a few such values and
only counts the others. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..engine import values
from ..engine.results import Results

FIRST: Final = 5
READS_MAX: Final = 20


@dataclass(frozen=True)
class Preview:
    """The beginning of a long sequence: its first values, and how many follow."""

    items: list[Any]
    more: int


class Previews:
    """Decodes values for one page, with previews for the results in them. Each preview is one
    query, of which there are at most ``left``; after that only the number is told."""

    def __init__(self, left: int = READS_MAX) -> None:
        self.left = left

    def decode(self, text: str) -> Any:
        """The value that a stored text holds. ValueError for what cannot be read here."""
        value = values.decode(text)
        return self.of(value) if '"results"' in text else value

    def of(self, value: Any) -> Any:
        """``value`` with a preview in the place of all results."""
        if isinstance(value, Results):
            return self._preview(value)
        if isinstance(value, Mapping):
            return {key: self.of(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item) for item in value]
        return tuple(self.of(item) for item in value) if isinstance(value, tuple) else value

    def _preview(self, results: Results) -> Preview:
        if self.left <= 0:
            return Preview([], len(results))
        self.left -= 1
        first = [self.of(value) for value in results[:FIRST]]
        return Preview(first, len(results) - len(first))
