"""Runs a command of the terminal in this process, as the command line would, and keeps what it
said.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

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
        """What is on stdout, without the spaces at the ends."""
        return [line.rstrip() for line in self.out.splitlines()]


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    encoding = "utf-8"

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def said_by(*words: str, is_terminal: bool = False) -> Said:
    """What ``manage.py durable <words>`` says."""
    out, err = Screen(is_terminal), Screen(is_terminal)
    command = Command(stdout=out, stderr=err)
    command._called_from_command_line = True
    code = 0
    # The parser writes its usage, and its help, past the command.
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            parser = command.create_parser("manage.py", "durable")
            options = vars(parser.parse_args(list(words)))
            command.execute(*options.pop("args", ()), **options)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())
