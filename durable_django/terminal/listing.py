"""``durable list``: runs, the newest first, a page at a time. It reads rows by their indexes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Final
from uuid import UUID

from .. import api
from ..conf import settings
from ..models import Execution, ExecutionStatus
from ..models.names import names_of_runs
from ..models.status import FINAL_VALUES
from ..showing.keyset import (
    Cursor,
    Page,
    Way,
    by_tag,
    read_page,
    ways_by_status,
    ways_by_workflow,
)
from ..showing.masking import Masks
from ..showing.shapes import run_shape
from ..showing.tagging import tag_matches, tag_texts
from ..store import clock
from .command import DONE, WRONG_USAGE, Command, Refused, at_least
from .ids import find_execution
from .known import check_filters
from .run_values import stored
from .screen import Cell, Column, Terminal

SHOWN: Final = 20
# What a line of the table does not tell.
LARGE: Final = ("input_text", "snapshot", "result_text", "error_text", "changes_text")
# Words for several statuses.
GROUPS: Final = {
    "active": sorted(set(ExecutionStatus.values) - FINAL_VALUES),
    "ended": sorted(FINAL_VALUES),
    "attention": ["failed", "compensation_failed", "paused"],
}
COLUMNS: Final = (
    Column("ID", fixed=True),
    Column("WORKFLOW"),
    Column("STATUS"),
    Column("CREATED"),
    Column("TOOK", right=True, rank=1),
    Column("QUEUE", rank=3),
    Column("TAGS", rank=2),
)


class List(Command):
    """Runs, the newest first."""

    name = "list"
    help = "list runs, the newest first"
    epilog = """\
manage.py durable list
manage.py durable list --status failed,paused --workflow process_order
manage.py durable list --tag customer=42 --limit 100 --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workflow", metavar="NAME", help="only runs of this workflow")
        parser.add_argument(
            "--status",
            action="append",
            default=[],
            metavar="STATUS",
            help="only runs with this status, or several with commas between them; active, ended "
            "and attention stand for groups",
        )
        parser.add_argument("--queue", metavar="NAME", help="only runs of this queue")
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            metavar="TAG",
            help="only runs with this tag: vip, or customer=42; may be given several times",
        )
        parser.add_argument("--before", metavar="ID", help="only runs older than this one")
        parser.add_argument(
            "--limit", type=at_least(1), default=SHOWN, metavar="N", help="so many (default: 20)"
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """The rows, and whether there are more of them."""
        page = _page(options)
        if not page.ids:
            check_filters(workflow=options.workflow, queue=options.queue)
        rows = _rows(page.ids, whole=terminal.json)
        masks = Masks({(row.workflow_name, row.version) for row in rows}, reveal=terminal.reveal)
        if terminal.json:
            shapes = [run_shape(row, masks.of(row.workflow_name, row.version)) for row in rows]
            terminal.emit({"runs": stored(shapes), "more": page.has_older})
        elif rows:
            now = clock.now()
            terminal.table(COLUMNS, [_cells(terminal, row, masks, now) for row in rows])
            if page.has_older:
                terminal.say(f"There are more: --limit N, or --before {rows[-1].pk}", "dim")
        else:
            terminal.say("No runs.")
        return DONE


def statuses(given: list[str]) -> list[str] | None:
    """The statuses that ``--status`` means, given once or several times; None for all."""
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    found: list[str] = []
    for word in words:
        if word not in GROUPS and word not in ExecutionStatus.values:
            known = ", ".join([*ExecutionStatus.values, *GROUPS])
            raise Refused(f"--status {word!r} is none of {known}", WRONG_USAGE)
        found += GROUPS.get(word, [word])
    return list(dict.fromkeys(found)) or None


def _page(options: Namespace) -> Page:
    """The ids of the runs that are asked for, found by the index that has the fewest of them."""
    wanted = statuses(options.status)
    try:
        runs = api.list_executions(
            workflow=options.workflow, status=wanted, queue=options.queue
        ).order_by()
    except (TypeError, ValueError) as error:
        raise Refused(str(error), WRONG_USAGE) from None
    for tag in options.tag:
        runs = runs.filter(tag_matches(tag))
    older_than = find_execution(options.before).pk if options.before else None
    return read_page(runs, _ways(options, wanted), Cursor(older_than), options.limit)


def _ways(options: Namespace, wanted: list[str] | None) -> list[Way]:
    if options.tag:
        return [by_tag(tag_matches(options.tag[0]))]
    if wanted and ExecutionStatus.COMPLETED not in wanted:
        return ways_by_status(wanted)
    return ways_by_workflow([options.workflow] if options.workflow else names_of_runs())


def _rows(ids: list[UUID], *, whole: bool) -> list[Execution]:
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=ids).order_by("-id")
    return list(rows if whole else rows.defer(*LARGE)) if ids else []


def _cells(terminal: Terminal, run: Execution, masks: Masks, now: datetime) -> list[Cell]:
    mask = masks.of(run.workflow_name, run.version)
    return [
        str(run.pk),
        run.workflow_name,
        terminal.status(run.status),
        run.created_at,
        terminal.length(took(run, now)),
        run.queue,
        # The run's secrets are not known here, so that a tag could be one of them.
        ", ".join(tag_texts(run.tags, mask, whole=mask.is_empty)),
    ]


def took(run: Execution, now: datetime) -> float | None:
    """Seconds from a run's beginning to its end, or to now; None for one that has not begun."""
    if run.started_at is None:
        return None
    return ((run.finished_at or now) - run.started_at).total_seconds()
