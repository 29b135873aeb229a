"""``manage.py durable <command>``: the terminal. What the commands do stands in ``terminal``.

Here they become options and an exit code: errors of people end in a line, never in a traceback.
"""

from __future__ import annotations

import argparse
import getpass
import io
import os
import sys
from argparse import Namespace
from typing import IO, Any, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandParser, OutputWrapper, no_translations
from django.db import DatabaseError, ProgrammingError
from django.utils import timezone

from ...exceptions import DurableError
from ...terminal import COMMANDS
from ...terminal.command import (
    INTERRUPTED,
    NOT_FOUND,
    PIPE_CLOSED,
    REFUSED,
    WRONG_USAGE,
    Refused,
    Unwritable,
)
from ...terminal.command import Command as Part
from ...terminal.parser import Parser
from ...terminal.screen import Terminal
from ...terminal.zone import terminal_zone


class Command(BaseCommand):
    """Speaks English, as Django's own commands do, in the time zone of whoever reads it."""

    help = "Durable workflows from the terminal: look at runs, act on them, see after the fleet."
    # It must work above all where something is wrong; `doctor` tells what the checks say.
    requires_system_checks = []
    _called_from_command_line = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's, which says to programs what is wrong as it says it of all else."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = Parser  # Django lets nobody name another one
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.epilog = "manage.py durable COMMAND --help tells more of each."
        parts = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
        for cls in COMMANDS:
            part = cls()
            inner = parts.add_parser(
                part.name,
                help=part.help,
                description=f"{part.help[:1].upper()}{part.help[1:]}.",
                epilog=f"examples:\n{part.epilog}" if part.epilog else None,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                called_from_command_line=self._called_from_command_line,
            )
            _add_common(inner)
            part.add_arguments(inner)
            inner.set_defaults(_part=part)

    @no_translations
    def handle(self, *args: Any, **options: Any) -> None:
        terminal = self._terminal(options)
        try:
            code = self._run(terminal, options)
        except BrokenPipeError:
            _drop(sys.stdout, sys.stderr)
            code = PIPE_CLOSED
        if code:
            raise SystemExit(code)

    def _run(self, terminal: Terminal, options: dict[str, Any]) -> int:
        part: Part = options["_part"]
        try:
            if self.stdout._out is None:  # before anything is done that could not be told
                raise Unwritable("stdout is closed")
            with timezone.override(terminal_zone()):
                code = part.run(terminal, Namespace(**options))
            terminal.out.file.flush()
        except Refused as refused:
            if isinstance(refused, Unwritable):
                _drop(sys.stdout)
            _tell(terminal, refused.message)
            code = refused.code
        except KeyboardInterrupt:
            if terminal.err.is_terminal:
                terminal.err.print()  # the terminal has written ^C
            code = INTERRUPTED
        except (DurableError, ValidationError, PermissionDenied, DatabaseError) as error:
            if options["traceback"]:
                raise
            _tell(terminal, _said(error))
            code = NOT_FOUND if type(error).__name__.endswith("NotFound") else REFUSED
        except UnicodeEncodeError as error:
            if options["traceback"]:
                raise
            # Bytes that somebody typed, on their way to the database.
            _tell(terminal, f"an argument is no UTF-8: {error.object}")
            code = WRONG_USAGE
        return code

    def _terminal(self, options: dict[str, Any]) -> Terminal:
        if self.stderr._out is None:
            self.stderr = OutputWrapper(io.StringIO())  # it was closed: nobody wants to hear
        for stream in (self.stdout, self.stderr):
            # Lines end where the terminal ends them, and colours are its own.
            stream.ending, stream.style_func = "", None
            if hasattr(stream, "reconfigure"):
                # A terminal that cannot write a character shows its escape, and goes on.
                stream.reconfigure(errors="backslashreplace")
        return Terminal(
            cast(Any, self.stdout),
            cast(Any, self.stderr),
            json=options["json"],
            by=options["by"],
            reveal=options["reveal"],
            no_color=options["no_color"],
            force_color=options["force_color"],
        )


def _add_common(parser: argparse.ArgumentParser) -> None:
    """What every command takes. Django's own options may stand behind the command, too."""
    common = parser.add_argument_group("common options")
    common.add_argument("--json", action="store_true", help="for programs: JSON of a stable shape")
    common.add_argument(
        "--by", default=_user(), metavar="NAME", help="who asks, for the history (default: you)"
    )
    common.add_argument("--reveal", action="store_true", help="show values that are masked")
    quiet = argparse.SUPPRESS  # neither in the help nor, where it is not given, in the options
    for names in (["--settings"], ["--pythonpath"], ["-v", "--verbosity"]):
        parser.add_argument(*names, default=quiet, help=quiet)
    for name in ("--traceback", "--force-color", "--skip-checks"):
        parser.add_argument(name, action="store_true", default=quiet, help=quiet)
    common.add_argument(
        "--no-color", action="store_true", default=argparse.SUPPRESS, help="no colours"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


def _said(error: Exception) -> str:
    """What went wrong, in a line, with what helps."""
    if isinstance(error, ValidationError):
        return "; ".join(error.messages)
    text = str(error).strip() or type(error).__name__
    if isinstance(error, DatabaseError):
        is_unmade = isinstance(error, ProgrammingError) or "no such table" in text
        hint = ". Has manage.py migrate been run?" if is_unmade else ""
        return f"the database says: {text.rstrip('.')}{hint}"
    return text


def _tell(terminal: Terminal, what: str) -> None:
    try:
        terminal.error(what)
    except Unwritable:  # nobody can be told; the code says it
        _drop(sys.stderr)


def _drop(*streams: IO[str] | None) -> None:
    """Nobody takes it; Python would complain of what it can no longer flush at exit."""
    for stream in filter(None, streams):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            pass
