"""``durable show ID``: a run as a whole: why it stands where it does, what happened, what it gave.

It reads only. Following one is in ``following``.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from ..store import clock
from .command import DONE, Command, at_least
from .following import follow
from .heads import context, end, head, value, why_shape
from .history import attempt_shape, deed_shape, read_history, wait_shape
from .ids import find_execution
from .run_values import RunValues, whole_run
from .screen import Terminal
from .story import Story

ATTEMPTS_SHOWN: Final = 100
ATTEMPTS_MAX: Final = 10_000


class Show(Command):
    """A run: where it stands and why, its timeline, its input and result."""

    name = "show"
    help = "show a run: why it stands where it does, attempts, waits, logs, who did what, result"
    epilog = """\
manage.py durable show 0199a3c2
manage.py durable show 0199a3c2 --follow
manage.py durable show 0199a3c2 --whole --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="its id, or the beginning of it")
        parser.add_argument(
            "--follow", "-f", action="store_true", help="go on telling until the run has ended"
        )
        parser.add_argument("--no-logs", action="store_true", help="without what steps logged")
        parser.add_argument("--context", action="store_true", help="its context, too")
        parser.add_argument("--whole", action="store_true", help="cut nothing")
        parser.add_argument(
            "--limit",
            type=at_least(1),
            default=ATTEMPTS_SHOWN,
            metavar="N",
            help="the newest N attempts, waits and entries of its history (default: 100)",
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Once, or until it ends."""
        run = find_execution(options.id)
        most = ATTEMPTS_MAX if options.whole else min(options.limit, ATTEMPTS_MAX)
        if options.follow:
            return follow(terminal, run, most, logs=not options.no_logs, whole=options.whole)
        shown = RunValues(run, reveal=terminal.reveal)
        history = read_history(run, shown.mask, most)
        now = clock.now()
        if terminal.json:
            terminal.emit(
                {
                    "run": whole_run(run, reveal=terminal.reveal),
                    "why": why_shape(run, shown.mask, now),
                    "context": shown.plain(run.context) if options.context else None,
                    "attempts": [attempt_shape(row, shown.mask) for row in history.attempts],
                    "waits": [wait_shape(wait, shown.mask) for wait in history.waits],
                    "history": [deed_shape(deed, shown.mask) for deed in history.deeds],
                    "more": history.has_more,
                }
            )
            return DONE
        head(terminal, run, shown, now)
        value(terminal, "Input", run.input_text, shown, options.whole)
        if options.context:
            context(terminal, run, shown)
        if history.attempts or history.waits or history.deeds:
            terminal.say("\nTimeline", "bold")
        if history.has_more:
            terminal.say(f"… the newest {most} only; --limit N for more", "dim")
        story = Story(terminal, shown, now, logs=not options.no_logs, whole=options.whole)
        for line in story.of(history):
            terminal.say(line)
        end(terminal, run, shown, whole=options.whole)
        return DONE
