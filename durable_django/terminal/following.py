"""Following a run: what is new in it is told as it comes, until it ends. It reads only.

Attempts may become visible in another order than that of their ids, so that what was told is
remembered, and each look compares.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from .. import api
from ..models import Execution, StepRun, Wait
from ..store import clock
from ..why import why
from .command import DONE, REFUSED
from .history import (
    History,
    Mark,
    attempt_shape,
    mark_of,
    read_history,
    wait_shape,
)
from .run_values import RunValues, whole_run
from .screen import Terminal
from .story import Story, began

# Between two looks.
PAUSE_SECONDS: Final = 0.5


def pause() -> None:
    """Between two looks; tests do something else meanwhile."""
    time.sleep(PAUSE_SECONDS)


def follow(terminal: Terminal, run: Execution, most: int, *, logs: bool, whole: bool) -> int:
    """Tells a run until it has ended: DONE if it completed, REFUSED otherwise. With ``--json`` a
    line for everything new: ``{"type": "run" | "attempt" | "wait", …}``."""
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
        self.standing = ""

    def look(self, run: Execution) -> None:
        """Tells what is new since the last look."""
        from .show import head

        self.story.now = now = clock.now()
        history = read_history(run, self.shown.mask, self.most)
        first = not self.standing
        if first and not self.terminal.json:
            head(self.terminal, run, self.shown, now)
            self.terminal.say()
        declared = {wait.path: wait for wait in history.waits if not wait.position}
        for row in self._new(history):
            self._tell(row, declared.get(row.path))
        standing = run.status if run.is_final else " ".join(r.text for r in why(run, now=now))
        if standing != self.standing:
            self.standing = standing
            self._tell_standing(run, first)

    def end(self, run: Execution) -> None:
        """Tells how it ended."""
        from .show import end

        if not self.terminal.json:
            self.terminal.say(self.terminal.status(run.status))
            end(self.terminal, run, self.shown, whole=self.whole)

    def _new(self, history: History) -> Iterator[StepRun | Wait]:
        declared = {row.path for row in history.attempts}
        rows: list[StepRun | Wait] = [*history.attempts, *history.waits]
        for row in sorted(rows, key=began):
            key, mark = (type(row), row.pk), mark_of(row)
            if self.told.get(key) == mark:
                continue
            is_known = key in self.told
            self.told[key] = mark
            # A declared wait is an attempt, too, once it is over.
            is_twin = isinstance(row, Wait) and not row.position and row.path in declared
            if not (is_twin and (not is_known or not self.terminal.json)):
                yield row

    def _tell(self, row: StepRun | Wait, declared: Wait | None) -> None:
        if self.terminal.json:
            mask = self.shown.mask
            if isinstance(row, Wait):
                self.terminal.emit_line({"type": "wait", **wait_shape(row, mask)})
            else:
                self.terminal.emit_line({"type": "attempt", **attempt_shape(row, mask)})
            return
        for line in self.story.row(row, declared):
            self.terminal.say(line)

    def _tell_standing(self, run: Execution, first: bool) -> None:
        if self.terminal.json:
            found = whole_run(run, reveal=self.terminal.reveal)
            self.terminal.emit_line({"type": "run", **found, "why": self.standing})
        elif not first and not run.is_final and self.standing:
            self.terminal.say(self.shown.mask.text(self.standing), "dim")
