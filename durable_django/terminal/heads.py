"""What stands before and behind the story of a run: what it is, where it stands and why, what it
was given, what it gave. It draws, and reads what ``why`` reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rich.text import Text

from ..models import Execution
from ..showing.masking import Mask
from ..showing.tagging import tag_texts
from ..showing.visible import visible
from ..why import why
from .listing import took
from .run_values import RunValues
from .screen import Terminal
from .story import ago

# Characters of a value, or of a traceback.
VALUE_MAX: Final = 2_000


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
    for name, fact in facts.items():
        if fact:
            terminal.say(Text.assemble((f"  {name:<11}", "dim"), fact))
    for reason in why(run, now=now):
        terminal.show(Text(f"\n{visible(mask.text(reason.text))}"))


def end(terminal: Terminal, run: Execution, shown: RunValues, *, whole: bool) -> None:
    """What it gave, or how it failed."""
    if run.status == "completed":
        value(terminal, "Result", run.result_text, shown, whole)
    error = shown.error(run.error_text)
    if error is None:
        return
    where = f" in {error['node']}" if error["node"] else ""
    terminal.say(Text(f"\nError{visible(where)}", style="bold red"))
    terminal.say(f"{error['type']}: {error['message']}")
    if error["traceback"]:
        terminal.say(_cut(error["traceback"].rstrip(), whole, from_end=True), "dim")


def why_shape(run: Execution, mask: Mask, now: datetime) -> list[dict[str, Any]]:
    """Why it stands where it does, for programs."""
    return [
        {
            "code": reason.code,
            "text": mask.text(reason.text),
            "verb": reason.verb,
            "until": reason.until,
        }
        for reason in why(run, now=now)
    ]


def value(terminal: Terminal, title: str, text: str, shown: RunValues, whole: bool) -> None:
    """A stored value under a title; nothing for an empty one."""
    if text in ("{}", "null"):
        return
    terminal.say(f"\n{title}", "bold")
    found = shown.stored_text(text)
    if not whole and len(found) > VALUE_MAX:
        found = found[:VALUE_MAX].append("… (--whole for all of it)", "dim")
    terminal.say(found)


def context(terminal: Terminal, run: Execution, shown: RunValues) -> None:
    """Its context, a key a line."""
    terminal.say("\nContext", "bold")
    for key, found in run.context.items():
        terminal.say(shown.line(key, found, "  "))


def _cut(text: str, whole: bool, *, from_end: bool = False) -> str:
    if whole or len(text) <= VALUE_MAX:
        return text
    return f"…{text[-VALUE_MAX:]}" if from_end else f"{text[:VALUE_MAX]}…"
