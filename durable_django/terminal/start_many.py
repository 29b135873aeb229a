"""``durable start-many``: starts a run for each line of a file, a thousand at a time.

All lines are judged before the first run is started, so that a mistake in the last one starts
nothing. No more than a batch is in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final

from django.db import DatabaseError

from .. import api
from ..api_lines import Line, judge, text_of
from ..api_lines import lines_of as lines_in
from .command import DONE, REFUSED, Command, Refused, at_least
from .given import judged, lines_of
from .screen import Terminal
from .starting import add_options, options_given, refusal, workflow_called

BATCH: Final = 1_000
# So many lines that are refused are told; of more, how many.
TOLD_MAX: Final = 20


class StartMany(Command):
    """Options are those of ``start``, and hold for every run."""

    name = "start-many"
    help = "start a run for each line of a file of JSON lines"
    epilog = """\
manage.py durable start-many process_order @orders.jsonl --dry-run
manage.py durable start-many process_order @orders.jsonl --queue slow --tag import=2030-01
gzip -dc orders.jsonl.gz | manage.py durable start-many process_order -
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", metavar="NAME", help="the workflow, as it is registered")
        parser.add_argument(
            "lines", metavar="@FILE|-", help="an input a line; - for what is piped in"
        )
        parser.add_argument(
            "--from-line",
            type=at_least(1),
            default=1,
            metavar="N",
            help="leave out the lines before",
        )
        parser.add_argument("--dry-run", action="store_true", help="judge all lines, start nothing")
        add_options(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Judges all, then starts all; ends with 1, and nothing started, if a line is refused."""
        cls = workflow_called(options.workflow)
        given = options_given(cls, options)
        given["by"] = terminal.by
        with _seekable(options.lines) as source:
            count, refused = _judge(terminal, cls, lines_in(source, options.from_line))
            started = 0
            if not refused and not options.dry_run:
                source.seek(0)
                started = _start(terminal, cls, lines_in(source, options.from_line), count, given)
        self._tell(terminal, cls, options, count, refused, started)
        return REFUSED if refused else DONE

    def _tell(
        self,
        terminal: Terminal,
        cls: Any,
        options: Namespace,
        count: int,
        refused: list[dict[str, Any]],
        started: int,
    ) -> None:
        name = cls.definition.name
        if terminal.json:
            document = {
                "workflow": name,
                "version": cls.definition.version,
                "dry_run": options.dry_run,
                "lines": count,
                "started": started,
                "refused": refused,
            }
            terminal.emit(document)
            return
        for line in refused[:TOLD_MAX]:
            terminal.warn(f"line {line['line']}: {line['error']}")
        if len(refused) > TOLD_MAX:
            terminal.warn(f"and {len(refused) - TOLD_MAX:,} more")
        if refused:
            terminal.say(f"{len(refused):,} of {count:,} lines are refused. Nothing was started.")
        elif options.dry_run:
            terminal.say(f"All {count:,} lines are good. Nothing was started.")
        else:
            terminal.say(f"Started {started:,} runs of {name}.")


def _seekable(given: str) -> IO[bytes]:
    """The file, or a copy on disk of what can be read only once, such as a pipe."""
    source: IO[bytes] = lines_of(given, "the second argument")
    if given != "-" and source.seekable():
        return source
    copy: Any = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    shutil.copyfileobj(source, copy)
    copy.seek(0)
    return copy  # type: ignore[no-any-return]


def _value(line: Line) -> Any:
    """The value on a line. Refused, naming the line."""
    try:
        text = text_of(line)
    except UnicodeDecodeError as error:
        raise Refused(f"no UTF-8: byte {error.start + 1}", REFUSED) from None
    return judged(text, "it", "input")


def _judge(terminal: Terminal, cls: Any, lines: Iterable[Line]) -> tuple[int, list[dict[str, Any]]]:
    """How many lines there are, and those that would not be taken."""
    count, refused = 0, []
    with terminal.progress(None, "judging") as advance:
        for verdict in judge(cls, lines, _value):
            count += 1
            if (error := verdict.error) is not None:
                said = error.message if isinstance(error, Refused) else refusal(error)
                refused.append({"line": verdict.number, "error": said})
            advance(1)
    return count, refused


def _start(
    terminal: Terminal, cls: Any, lines: Iterator[Line], count: int, given: dict[str, Any]
) -> int:
    """Starts them, each batch in a transaction of its own; how many were started."""
    started = 0
    with terminal.progress(count, "starting") as advance:
        while batch := list(islice(lines, BATCH)):
            try:
                api.start_many(cls, [_value(line) for line in batch], **given)
            except (DatabaseError, KeyboardInterrupt) as error:
                terminal.warn(_stopped(batch, started, type(error).__name__))
                raise
            except Exception as error:
                raise Refused(_stopped(batch, started, refusal(error)), REFUSED) from error
            started += len(batch)
            advance(len(batch))
    return started


def _stopped(batch: list[Line], started: int, why: str) -> str:
    first, last = batch[0].number, batch[-1].number
    return (
        f"lines {first} to {last} were not started: {why}. {started:,} were started before; "
        f"go on with --from-line {first}"
    )
