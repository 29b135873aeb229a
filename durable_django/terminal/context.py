"""``durable context``: shows the data of a run, and changes it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import api_repair
from ..engine import values as gate
from ..models import Execution
from ..showing.masking import DOTS
from ..store.editing import EDITABLE
from .command import DONE, REFUSED, WRONG_USAGE, Command, Refused, add_reason
from .given import read_settings
from .ids import find_execution
from .run_values import RunValues
from .screen import Terminal


class Change(NamedTuple):
    """What becomes of a key: ``op`` is "set" or "removed"."""

    key: str
    op: str
    had: bool
    before: Any
    after: Any


class ContextCommand(Command):
    """As of the last checkpoint."""

    name = "context"
    help = "show the context of a run; change it where nobody drives the run"
    epilog = """\
manage.py durable context 01980f
manage.py durable context 01980f --set 'email="ada@example.com"' --remove draft --dry-run
manage.py durable context 01980f --set items=@items.json --reason "two were missing"
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="id of a run, or a unique prefix")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=JSON",
            help="sets a key, may be repeated",
        )
        parser.add_argument(
            "--remove", action="append", default=[], metavar="KEY", help="may be repeated"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="tell the difference, change nothing"
        )
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Shows it, or the difference that a change makes."""
        run = find_execution(options.id)
        before = _context_of(run)
        shown = RunValues(run, reveal=terminal.reveal)
        values = read_settings(options.set, "--set")
        _check_no_dots(values)
        changes = list(_changes(before, values, options.remove))
        values = {change.key: change.after for change in changes if change.op == "set"}
        if changes and run.status not in EDITABLE:
            raise Refused(f"the context of {run.pk} cannot be changed: it is {run.status}", REFUSED)
        if changes and not options.dry_run:
            run = _edit(run, values, options.remove, options.reason, terminal.by)
        after = _context_of(run)
        terminal.emit(_document(run, after, changes, shown, dry_run=options.dry_run))
        if options.set and not changes:
            terminal.say("The context is so already: nothing was changed.")
        elif changes:
            for change in changes:
                _say(terminal, change, shown)
            if options.dry_run:
                terminal.say("Nothing was changed.")
        else:
            for key, value in sorted(before.items()):
                terminal.say(shown.line(key, value))
            if not before:
                terminal.say("The context is empty.")
        return DONE


def _context_of(run: Execution) -> dict[str, Any]:
    try:
        return dict(run.context)
    except ValueError:
        said = f"the context of {run.pk} holds a value that cannot be read on this machine"
        raise Refused(said, REFUSED) from None


def _edit(
    run: Execution, values: Mapping[str, Any], remove: list[str], reason: str, by: str
) -> Execution:
    try:
        return api_repair.edit_context(run, values, remove=remove, reason=reason, by=by)
    except (TypeError, ValueError) as error:
        raise Refused(f"the context of {run.pk} was not changed: {error}", REFUSED) from None


def _check_no_dots(values: Mapping[str, Any]) -> None:
    """Whoever copies what was shown would write dots over what they stand for."""
    for key, value in values.items():
        if value == DOTS:
            said = f"--set {key}: {DOTS} is written where a value is masked; give the value"
            raise Refused(said, WRONG_USAGE)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are stored as the same text: ``True`` is not 1."""
    return gate.encode(one, "value") == gate.encode(other, "value")


def _changes(before: Mapping[str, Any], values: Mapping[str, Any], remove: list[str]) -> Any:
    for key, value in values.items():
        if key in before and _same(before[key], value):
            continue
        yield Change(key, "set", key in before, before.get(key), value)
    for key in dict.fromkeys(remove):
        if key not in before:
            known = ", ".join(sorted(before)) or "none"
            raise Refused(f"--remove {key}: there is no such key (there are {known})", REFUSED)
        if key in values:
            raise Refused(f"{key} is to be set, and to be removed", WRONG_USAGE)
        yield Change(key, "removed", True, before[key], None)


def _say(terminal: Terminal, change: Change, shown: RunValues) -> None:
    if change.had:
        terminal.say(shown.line(change.key, change.before, "- ", "red"))
    if change.op == "set":
        terminal.say(shown.line(change.key, change.after, "+ ", "green"))


def _document(
    run: Execution,
    context: Mapping[str, Any],
    changes: list[Change],
    shown: RunValues,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    return {
        "id": run.pk,
        "workflow": run.workflow_name,
        "version": run.version,
        "status": run.status,
        "dry_run": dry_run,
        "context": shown.plain(dict(context)),
        "changes": [
            {
                "key": change.key,
                "op": change.op,
                "had": change.had,
                "before": shown.plain(change.before, change.key),
                "after": shown.plain(change.after, change.key),
            }
            for change in changes
        ],
    }
