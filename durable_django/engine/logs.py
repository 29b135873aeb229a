"""The log lines of one attempt: kept within a bound, the first half and the last half of it.

Pure: times are handed in, capture itself is the worker's.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from . import values

# What an entry costs beside its message: time, level and logger as JSON.
ENTRY_BYTES = 100
# Pieces of one printed line that are kept apart before they are taken for an entry.
PIECES_MAX = 1_000


class LogBuffer:
    """Keeps entries up to ``limit`` bytes; when more come, the middle goes and is counted."""

    __slots__ = ("_dropped", "_head", "_last_at", "_left", "_open", "_tail", "_tail_bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._head: list[tuple[datetime, str, str, str]] = []
        self._tail: deque[tuple[int, tuple[datetime, str, str, str]]] = deque()
        self._left = limit // 2
        self._tail_bytes = 0
        self._dropped = 0
        self._last_at: datetime | None = None
        # Printed text whose line has not ended yet, in pieces: stream -> pieces.
        self._open: dict[str, list[str]] = {}

    def add(self, at: datetime, level: str, logger: str, message: object) -> None:
        """One entry. What cannot be printed is made visible; a long one is cut."""
        self._last_at = at
        text = values.visible(message, max(self.limit // 4, 1))
        entry = (at, level, values.visible(logger, 200), text)
        size = len(text.encode()) + len(entry[2]) + ENTRY_BYTES
        if self._left >= size and not self._tail:
            self._left -= size
            self._head.append(entry)
            return
        self._tail.append((size, entry))
        self._tail_bytes += size
        while self._tail and self._tail_bytes > self.limit // 2:
            self._tail_bytes -= self._tail.popleft()[0]
            self._dropped += 1

    def write(self, at: datetime, stream: str, text: str) -> None:
        """A piece of what was printed: an entry for each line, once that has ended."""
        self._last_at = at
        *lines, rest = text.split("\n")
        for line in lines:
            whole = "".join([*self._open.pop(stream, ()), line])
            if whole:
                self.add(at, "INFO", stream, whole)
        if rest:
            pieces = self._open.setdefault(stream, [])
            pieces.append(rest)
            if len(pieces) > PIECES_MAX or len(rest) > self.limit:
                self.add(at, "INFO", stream, "".join(self._open.pop(stream)))

    def entries(self) -> list[dict[str, Any]]:
        """``[{"at", "level", "logger", "message"}]``, with a note where entries were dropped."""
        found = [_entry(*entry) for entry in self._head]
        if self._dropped:
            at = self._tail[0][1][0] if self._tail else self._last_at
            note = f"… {self._dropped} log lines dropped here: the limit is {self.limit} bytes …"
            found.append(_entry(at, "WARNING", "durable_django", note))
        found.extend(_entry(*entry) for _, entry in list(self._tail))
        for stream, pieces in list(self._open.items()):
            text = values.visible("".join(pieces), max(self.limit // 4, 1))
            found.append(_entry(self._last_at, "INFO", stream, text))
        return found

    def encoded(self) -> str:
        """The stored form of :meth:`entries`."""
        if self._last_at is None:
            return "[]"
        return values.encode(self.entries(), "logs")


def _entry(at: datetime | None, level: str, logger: str, message: str) -> dict[str, Any]:
    return {"at": at, "level": level, "logger": logger, "message": message}
