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


class LogBuffer:
    """Keeps entries up to ``limit`` bytes; when more come, the middle goes and is counted."""

    __slots__ = ("_dropped", "_head", "_left", "_tail", "_tail_bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._head: list[tuple[datetime, str, str, str]] = []
        self._tail: deque[tuple[int, tuple[datetime, str, str, str]]] = deque()
        self._left = limit // 2
        self._tail_bytes = 0
        self._dropped = 0

    def add(self, at: datetime, level: str, logger: str, message: object) -> None:
        """One entry. What cannot be printed is made visible; a long one is cut."""
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

    def entries(self) -> list[dict[str, Any]]:
        """``[{"at", "level", "logger", "message"}]``, with a note where entries were dropped."""
        found = [_entry(*entry) for entry in self._head]
        if self._dropped:
            at = self._tail[0][1][0] if self._tail else self._head[-1][0]
            note = f"… {self._dropped} log lines dropped here: the limit is {self.limit} bytes …"
            found.append(_entry(at, "WARNING", "durable_django", note))
        found.extend(_entry(*entry) for _, entry in list(self._tail))
        return found

    def encoded(self) -> str:
        """The stored form of :meth:`entries`."""
        if not self._head and not self._tail and not self._dropped:
            return "[]"
        return values.encode(self.entries(), "logs")


def _entry(at: datetime, level: str, logger: str, message: str) -> dict[str, Any]:
    return {"at": at, "level": level, "logger": logger, "message": message}
