"""What a command of the terminal is, how it says no, and with which code it ends.

A command reads its options, calls the API or reads rows, and says what came of it through the
``Terminal`` it is given. It never writes to stdout itself, and writes rows through the API only.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from .screen import Terminal

DONE: Final = 0
REFUSED: Final = 1
WRONG_USAGE: Final = 2
NOT_FOUND: Final = 3
AMBIGUOUS: Final = 4
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
# Of what options count: rows, versions, lines.
NUMBER_MAX: Final = 1_000_000_000


class Refused(Exception):
    """What was asked cannot be; ``code`` is what the command ends with. Said to people as
    ``error: …``, without a traceback.

    Example: ``raise Refused("--limit must be at least 1", WRONG_USAGE)``.
    """

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Unwritable(Refused):
    """What a command says cannot be written, as on a disk that is full."""

    def __init__(self, why: object) -> None:
        super().__init__(f"the output cannot be written: {why}")


class Command(ABC):
    """A command of ``manage.py durable``: a name, a line of help, examples, options, a body."""

    name: ClassVar[str]
    help: ClassVar[str]
    # Examples, shown below the help as they stand.
    epilog: ClassVar[str] = ""

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027 (many have none)
        """Adds what is its own; the options all have are there already."""

    @abstractmethod
    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Does it; returns the exit code. Raises Refused, or an error of the API."""


def add_reason(parser: ArgumentParser) -> None:
    """The option of commands that change something: ``--reason``, kept in the history."""
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the history")


def at_least(least: int) -> type[int]:
    """For ``type=``: a whole number that is not less, nor more than any database counts to.

    >>> at_least(1)("20")
    20
    """

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} is no whole number") from None
        if found < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {found}")
        if found > NUMBER_MAX:
            raise argparse.ArgumentTypeError(f"must be at most {NUMBER_MAX}, not {text[:80]}")
        return found

    return number  # type: ignore[return-value]
