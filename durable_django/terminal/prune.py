"""``durable prune``: deletes runs that ended long ago, each with all it forked and called."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from .. import api_pruning
from ..models import FINAL
from ..showing.durations import read_duration, written
from ..store import clock
from .chosen import confirm
from .command import DONE, WRONG_USAGE, Command, Refused, add_reason, at_least
from .screen import Terminal

if TYPE_CHECKING:
    from ..store.trees import Pruned

# Before somebody is asked it is counted how much there is, up to here and for so long.
COUNTED_MAX: Final = 10_000
COUNTING_SECONDS: Final = 5


class Prune(Command):
    """Asks before it deletes, unless told ``--yes``. What is deleted cannot be brought back."""

    name = "prune"
    help = "delete runs that ended long ago"
    epilog = """\
manage.py durable prune --older-than 30d --status completed --dry-run
manage.py durable prune --older-than 90d --yes
manage.py durable prune --older-than 2w --workflow process_order --batch-size 100
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            required=True,
            metavar="DURATION",
            help="how long ago they ended at the least, with its unit: 30d, 12h, 90m, 2w",
        )
        parser.add_argument(
            "--status",
            action="append",
            default=[],
            help="only runs that ended so, may be repeated (default: all of them): "
            + ", ".join(FINAL),
        )
        parser.add_argument("--workflow", metavar="NAME", help="only runs of this workflow")
        parser.add_argument(
            "--batch-size",
            type=at_least(1),
            default=500,
            metavar="N",
            help="runs that are deleted in one transaction, at the most (default: 500)",
        )
        parser.add_argument(
            "--limit",
            type=at_least(1),
            metavar="N",
            help="at most N runs, the oldest of a workflow",
        )
        parser.add_argument("--dry-run", action="store_true", help="count them, delete nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Counts, asks, deletes, and tells how much that was."""
        older_than = _age(options.older_than)
        before = clock.now() - older_than
        found: Pruned | None = None
        if not options.dry_run and not options.yes:
            found = self._counted(options, older_than)
            if found.trees:
                confirm(_question(found, options, older_than))
        done = self._prune(terminal, options, older_than, found)
        if terminal.json:
            terminal.emit(_document(done, options, older_than, before))
        else:
            terminal.say(_sentence(done, options, older_than))
            if done.kept:
                terminal.say(
                    f"{done.kept:,} more stay: something of them has not ended, ended later, or "
                    "is locked at this moment."
                )
        return DONE

    def _counted(self, options: Namespace, older_than: timedelta) -> Pruned:
        limit = min(options.limit or COUNTED_MAX, COUNTED_MAX)
        return _call(options, older_than, limit=limit, timeout=COUNTING_SECONDS, dry_run=True)

    def _prune(
        self, terminal: Terminal, options: Namespace, older_than: timedelta, found: Pruned | None
    ) -> Pruned:
        total = None if found is None or found.is_more else found.trees
        seen = 0
        label = "counting" if options.dry_run else "deleting"
        with terminal.progress(total, label) as advance:

            def progress(done: Pruned) -> None:
                nonlocal seen
                advance(done.trees - seen)
                seen = done.trees

            return _call(
                options,
                older_than,
                limit=options.limit,
                dry_run=options.dry_run,
                progress=progress,
                reason=options.reason,
                by=terminal.by,
            )


def _age(text: str) -> timedelta:
    """How long ago. A number alone is refused: who writes 30 does not mean seconds, and what is
    deleted is gone."""
    try:
        return read_duration(text, "--older-than", needs_unit=True)
    except ValueError as error:
        raise Refused(str(error), WRONG_USAGE) from None


def _call(options: Namespace, older_than: timedelta, **rest: Any) -> Pruned:
    try:
        return api_pruning.prune(
            older_than,
            status=options.status or None,
            workflow=options.workflow,
            batch_size=options.batch_size,
            **rest,
        )
    except (TypeError, ValueError) as error:
        raise Refused(str(error), WRONG_USAGE) from None


def _which(options: Namespace, older_than: timedelta, number: int = 0) -> str:
    status = f"{' or '.join(options.status)} " if options.status else ""
    of = f" of {options.workflow}" if options.workflow else ""
    runs = "run" if number == 1 else "runs"
    return f"{status}{runs}{of} that ended more than {written(older_than.total_seconds())} ago"


def _question(found: Pruned, options: Namespace, older_than: timedelta) -> str:
    more = " or more" if found.is_more else ""
    which = _which(options, older_than, 2 if found.is_more else found.trees)
    return (
        f"Delete {found.trees:,}{more} {which}, with all they forked and "
        "called? This cannot be undone."
    )


def _sentence(done: Pruned, options: Namespace, older_than: timedelta) -> str:
    which = _which(options, older_than, done.trees)
    if not done.trees:
        return f"There are no {which}."
    begin = "Would delete" if options.dry_run else "Deleted"
    return (
        f"{begin} {done.trees:,} {which}: {done.executions:,} executions, {done.step_runs:,} step "
        f"runs, {done.waits:,} waits, {done.events:,} events, {done.audit_entries:,} entries of "
        "their history."
    )


def _document(
    done: Pruned, options: Namespace, older_than: timedelta, before: Any
) -> dict[str, Any]:
    return {
        "dry_run": options.dry_run,
        "older_than_seconds": older_than.total_seconds(),
        "before": before,
        "status": options.status,
        "workflow": options.workflow,
        **done._asdict(),
    }
