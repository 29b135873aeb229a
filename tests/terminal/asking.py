"""Somebody at the keyboard, who is asked and answers."""

import io
import sys
from typing import Any


class Asked:
    """Stands for stdin; ``question`` is what was asked."""

    def __init__(self, monkeypatch: Any, answer: str, *, is_terminal: bool = True) -> None:
        self.answers = io.StringIO(answer)
        self.written = io.StringIO()
        self.is_terminal = is_terminal
        monkeypatch.setattr(sys, "stdin", self)
        monkeypatch.setattr(sys, "stderr", self.written)

    def isatty(self) -> bool:
        return self.is_terminal

    def readline(self) -> str:
        return self.answers.readline()

    @property
    def question(self) -> str:
        return self.written.getvalue()
