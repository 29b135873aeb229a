"""The tab of steps: every attempt at a node, with what it was given, gave, changed, logged.

As they happened, forks with their members in the place of the steps that forked; or, where a node
or a status is asked for, just those attempts, wherever in the run they were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from ...conf import settings
from ...engine.machine import COMPENSATION
from ...engine.paths import JOIN
from ...engine.state import FORKS
from ...models import StepRun, StepStatus
from ...models.execution import ExecutionKind
from ...models.members import made_in
from ...showing.keys import keys_of_item, keys_of_member
from ...showing.learning import learn, learn_changes
from .. import members
from ..fork_view import Lines, has_item
from ..members import Fork, Member
from ..run_request import RunRequest
from ..step_view import LEVELS, LogFilter, StepView, Window, keys_of, step_view

STEPS_PER_PAGE: Final = 100
MEMBER_PAYLOADS: Final = (
    "execution__snapshot",
    "execution__result_text",
    "execution__changes_text",
)


def context(page: RunRequest) -> dict[str, Any]:
    """A page of the attempts; those of a rollback apart."""
    query = page.request.GET
    logs = LogFilter(query.get("level", ""), query.get("q", "").strip()[:200])
    # PostgreSQL takes no NUL, not even to look for it.
    node, state = query.get("node", "").replace("\0", ""), query.get("state", "")
    state = state if state in StepStatus.values else ""
    shown = _some(page, node, state, logs) if node or state else _every(page, logs)
    return {
        **shown,
        "node": node,
        "state": state,
        "logs": logs,
        "nodes": _nodes(page, node),
        "states": StepStatus.choices,
        "levels": LEVELS,
        "is_filtered": bool(node or state),
    }


def _every(page: RunRequest, logs: LogFilter) -> dict[str, Any]:
    asked = members.Asked.of(page.request.GET)
    steps = _steps(page, asked)
    rows = list(steps)
    forks = members.read_forks(page.run, rows, is_end=not steps.has_next(), asked=asked)
    _learn(page, rows, forks)
    window = Window.of(page.run, page.now)
    found = Lines(page.part, window, page.links, page.sources, logs).of(rows, forks)
    undoing = next((n for n, row in enumerate(rows) if row.kind == COMPENSATION), len(found))
    return {"steps": steps, "lines": found[:undoing], "undone": found[undoing:]}


def _some(page: RunRequest, node: str, state: str, logs: LogFilter) -> dict[str, Any]:
    """The attempts at a node, or with a status, of the run and all its members."""
    rows = _all_rows(page)
    if node:
        rows = rows.filter(name=node)
    if state:
        rows = rows.filter(status=state)
    rows = rows.select_related("worker", "execution").defer(*MEMBER_PAYLOADS)
    paginator = Paginator(rows, STEPS_PER_PAGE)
    steps = paginator.get_page(page.request.GET.get("steps") or paginator.num_pages)
    found = list(steps)
    _learn(page, found, {})
    if not page.mask.is_empty:
        for row in found:
            learn(page.mask, row.execution.input_text, keys_of_item(row.execution, page.sources))
    lines = [_alone(page, row, logs) for row in found]
    return {"steps": steps, "lines": lines, "undone": []}


def _all_rows(page: RunRequest) -> QuerySet[StepRun]:
    rows = StepRun.objects.using(settings.DATABASE).exclude(path__endswith=JOIN).order_by("id")
    if page.is_strand:
        return rows.filter(execution_id=page.run.pk)
    # A run without members is not asked for them: its index is all that is needed.
    own = rows.filter(execution_id=page.run.pk, kind__in=FORKS)
    if not own.exists():
        return rows.filter(execution_id=page.run.pk)
    return rows.filter(made_in(page.run))


def _alone(page: RunRequest, row: StepRun, logs: LogFilter) -> StepView:
    """An attempt outside of its place: of a member with its item, and the way to it."""
    window = Window.of(page.run, page.now)
    view = step_view(row, page.part, window, is_last=False, logs=logs)
    strand = row.execution
    if strand.kind != ExecutionKind.STRAND or strand.pk == page.run.pk:
        return view
    keys = keys_of_item(strand, page.sources)
    item = page.part.value(strand.input_text, *keys) if has_item(strand) else None
    address = page.links.page_of(strand.pk)
    return replace(view, anchor=f"attempt-{row.pk}", item=item, member_address=address)


def _nodes(page: RunRequest, asked: str) -> list[str]:
    """The names to choose from: those of the plan, and what was asked for."""
    found = list(_names(page.structure or {}))
    return found if not asked or asked in found else [asked, *found]


def _names(structure: Mapping[str, Any]) -> Iterator[str]:
    for node in structure.get("nodes") or structure.get("children") or ():
        if node.get("name") and node.get("kind") not in ("sequence", "case"):
            yield str(node["name"])
        yield from _names(node)


def _steps(page: RunRequest, asked: members.Asked | None) -> Page[StepRun]:
    """A page of the attempts made in the run itself: the one asked for, the one that the fork asked
    for is on, or the last."""
    rows = members.own_steps(page.run).select_related("worker")
    paginator = Paginator(rows, STEPS_PER_PAGE)
    number = page.request.GET.get("steps")
    if number is None and asked is not None:
        number = str(rows.filter(seq__lt=asked.seq).count() // STEPS_PER_PAGE + 1)
    return paginator.get_page(number or paginator.num_pages)


def _learn(page: RunRequest, rows: Iterable[StepRun], forks: Mapping[int, Fork]) -> None:
    """Lets the mask gather the secrets of what is to be shown."""
    mask = page.mask
    if mask.is_empty:
        return
    found = list(_members(forks.values()))
    for member in found:
        learn(mask, member.row.input_text, keys_of_item(member.row, page.sources))
        learn(mask, member.row.result_text, keys_of_member(member.row))
    for row in chain(rows, *(member.steps for member in found)):
        learn(mask, row.output_text, keys_of(row))
        learn_changes(mask, row.changes_text)


def _members(forks: Iterable[Fork]) -> Iterator[Member]:
    for fork in forks:
        for member in fork.members:
            yield member
            yield from _members(member.forks.values())
