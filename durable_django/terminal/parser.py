"""The parser of the terminal: how it says that an option is wrong, to people and to programs.

What the options are, the commands say; it knows none but ``--json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from .command import WRONG_USAGE


class Parser(CommandParser):
    """With ``--json`` among what was typed, wrong usage is ``{"error": …}`` on stderr, as all else
    that goes wrong is; without it, the usage and a sentence."""

    _is_read_by_program = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; it is what both ``parse_args`` and the parser above this one call."""
        self._is_read_by_program = asks_for_json(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> Any:
        """Says it, and ends with 2; CommandError for code that calls the command."""
        if self._is_read_by_program and self.called_from_command_line:
            self.exit(WRONG_USAGE, json.dumps({"error": message}) + "\n")
        super().error(message)


def asks_for_json(words: Iterable[str]) -> bool:
    """Whether ``--json``, or what argparse takes for it, is among them.

    >>> asks_for_json(["list", "--js"]), asks_for_json(["start", "--", "--json"])
    (True, False)
    """
    for word in words:
        if word == "--":
            return False
        if len(word) > len("--") and "--json".startswith(word):
            return True
    return False
