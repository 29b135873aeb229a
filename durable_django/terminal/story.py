"""The story of a run in lines: what began and ended when, with what was logged meanwhile, and what
people did to it.

It draws what ``history`` has read; of what is in it nothing is masked anew. The same lines are what
``show`` prints at once and ``show --follow`` one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.utils import timezone
from rich.cells import cell_len
from rich.text import Text

from ..models import StepRun, Wait, WaitKind
from ..showing.audit import Change, Deed
from ..showing.keys import gave, keys_of_wait
from ..showing.learning import unreadable
from ..showing.prompts import assigned_to, shown_prompt
from ..showing.spoken import length, relative
from ..showing.visible import visible
from .history import Happening, History, began, keys_of, log_lines
from .run_values import RunValues
from .screen import Terminal

NODE_WIDTH: Final = 24
LOG_LINES_MAX: Final = 20
SAID_MAX: Final = 300
# Columns before what hangs below its line, and how many what is said needs at least.
INDENT: Final = 10
ROOM_MIN: Final = 40
# What ``self.logger`` writes to: everybody knows.
OWN_LOGGER: Final = "durable_django.step."
_LEVELS: Final = {"WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}


class Story:
    """Tells attempts, waits and what people did, each in one line and the lines of its log."""

    def __init__(
        self, terminal: Terminal, shown: RunValues, now: datetime, *, logs: bool, whole: bool
    ) -> None:
        self.terminal = terminal
        self.shown = shown
        self.mask = shown.mask
        self.now = now
        self.logs = logs
        self.whole = whole
        self._day = ""

    def of(self, history: History) -> Iterator[Text]:
        """Everything, in the order in which it began."""
        declared = {wait.path: wait for wait in history.waits if not wait.position}
        attempts = {row.path for row in history.attempts}
        waits = [wait for wait in history.waits if wait.position or wait.path not in attempts]
        rows: list[Happening] = [*history.attempts, *waits, *history.deeds]
        for row in sorted(rows, key=began):
            yield from self.row(row, None if isinstance(row, Deed) else declared.get(row.path))

    def row(self, row: Happening, declared: Wait | None = None) -> Iterator[Text]:
        """One of them. ``declared``: the wait that the attempt is of, if it is one."""
        yield from self._new_day(began(row))
        if isinstance(row, Deed):
            yield from self.deed(row)
            return
        if isinstance(row, Wait):
            yield from self.wait(row)
            return
        yield from self.attempt(row, self._waited(declared) if declared is not None else [])
        if self.logs:
            yield from self.log(row)

    def attempt(self, row: StepRun, waited: list[str]) -> Iterator[Text]:
        """``10:00:00  charge  ✗ failed  1.2 s  attempt 2  CardDeclined: no funds``."""
        end = row.finished_at or self.now
        words = [f"attempt {row.attempt}"] if row.attempt > 1 else []
        words += waited
        if row.status == "running" and (row.progress or row.progress_message):
            words.append(f"{row.progress:.0%} {self._cut(row.progress_message)}".strip())
        words.append(self._error(row.error_text))
        if row.status == "completed" and (value := self._value(row.output_text, *keys_of(row))):
            words.append(f"→ {value}")
        took = length((end - row.started_at).total_seconds())
        return self._line(row.started_at, row.path, row.status, took, words)

    def wait(self, wait: Wait) -> Iterator[Text]:
        """``10:00:01  approval  ⧖ open  8 s  input  for group Managers  Approve 20 dollars?``."""
        end = wait.resolved_at or wait.answered_at or self.now
        words = self._waited(wait)
        given = gave(wait)
        if given and (value := self._value(given, *keys_of_wait(wait))):
            words.append(f"→ {value}")
        words.append(self._error(wait.error_text))
        took = length((end - wait.created_at).total_seconds())
        return self._line(wait.created_at, wait.path, wait.status, took, words)

    def deed(self, deed: Deed) -> Iterator[Text]:
        """``10:05:00  retried by ada  The bank is open again.  Node: charge``."""
        entry, text = deed.entry, self.mask.text
        head = Text(f"{_time(entry.created_at)}  ", style="dim")
        said = f"{entry.get_verb_display()} by {deed.by}"
        head.append(f"{self._cut(said)}  ", style="bold cyan")
        words = [self._cut(text(entry.reason)), *deed.said()]
        words += [f"{label}: {self._cut(fact)}" for label, fact in deed.facts(text)]
        words += [f"{label}: {pk}" for label, pk in deed.runs()]
        words.append(self._cut(deed.visits(text)))
        words += map(self._change, deed.changes(self.mask))
        words += [self._cut(f"{key}: {self._plain(v)}") for key, v in deed.rest(self.mask)]
        if not deed.is_readable:
            words.append(unreadable())
        return self._hang(head, "  ".join(word for word in words if word))

    def _change(self, change: Change) -> str:
        """``total: 12.5 → 7``, ``+ note: "new"``, ``- gone: 1``."""
        sign = "" if change.was_there and change.is_there else "+ " if change.is_there else "- "
        sides = [(change.was_there, change.before), (change.is_there, change.after)]
        values = " → ".join(self._plain(value) for is_there, value in sides if is_there)
        return self._cut(f"{sign}{change.key}: {values}")

    def _plain(self, value: object) -> str:
        return self.shown.text(value).plain

    def _waited(self, wait: Wait) -> list[str]:
        """What is waited for, from whom, until when."""
        words = [str(wait.get_kind_display()), self._waited_for(wait)]
        if wait.kind == WaitKind.INPUT:
            words += [f"for {assigned_to(wait)}", self._cut(shown_prompt(wait, self.mask))]
        if wait.is_open and wait.due_at is not None:
            words.append(f"until {self.terminal.exact(wait.due_at)}")
        if wait.answered_by:
            words.append(f"by {visible(wait.answered_by)}")
        return words

    def log(self, row: StepRun, after: int = 0) -> Iterator[Text]:
        """The lines of an attempt's log behind the first ``after``; the last ones, if many."""
        lines = log_lines(row, self.mask)[after:]
        if not self.whole and len(lines) > LOG_LINES_MAX:
            yield Text(f"          … {len(lines) - LOG_LINES_MAX} lines before", style="dim")
            lines = lines[-LOG_LINES_MAX:]
        for line in lines:
            level = str(line["level"])
            head = Text(f"{_time(line['at'])}  ", style="dim")
            head.append(f"  {visible(level):<8} ", style=_LEVELS.get(level, "dim"))
            logger = str(line["logger"])
            named = "" if logger.startswith(OWN_LOGGER) else f"{logger}: "
            yield from self._hang(head, visible(f"{named}{line['message']}"))

    def _line(
        self, at: datetime, path: str, status: str, took: str, words: list[str]
    ) -> Iterator[Text]:
        line = Text(f"{_time(at)}  ", style="dim")
        line.append(visible(path).ljust(NODE_WIDTH) + " ", style="bold")
        sign = self.terminal.status(status)
        sign.pad_right(max(13 - sign.cell_len, 0))
        line.append_text(sign).append(f" {took:>10}  ", style="dim")
        return self._hang(line, "  ".join(word for word in words if word))

    def _hang(self, head: Text, said: str) -> Iterator[Text]:
        """What is said behind ``head``; where it does not fit, in lines of its own below. Whoever
        reads a pipe finds it all in one line."""
        if not self.terminal.is_terminal:
            yield head.append(said.replace("\n", "\n" + " " * INDENT))
            return
        if not said:
            yield head
            return
        room = self.terminal.width - head.cell_len
        if room < ROOM_MIN and ("\n" in said or cell_len(said) > room):
            yield head
            head, room = Text(" " * INDENT), self.terminal.width - INDENT
        wrapped = Text(said).wrap(self.terminal.out, max(room, ROOM_MIN), overflow="fold")
        indent = Text(" " * head.cell_len)
        for number, line in enumerate(wrapped):
            yield (indent.copy() if number else head).append_text(line)

    def _new_day(self, moment: datetime) -> Iterator[Text]:
        day = f"{timezone.localtime(moment):%Y-%m-%d %Z}"
        if day != self._day:
            self._day = day
            yield Text(day, style="dim")

    def _value(self, text: str, *keys: str) -> str:
        """A stored value on a line; "" for None."""
        try:
            shown = self.shown.stored_text(text, *keys).plain
        except ValueError:
            return ""
        return "" if shown == "null" else self._cut(shown)

    def _error(self, text: str) -> str:
        error = self.shown.error(text)
        return "" if error is None else self._cut(f"{error['type']}: {error['message']}")

    def _waited_for(self, wait: Wait) -> str:
        names = ", ".join(wait.names) if wait.kind in (WaitKind.ANY, WaitKind.ALL) else wait.name
        key = f" ({self.mask.text(wait.key)})" if wait.key else ""
        child = f" {wait.child_id}" if wait.child_id else ""
        return visible(f"{names if names != wait.path else ''}{key}{child}").strip()

    def _cut(self, text: str) -> str:
        """On a line, and no longer than anybody reads there."""
        line = " ".join(visible(text).split())
        return line if self.whole or len(line) <= SAID_MAX else f"{line[:SAID_MAX]}…"


def _time(moment: object) -> str:
    return f"{timezone.localtime(moment):%H:%M:%S}" if isinstance(moment, datetime) else " " * 8


def ago(moment: datetime | None, now: datetime, terminal: Terminal) -> str:
    """A moment and how long ago that is: ``2030-01-31 10:00:00 CET (3 min 12 s ago)``."""
    return "" if moment is None else f"{terminal.exact(moment)} ({relative(moment, now)})"
