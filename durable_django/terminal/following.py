"""Following a run: what is new in it is told as it comes, until it ends. It reads only.

Attempts may become visible in another order than that of their ids, so that what was told is
remembered, and each look compares.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from .. import api
from ..models import Execution, Wait
from ..showing.audit import Deed
from ..showing.visible import visible
from ..store import clock
from ..why import why
from .command import DONE, REFUSED
from .heads import end, head, why_shape
from .history import (
    Happening,
    History,
    Mark,
    attempt_shape,
    began,
    deed_shape,
    mark_of,
    read_history,
    wait_shape,
)
from .run_values import RunValues, whole_run
from .screen import Terminal
from .story import Story

# Between two looks.
PAUSE_SECONDS: Final = 1.0


def pause() -> None:
    """Between two looks; tests do something else meanwhile."""
    time.sleep(PAUSE_SECONDS)


def follow(terminal: Terminal, run: Execution, most: int, *, logs: bool, whole: bool) -> int:
    """Tells a run until it has ended: DONE if it completed, REFUSED otherwise. With ``--json`` a
    line for everything new: ``{"type": "run" | "attempt" | "wait" | "history", …}``."""
    teller = _Teller(terminal, run, most, logs=logs, whole=whole)
    while True:
        teller.look(run)
        if run.is_final:
            break
        pause()
        run = api.get_execution(run.pk)
    teller.end(run)
    return DONE if run.status == "completed" else REFUSED


class _Teller:
    """Knows what it has told."""

    def __init__(
        self, terminal: Terminal, run: Execution, most: int, *, logs: bool, whole: bool
    ) -> None:
        self.terminal = terminal
        self.most = most
        self.whole = whole
        self.shown = RunValues(run, reveal=terminal.reveal)
        self.story = Story(terminal, self.shown, clock.now(), logs=logs, whole=whole)
        self.told: dict[tuple[type, int], Mark] = {}
        self.told_lines: dict[int, int] = {}
        self.standing: Any = None

    def look(self, run: Execution) -> None:
        """Tells what is new since the last look."""
        self.story.now = now = clock.now()
        history = read_history(run, self.shown.mask, self.most)
        first = self.standing is None
        if first and not self.terminal.json:
            head(self.terminal, run, self.shown, now)
            self.terminal.say()
        declared = {wait.path: wait for wait in history.waits if not wait.position}
        for row in self._new(history):
            self._tell(row, None if isinstance(row, Deed) else declared.get(row.path))
        reasons = [] if run.is_final else why(run, now=now)
        # Their texts tell times, too, which go by.
        standing = (run.status, [(reason.code, reason.until) for reason in reasons])
        if standing != self.standing:
            self.standing = standing
            said = " ".join(reason.text for reason in reasons)
            self._tell_standing(run, "" if first else said)

    def end(self, run: Execution) -> None:
        """Tells how it ended."""
        if not self.terminal.json:
            self.terminal.say(self.terminal.status(run.status))
            end(self.terminal, run, self.shown, whole=self.whole)

    def _new(self, history: History) -> Iterator[Happening]:
        declared = {row.path for row in history.attempts}
        rows: list[Happening] = [*history.attempts, *history.waits, *history.deeds]
        for row in sorted(rows, key=began):
            number = row.entry.pk if isinstance(row, Deed) else row.pk
            key, mark = (type(row), number), mark_of(row)
            if self.told.get(key) == mark:
                continue
            self.told[key] = mark
            # People read of a declared wait in the line of its attempt.
            is_twin = isinstance(row, Wait) and not row.position and row.path in declared
            if self.terminal.json or not is_twin:
                yield row

    def _tell(self, row: Happening, declared: Wait | None) -> None:
        if self.terminal.json:
            mask = self.shown.mask
            if isinstance(row, Deed):
                self.terminal.emit_line({"type": "history", **deed_shape(row, mask)})
            elif isinstance(row, Wait):
                self.terminal.emit_line({"type": "wait", **wait_shape(row, mask)})
            else:
                self.terminal.emit_line({"type": "attempt", **attempt_shape(row, mask)})
            return
        for line in self.story.row(row, declared):
            self.terminal.say(line)

    def _tell_standing(self, run: Execution, said: str) -> None:
        if self.terminal.json:
            found = whole_run(run, reveal=self.terminal.reveal)
            told = why_shape(run, self.shown.mask, self.story.now)
            self.terminal.emit_line({"type": "run", **found, "why": told})
        elif said:
            self.terminal.say(visible(self.shown.mask.text(said)), "dim")
