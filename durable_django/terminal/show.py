"""``durable show ID``: a run as a whole: why it stands where it does, what happened, what it gave.

It reads only. Following one is in ``following``.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from ..models import Execution
from ..showing.tagging import tag_texts
from ..showing.visible import visible
from ..store import clock
from ..why import why
from .command import DONE, Command, at_least
from .following import follow
from .history import attempt_shape, read_history, wait_shape
from .ids import find_execution
from .listing import took
from .run_values import RunValues, whole_run
from .screen import Terminal
from .story import Story, ago

ATTEMPTS_SHOWN: Final = 100
ATTEMPTS_MAX: Final = 10_000
# Characters of a value, and lines of a traceback.
VALUE_MAX: Final = 2_000


class Show(Command):
    """A run: where it stands and why, its timeline, its input and result."""

    name = "show"
    help = "show a run: why it stands where it does, attempts, waits, logs, result"
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
            help="the newest N attempts (default: 100)",
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
                    "why": _why(run, now),
                    "context": shown.plain(run.context) if options.context else None,
                    "attempts": [attempt_shape(row, shown.mask) for row in history.attempts],
                    "waits": [wait_shape(wait, shown.mask) for wait in history.waits],
                    "more": history.has_more,
                }
            )
            return DONE
        head(terminal, run, shown, now)
        _value(terminal, "Input", run.input_text, shown, options.whole)
        if options.context:
            _context(terminal, run, shown)
        if history.attempts or history.waits:
            terminal.say("\nTimeline", "bold")
        if history.has_more:
            terminal.say(f"… the newest {most} only; --limit N for more", "dim")
        story = Story(terminal, shown, now, logs=not options.no_logs, whole=options.whole)
        for line in story.of(history):
            terminal.say(line)
        end(terminal, run, shown, whole=options.whole)
        return DONE


def head(terminal: Terminal, run: Execution, shown: RunValues, now: datetime) -> None:
    """What it is, where it stands and why."""
    title = Text(f"{visible(run.workflow_name)} v{run.version}  ", style="bold")
    terminal.say(title.append_text(terminal.status(run.status)))
    terminal.say(Text(str(run.pk), style="dim"))
    mask = shown.mask
    facts = {
        "created": ago(run.created_at, now, terminal),
        "scheduled": ago(run.scheduled_at, now, terminal),
        "started": ago(run.started_at, now, terminal),
        "ended": ago(run.finished_at, now, terminal),
        "took": str(terminal.length(took(run, now))),
        "queue": f"{visible(run.queue)}, priority {run.priority}",
        "tags": ", ".join(tag_texts(run.tags, mask)),
        "key": visible(mask.text(run.idempotency_key or "")),
        "started by": str(run.parent_id or ""),
        "reason": visible(mask.text(run.reason)),
    }
    for name, value in facts.items():
        if value:
            terminal.say(Text.assemble((f"  {name:<11}", "dim"), value))
    for reason in why(run, now=now):
        terminal.show(Text(f"\n{visible(mask.text(reason.text))}"))


def end(terminal: Terminal, run: Execution, shown: RunValues, *, whole: bool) -> None:
    """What it gave, or how it failed."""
    if run.status == "completed":
        _value(terminal, "Result", run.result_text, shown, whole)
    error = shown.error(run.error_text)
    if error is None:
        return
    where = f" in {error['node']}" if error["node"] else ""
    terminal.say(Text(f"\nError{visible(where)}", style="bold red"))
    terminal.say(f"{error['type']}: {error['message']}")
    if error["traceback"]:
        terminal.say(_cut(error["traceback"].rstrip(), whole, from_end=True), "dim")


def _why(run: Execution, now: datetime) -> list[dict[str, Any]]:
    return [
        {"code": reason.code, "text": reason.text, "verb": reason.verb, "until": reason.until}
        for reason in why(run, now=now)
    ]


def _value(terminal: Terminal, title: str, text: str, shown: RunValues, whole: bool) -> None:
    """A stored value under a title; nothing for an empty one."""
    if text in ("{}", "null"):
        return
    terminal.say(f"\n{title}", "bold")
    found = shown.stored_text(text)
    if not whole and len(found) > VALUE_MAX:
        found = found[:VALUE_MAX].append("… (--whole for all of it)", "dim")
    terminal.say(found)


def _context(terminal: Terminal, run: Execution, shown: RunValues) -> None:
    terminal.say("\nContext", "bold")
    for key, value in run.context.items():
        terminal.say(shown.line(key, value, "  "))


def _cut(text: str, whole: bool, *, from_end: bool = False) -> str:
    if whole or len(text) <= VALUE_MAX:
        return text
    return f"…{text[-VALUE_MAX:]}" if from_end else f"{text[:VALUE_MAX]}…"
