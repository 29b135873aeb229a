"""Somebody at the keyboard, who is asked and answers."""

import io
import sys
from typing import Any


class Asked(io.StringIO):
    """Stands for stdin; ``question`` is what stood on stderr when the answer was read."""

    def __init__(self, monkeypatch: Any, answer: str, *, is_terminal: bool = True) -> None:
        super().__init__(answer)
        self.question = ""
        self._is_terminal = is_terminal
        monkeypatch.setattr(sys, "stdin", self)

    def isatty(self) -> bool:
        return self._is_terminal

    def readline(self, *size: Any) -> str:
        self.question = sys.stderr.getvalue()  # type: ignore[attr-defined]
        return super().readline(*size)
