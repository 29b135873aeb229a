"""The screen: what commands say goes through it, to people as text or to programs as JSON.

Whatever comes from a run is hostile: it goes in as plain text, with what cannot be seen made
visible, never as markup. Colours are for terminals only, and never tell anything alone.
"""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, NoReturn, TypeAlias, cast

from django.utils import timezone
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..showing.spoken import length, relative
from ..showing.visible import visible
from ..store import clock
from .command import Unwritable
from .looks import look_of
from .shapes import plain

# Nobody reads a pipe's lines in columns: nothing is cut there.
PIPED_WIDTH: Final = 1_000
WIDTH_MIN: Final = 20

Cell: TypeAlias = "str | Text | int | float | datetime | None"


@dataclass(frozen=True)
class Column:
    """A column of a table. ``folds``: what is too long goes on in the next line, else it is cut.
    ``rank`` above 0: left out where the screen is too narrow, the highest first. ``fixed``: never
    cut, such as ids."""

    title: str
    folds: bool = False
    right: bool = False
    fixed: bool = False
    rank: int = 0


class Sheet(Console):
    """rich's, without its own way to end where the reader of a pipe has gone: with 1, for good."""

    def on_broken_pipe(self) -> NoReturn:
        """The frame ends with its own code. Before rich 13.8 nobody calls this."""
        raise BrokenPipeError


class _Written:
    """A stream whose faults are said, as those of files that people name are."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Writes; BrokenPipeError, Unwritable."""
        with _faults_said():
            self._stream.write(text)

    def flush(self) -> None:
        """Writes what it has kept so far; BrokenPipeError, Unwritable."""
        with _faults_said():
            self._stream.flush()


@contextmanager
def _faults_said() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(error.strerror or error) from None


class Terminal:
    """Where a command says what it has to say. ``by`` is who asks, ``reveal`` whether values that
    are masked are shown, ``json`` whether a program reads.

    Example: ``terminal.say("Nothing waits.")``.
    """

    def __init__(
        self,
        stdout: IO[str],
        stderr: IO[str],
        *,
        json: bool = False,
        by: str = "",
        reveal: bool = False,
        no_color: bool = False,
        force_color: bool = False,
    ) -> None:
        self.json = json
        self.by = by
        self.reveal = reveal
        self.out = _console(stdout, no_color, force_color)
        self.err = _console(stderr, no_color, force_color)

    @property
    def is_terminal(self) -> bool:
        """Whether people see stdout as it is written."""
        return self.out.is_terminal

    @property
    def width(self) -> int:
        """Columns of the screen; of a pipe more than anything needs."""
        return self.out.width

    # -- to people ---------------------------------------------------------------------------

    def say(self, text: str | Text = "", style: str = "") -> None:
        """A line on stdout; nothing with ``--json``. ``style`` is one of rich: "bold", "dim"."""
        if not self.json:
            _print(self.out, _text(text, style))

    def show(self, what: RenderableType) -> None:
        """Something of rich on stdout; nothing with ``--json``. What is in it must be safe."""
        if not self.json:
            self.out.print(what)

    def warn(self, text: str | Text) -> None:
        """A line on stderr, with ``--json``, too."""
        _print(self.err, _text(text, "yellow"))

    def error(self, text: str) -> None:
        """What went wrong, on stderr: ``error: …``, or ``{"error": …}`` with ``--json``."""
        if self.json:
            _write(self.err, json_format.dumps({"error": text}))
        else:
            said = Text("error: ", style="bold red").append_text(_text(text))
            _print(self.err, said)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
        """A table that fits the width. Cells are texts, numbers, moments (shown as ages), None."""
        if self.json:
            return
        cells = [
            [self._cell(cell, column) for cell, column in zip(row, columns, strict=True)]
            for row in rows
        ]
        kept = _kept(columns, cells, self.width)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for index in kept:
            column = columns[index]
            table.add_column(
                Text(column.title),
                justify="right" if column.right else "left",
                no_wrap=not column.folds,
                overflow="fold" if column.folds else "ellipsis",
                min_width=_widest(columns, cells, index) if column.fixed else None,
            )
        for row in cells:
            table.add_row(*(row[index] for index in kept))
        self.out.print(table)

    def moment(self, moment: datetime | None) -> Text:
        """How long ago, or in how long: ``3 min 12 s ago``."""
        return Text("" if moment is None else relative(moment, clock.now()))

    def exact(self, moment: datetime | None) -> Text:
        """A moment in the terminal's zone, to the second: ``2030-01-31 10:00:00 CET``."""
        if moment is None:
            return Text("")
        local = timezone.localtime(moment)
        return Text(f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or ''}".rstrip())

    def length(self, seconds: float | None) -> Text:
        """A duration: ``3 min 12 s``."""
        return Text("" if seconds is None else length(seconds))

    def status(self, status: str) -> Text:
        """A status of a run, a step run, a wait, a worker: a sign, the word, a colour."""
        look = look_of(status)
        sign = look.sign if _speaks_unicode(self.out) else look.ascii
        return Text(f"{sign} {visible(status.replace('_', ' '))}", style=look.style)

    @contextmanager
    def progress(self, total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        """A bar on stderr while something lasts; only where that is a terminal. What it gives is
        called with how much more is done.

        Example: ``with terminal.progress(900, "Starting") as advance: advance(100)``.
        """
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        is_shown = self.err.is_terminal and not self.json
        with Progress(*columns, console=self.err, transient=True, disable=not is_shown) as bar:
            line = bar.add_task(visible(label), total=total)
            yield lambda number: bar.advance(line, number)

    # -- to programs -------------------------------------------------------------------------

    def emit(self, value: Any) -> None:
        """With ``--json``: the one document of the command; nothing without. Moments become ISO
        8601 in UTC, ids texts."""
        if self.json:
            _write(self.out, json_format.dumps(plain(value), indent=2))

    def emit_line(self, value: Any) -> None:
        """With ``--json``: one of many documents, a line each."""
        if self.json:
            _write(self.out, json_format.dumps(plain(value)))

    def _cell(self, cell: Cell, column: Column) -> Text:
        if isinstance(cell, datetime):
            return self.moment(cell)
        if cell is None:
            return Text("")
        text = cell if isinstance(cell, Text) else _text(str(cell))
        if not column.folds and "\n" in text.plain:
            text = Text(" ".join(text.plain.split("\n")), style=text.style)
        return text


def _text(text: str | Text, style: str = "") -> Text:
    """Plain text, with what cannot be seen made visible."""
    if isinstance(text, Text):
        text.stylize(style)
        return text
    return Text(visible(text).expandtabs(4), style=style)


def _print(console: Console, text: Text) -> None:
    """A terminal's lines are broken between words; what goes elsewhere is left as it is."""
    console.print(text, soft_wrap=not console.is_terminal)


def _console(stream: IO[str], no_color: bool, force_color: bool) -> Console:
    found = Sheet(
        file=cast(Any, _Written(stream)),
        force_terminal=True if force_color else None,
        # "auto" heeds NO_COLOR, which turns off colours; the option turns off all styles.
        color_system=None if no_color else "auto",
        markup=False,
        emoji=False,
        highlight=False,
    )
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal():
        found.width = max(int(given), WIDTH_MIN)
    elif not stream.isatty():
        found.width = PIPED_WIDTH
    return found


def _write(console: Console, line: str) -> None:
    """As it is: no wrapping, no colours."""
    console.file.write(line + "\n")
    console.file.flush()


def _speaks_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _kept(columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> list[int]:
    """The columns that there is room for."""
    kept = list(range(len(columns)))
    widths = [_widest(columns, cells, index) for index in kept]
    while sum(widths[index] + 2 for index in kept) - 2 > width:
        last = max(kept, key=lambda index: (columns[index].rank, index))
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def _widest(columns: Sequence[Column], cells: Sequence[Sequence[Text]], index: int) -> int:
    return max([len(columns[index].title), *(row[index].cell_len for row in cells)])
