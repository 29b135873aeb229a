"""Which runs a command is for: ids that are named, or all that filters find.

It reads rows, and asks the person; the command does the rest. Runs that a filter finds are read
once, before anybody is asked: what is agreed to is what is done.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from .. import api
from ..definition.spelling import did_you_mean
from ..exceptions import DurableError
from ..models import Execution, ExecutionStatus
from ..models.rare import RARE, tagged_only
from ..showing.tagging import tag_matches
from .command import WRONG_USAGE, Refused, add_reason, at_least
from .ids import find_execution
from .known import check_filters
from .listing import GROUPS


class Chosen(NamedTuple):
    """A run as far as choosing it goes."""

    id: UUID
    workflow_name: str
    version: int
    status: str


def add_arguments(parser: ArgumentParser, statuses: Sequence[str]) -> None:
    """The options that choose runs; ``statuses`` are those the command can do something about."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of runs, or unique prefixes")
    found = parser.add_argument_group("all runs that match, instead of ids")
    found.add_argument(
        "--status",
        action="append",
        default=[],
        help=f"of this status, or several with commas between them: {', '.join(statuses)}",
    )
    found.add_argument("--workflow", metavar="NAME", help="of this workflow")
    found.add_argument("--queue", metavar="NAME", help="in this queue")
    found.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="with this tag, may be repeated"
    )
    found.add_argument("--limit", type=at_least(1), metavar="N", help="only the newest N of them")
    found.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and stop")
    add_reason(parser)


def choose(
    options: Namespace, statuses: Sequence[str], verb: str, usual: Sequence[str]
) -> list[Chosen]:
    """The runs that are meant, each once, those of filters the newest first and of the ``usual``
    statuses unless others are given. Refused where neither ids nor filters are given, or both, and
    for ids that are none or not unique; WorkflowNotFound, QueueNotFound."""
    filters = [options.status, options.workflow, options.queue, options.tag, options.limit]
    by_filter = any(given not in (None, []) for given in filters)
    if options.ids and by_filter:
        raise Refused("give ids, or filters such as --status and --workflow, not both", WRONG_USAGE)
    if options.ids:
        runs = [find_execution(prefix) for prefix in options.ids]
        return list(dict.fromkeys(map(_chosen, runs)))
    if not by_filter:
        raise Refused(
            f"{verb} what? Give ids, or filters such as --status and --workflow", WRONG_USAGE
        )
    wanted = _statuses(options.status, statuses, verb) if options.status else list(usual)
    found = list(islice(_found(options, wanted), options.limit))
    if not found:
        check_filters(workflow=options.workflow, queue=options.queue)
    return found


def _chosen(run: Execution) -> Chosen:
    return Chosen(run.pk, run.workflow_name, run.version, run.status)


def _statuses(given: Sequence[str], statuses: Sequence[str], verb: str) -> list[str]:
    words = [word.strip() for text in given for word in text.split(",")]
    grouped = [GROUPS.get(word, [word]) for word in words]
    for status in (word for word in words if word not in GROUPS):
        if status not in ExecutionStatus.values:
            meant = did_you_mean(status, statuses)
            known = ", ".join(statuses)
            raise Refused(f'no status is called "{status}"{meant} (there are {known})', WRONG_USAGE)
        if status not in statuses:
            known = ", ".join(statuses)
            raise Refused(
                f"a run that is {status} cannot be chosen to {verb}, only one that is {known}",
                WRONG_USAGE,
            )
    return [status for status in statuses if any(status in group for group in grouped)]


def _found(options: Namespace, statuses: Sequence[str]) -> Iterator[Chosen]:
    """Those that need somebody's eyes are found by their index; the others walk the table."""
    rare = [status for status in statuses if status in RARE]
    common = [status for status in statuses if status not in RARE]
    for wanted in filter(None, (rare, common)):
        try:
            rows = api.list_executions(
                workflow=options.workflow,
                status=wanted,
                queue=options.queue,
            )
        except (DurableError, TypeError, ValueError) as error:
            raise Refused(str(error), WRONG_USAGE) from None
        if options.tag:
            rows = tagged_only(rows)
        for tag in options.tag:
            rows = rows.filter(tag_matches(tag))
        yield from _read(rows)


def _read(rows: QuerySet[Execution]) -> Iterator[Chosen]:
    columns = rows.values_list("id", "workflow_name", "version", "status")
    for row in columns.iterator():
        yield Chosen(*row)


def told(runs: Iterable[Chosen]) -> str:
    """How many runs there are of which workflow and status, in words.

    >>> told([])
    'no executions'
    """
    counted = Counter((run.status, run.workflow_name) for run in runs)
    total = sum(counted.values())
    if not total:
        return "no executions"
    parts = [f"{number:,} {status} {name}" for (status, name), number in counted.most_common(6)]
    rest = total - sum(number for _what, number in counted.most_common(6))
    more = f", and {rest:,} others" if rest else ""
    noun = "execution" if total == 1 else "executions"
    return f"{total:,} {noun} ({', '.join(parts)}{more})"


def confirm(question: str) -> None:
    """Asks; Refused where the answer is not yes, or where nobody is there to be asked."""
    has_both = sys.stdin is not None and sys.stderr is not None  # None: it was closed
    if not has_both or not sys.stdin.isatty():
        raise Refused(f"{question} Nobody can be asked here: say --yes", WRONG_USAGE)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")
