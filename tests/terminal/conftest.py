"""The fixture `durable_command`: a command of the terminal, run here, and what it said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from durable_django.management.commands.durable import Command


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.out.splitlines()]


class Screen(io.StringIO):
    """A stream that may be a terminal; it says nothing of its encoding, as StringIO does."""

    encoding = "utf-8"

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def said_by(*words: str, is_terminal: bool = False) -> Said:
    """Runs ``manage.py durable <words>`` in this process, as the command line would."""
    out, err = Screen(is_terminal), Screen(is_terminal)
    command = Command(stdout=out, stderr=err)
    command._called_from_command_line = True
    code = 0
    try:
        parser = command.create_parser("manage.py", "durable")
        options = vars(parser.parse_args(list(words)))
        command.execute(*options.pop("args", ()), **options)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture
def terminal(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """``terminal("list", "--json", width=80)`` → what it said; ``is_terminal``: with colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def run(*words: str, width: int | None = None, is_terminal: bool = False) -> Said:
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        return said_by(*map(str, words), is_terminal=is_terminal)

    return run
