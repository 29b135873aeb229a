"""Runs the terminal sessions of the documentation: what stands behind ``$`` is typed, what stands
below is what it says.

    $ python manage.py durable list --status failed
    ID     WORKFLOW       STATUS    ...
    $ echo $?
    0

A page may show other ids than those its runs have: in ``stands_for``, which a hidden block sets,
stand the words that are typed instead. What is another every time (ids, times, ages, how long
something took) counts as the same, so that a page can show what one really sees.
"""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from durable_django.management.commands.durable import Command
from tests.terminal.saying import said_by

DURABLE = ["python", "manage.py", "durable"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_LENGTH = r"(?:under )?\d[\d.,]* (?:ms|s|min(?: \d+ s)?|h(?: \d+ min)?|d(?: \d+ h)?)\b"
NOISE = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=\d{4}-\d\d-\d\d )", "DAY "),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(?:\+00:00|Z)?", "MOMENT"),
    (r"(?:[MTWFS][a-z]{2} )?\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)? [A-Z]{3,4}\b", "MOMENT"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (rf"in {_LENGTH}|{_LENGTH} ago|just now", "AGE"),
    (_LENGTH, "LENGTH"),
]


class Typed(NamedTuple):
    """A line that is typed, and what is told to come of it."""

    line: str
    want: str


def typed_in(source: str) -> list[Typed]:
    """What is typed in a block; a line that ends in a backslash goes on in the next."""
    parts = re.split(r"^\$ ", source.replace("\\\n", " "), flags=re.MULTILINE)
    assert not parts[0].strip(), f"a session begins with a prompt: {parts[0]!r}"
    pairs = (part.partition("\n") for part in parts[1:])
    return [Typed(line.strip(), want) for line, _, want in pairs]


def run_console(source: str, stands_for: Mapping[str, object]) -> None:
    """Types everything in a block, and compares as doctest does."""
    code = 0
    for line, want in typed_in(source):
        if line == "echo $?":
            got = f"{code}\n"
        else:
            words = shlex.split(line)
            assert words[:3] == DURABLE, f"only `{' '.join(DURABLE)}` can be typed: {line}"
            said = said_by(*(str(stands_for.get(word, word)) for word in words[3:]))
            code, got = said.code, said.out + said.err
        is_right = doctest.OutputChecker().check_output(_quiet(want), _quiet(got), FLAGS)
        assert is_right, f"$ {line}\n{got}"


def _quiet(text: str) -> str:
    """Without what is another every time."""
    for pattern, word in NOISE:
        text = re.sub(pattern, word, text)
    return text


def parse_console(source: str) -> None:
    """Looks only whether there are such commands and options."""
    for line, _want in typed_in(source):
        words = shlex.split(line.partition("|")[2] or line)
        if words[:3] == DURABLE:
            parse_durable(words[3:])


def parse_durable(words: list[str]) -> None:
    """Exits where there is no such command, or no such option."""
    Command().create_parser("manage.py", "durable").parse_args(words)
