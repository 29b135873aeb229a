"""``durable doctor``: what is stuck, stale, stranded or misconfigured, and what to do about it.

It tells what ``durable_django.doctor`` finds; with ``--fix`` it has done what is safe to do.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from django.db import DatabaseError
from rich.text import Text

from .. import doctor
from ..doctor import ERROR, INFO, WARNING, Finding
from ..exceptions import DurableError
from .command import DONE, REFUSED, Command
from .screen import Terminal

STYLES: Final = {ERROR: "bold red", WARNING: "yellow", INFO: "cyan"}
INDENT: Final = "  "


class Doctor(Command):
    """Ends with 0 where nothing but hints is left, else with 1."""

    name = "doctor"
    help = "say what is stuck, stale, stranded or misconfigured, with what to do; --fix does it"
    epilog = """\
manage.py durable doctor
manage.py durable doctor --fix
manage.py durable doctor --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fix",
            action="store_true",
            help="do what can be done safely, beside running workers, and say what was done",
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Examines; fixes, and examines again."""
        found = doctor.examine()
        for finding in found:
            _tell(terminal, finding)
        fixed = _fix(terminal, found) if options.fix else {}
        left = doctor.examine() if fixed else found
        is_well = not any(finding.severity in (ERROR, WARNING) for finding in left)
        terminal.emit(
            {
                "is_well": is_well,
                "findings": [told(finding, fixed.get(finding.key)) for finding in found],
                "left": [finding.key for finding in left],
            }
        )
        _sum_up(terminal, found, left, bool(options.fix))
        return DONE if is_well else REFUSED


def told(finding: Finding, fixed: int | None = None) -> dict[str, Any]:
    """A finding as ``--json`` has it. ``fixed`` is how many were fixed; None: it was not tried."""
    return {
        "code": finding.code,
        "subject": finding.subject,
        "severity": finding.severity,
        "title": finding.title,
        "what": finding.what,
        "todo": finding.todo,
        "where": [{"kind": place.kind, "id": place.id} for place in finding.where],
        "number": finding.number.number,
        "is_at_least": finding.number.more,
        "fix": finding.fix.text if finding.fix is not None else None,
        "fixed": fixed,
    }


def _tell(terminal: Terminal, finding: Finding) -> None:
    style = STYLES[finding.severity]
    title = Text(f"{finding.severity.upper()}: ", style=style)
    terminal.say(title.append(finding.title, style="bold"))
    terminal.say(f"{INDENT}{finding.what}")
    if finding.where:
        more = " …" if finding.number.number > len(finding.where) else ""
        where = ", ".join(f"{place.kind} {place.id}" for place in finding.where)
        terminal.say(f"{INDENT}{where}{more}", style="dim")
    if finding.todo:
        terminal.say(f"{INDENT}To do: {finding.todo}")
    if finding.fix is not None:
        terminal.say(f"{INDENT}--fix:  {finding.fix.text}")
    terminal.say()


def _fix(terminal: Terminal, found: list[Finding]) -> dict[str, int]:
    """How many each fix has healed, by the key of the finding. One that fails stops no other."""
    fixed: dict[str, int] = {}
    for finding in found:
        if finding.fix is None:
            continue
        try:
            fixed[finding.key] = doctor.fix(finding, by=terminal.by)
        except (DurableError, DatabaseError) as error:
            terminal.warn(f"{finding.title}: {error}")
            continue
        terminal.say(f"Fixed {fixed[finding.key]:,}: {finding.title}", style="green")
    return fixed


def _sum_up(terminal: Terminal, found: list[Finding], left: list[Finding], fixes: bool) -> None:
    if not left:
        terminal.say("All is well." if not found else "All is well now.", style="green")
        return
    counts = [
        f"{number:,} {word if number == 1 or severity == INFO else word + 's'}"
        for severity, word in ((ERROR, "error"), (WARNING, "warning"), (INFO, "for information"))
        if (number := sum(finding.severity == severity for finding in left))
    ]
    can_fix = sum(finding.fix is not None for finding in left)
    hint = " Run it with --fix to have done what is safe." if can_fix and not fixes else ""
    terminal.say(f"{'Left: ' if fixes else ''}{', '.join(counts)}.{hint}")
