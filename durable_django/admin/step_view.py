"""What the page of an execution shows of one attempt at a node."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from ..engine import values
from ..engine.machine import COMPENSATION
from ..engine.paths import chain_names, node_name
from ..models import Execution, StepRun, StepStatus
from ..showing import spoken
from ..showing.learning import unreadable
from . import badges, moments
from .shown import Entry, ErrorView, Shown, ValueView

BAR_WIDTH: Final = 1_000
BAR_WIDTH_MIN: Final = 6
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OPEN: Final = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.RUNNING})


class Window(NamedTuple):
    """The time a run took so far, which the bars of its attempts are drawn in."""

    start: datetime
    end: datetime
    now: datetime

    @classmethod
    def of(cls, run: Execution, now: datetime) -> Window:
        """From its start, or its creation where it has not started, to its end or now."""
        return cls(run.started_at or run.created_at, run.finished_at or now, now)

    def offset(self, moment: datetime) -> str:
        """How long after the start: ``+1.5 s``."""
        return f"+{spoken.length((moment - self.start).total_seconds())}"

    def bar(self, start: datetime, end: datetime) -> tuple[str, str]:
        """Where a bar begins and how wide it is, as text: an SVG takes no localized numbers."""
        whole = max((self.end - self.start).total_seconds(), 1e-6)
        left = (start - self.start).total_seconds() / whole * BAR_WIDTH
        width = (end - start).total_seconds() / whole * BAR_WIDTH
        shown = round(min(max(width, BAR_WIDTH_MIN), BAR_WIDTH))
        return str(round(min(max(left, 0), BAR_WIDTH - shown))), str(shown)


@dataclass(frozen=True)
class LogView:
    """One log line; ``loud`` are warnings and worse."""

    time: str
    exact: str
    level: str
    logger: str
    message: str
    loud: bool


class LogFilter(NamedTuple):
    """Which log lines are wanted: those of a level or above, that have a text in them.

    What is looked for is looked for in what is shown: in the stored text it would tell what is
    masked.
    """

    level: str = ""
    text: str = ""

    def keeps(self, line: LogView) -> bool:
        """Whether ``line`` is wanted."""
        least = LEVELS.index(self.level) if self.level in LEVELS else 0
        if line.level in LEVELS and LEVELS.index(line.level) < least:
            return False
        return self.text.casefold() in f"{line.message} {line.logger}".casefold()


EVERY_LINE: Final = LogFilter()


@dataclass(frozen=True)
class StepView:
    """One attempt, ready to be shown. Its path is ``polling[3]/poll``: a `place`, which is empty
    outside of blocks, and a `visit` there, which is the node's name and, after a jump, a number.
    ``undoes`` is the path of the visit that a compensation undoes. ``item`` and ``member_address``
    are of the member it was made in, where that is not told around it; ``change_address`` leads to
    what it did to the context as a whole."""

    anchor: str
    place: str
    visit: str
    kind: str
    attempt: int
    status: str
    badge: str
    tone: str
    offset: str
    length: str
    started: str | None
    finished: str | None
    worker: Any
    worker_id: str
    progress: str
    output: ValueView | None
    changes: list[Entry]
    error: ErrorView | None
    logs: list[LogView]
    bar: tuple[str, str]
    is_open: bool
    undoes: str = ""
    item: ValueView | None = None
    member_address: str = ""
    change_address: str = ""


def keys_of(row: StepRun) -> tuple[str, ...]:
    """The names that what an attempt gave may stand under: its node's, and of the blocks around."""
    visit = row.path.partition("~")[0]
    return (row.name, node_name(visit), *chain_names(visit))


def step_view(
    row: StepRun, shown: Shown, window: Window, *, is_last: bool, logs: LogFilter = EVERY_LINE
) -> StepView:
    """``row`` as its run's page shows it: folded, unless it is where the run stands or fell."""
    end = row.finished_at or window.now
    undoes, _, by = row.path.rpartition("~") if row.kind == COMPENSATION else ("", "", row.path)
    blocks, slash, visit = by.rpartition("/")
    completed = row.status == StepStatus.COMPLETED
    return StepView(
        anchor=f"step-{row.seq}",
        place=f"{blocks}{slash}",
        visit=visit,
        kind=row.kind,
        attempt=row.attempt,
        status=row.status,
        badge=badges.step_badge(row.status),
        tone=badges.LOOKS[row.status].tone if row.status in badges.LOOKS else "calm",
        offset=window.offset(row.started_at),
        length=spoken.length((end - row.started_at).total_seconds()),
        started=moments.at(row.started_at, window.now),
        finished=moments.at(row.finished_at, window.now),
        worker=row.worker,
        worker_id=str(row.worker_id or ""),
        progress=_progress(row, shown),
        output=shown.value(row.output_text, *keys_of(row)) if completed else None,
        changes=shown.changes(row.changes_text),
        error=shown.error(row.error_text),
        logs=log_views(row.logs_text, shown, logs),
        bar=window.bar(row.started_at, end),
        is_open=is_last and row.status in OPEN,
        undoes=undoes,
    )


def _progress(row: StepRun, shown: Shown) -> str:
    if not row.progress and not row.progress_message:
        return ""
    return f"{row.progress:.0%} {shown.text(row.progress_message)}".strip()


def log_views(text: str, shown: Shown, wanted: LogFilter = EVERY_LINE) -> list[LogView]:
    """The log lines of an attempt that are wanted."""
    try:
        entries = values.decode(text)
    except ValueError:
        return [LogView("", "", "", "", unreadable(), loud=True)]
    found = [
        LogView(
            time=spoken.clock_time(entry["at"]),
            exact=spoken.exact(entry["at"]),
            level=str(entry["level"]),
            logger=shown.text(str(entry["logger"])),
            message=shown.text(str(entry["message"])),
            loud=entry["level"] in ("WARNING", "ERROR", "CRITICAL"),
        )
        for entry in entries
    ]
    return found if wanted == EVERY_LINE else [line for line in found if wanted.keeps(line)]
