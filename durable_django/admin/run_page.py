"""What the page of one execution shows, made ready for its templates. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Q

from ..conf import settings
from ..engine.machine import COMPENSATION
from ..engine.state import RunState
from ..models import Execution, StepRun
from ..models.execution import ExecutionKind
from .fork_view import Line, Lines, Links, has_item, keys_of_item, keys_of_member
from .masking import Mask, Masks, sources_of_items
from .members import Fork, Member
from .pretty import visible
from .previews import Previews
from .shown import Entry, ErrorView, Shown, ValueView, learn, learn_changes
from .step_view import Window, keys_of
from .waits import Doors, Waits, WaitView, learn_waits, wait_views

VALUE_LENGTH_MAX: Final = 100_000
PART_LENGTH_MAX: Final = 20_000
ENTRIES_MAX: Final = 500


class Entries(NamedTuple):
    """Values by key, and how many more there are."""

    entries: list[Entry]
    more: int


@dataclass(frozen=True)
class RunPage:
    """One execution, ready to be shown. Of a strand ``input`` is its item, None outside of a
    foreach, and ``context`` what it changed there. ``undone`` are the steps of a rollback,
    ``waits`` those that are open and, after them, what is over."""

    reason: str
    tags: list[str]
    input: ValueView | None
    result: ValueView | None
    error: ErrorView | None
    context: Entries
    outputs: Entries
    lines: list[Line]
    undone: list[Line]
    waits: list[WaitView]


class Told(NamedTuple):
    """What is read of an execution for its page: the step runs to show, the forks among them by
    the seq of their openings, the waits, and, for a strand, the run it belongs to."""

    rows: Sequence[StepRun]
    forks: Mapping[int, Fork]
    waits: Waits
    run: Execution | None = None


def run_page(
    run: Execution, told: Told, now: datetime, links: Links, doors: Doors, *, whole: bool
) -> RunPage:
    """Reads what a run knows, in one query, or two if it has large outputs. With ``whole`` no value
    is cut."""
    mask = Masks([(run.workflow_name, run.version)]).of(run.workflow_name, run.version)
    is_strand = run.kind == ExecutionKind.STRAND
    asks_items = is_strand or any(fork.opening.kind == "foreach" for fork in told.forks.values())
    sources: Mapping[str, str] = {}
    if asks_items and not mask.is_empty:
        sources = sources_of_items(run.workflow_name, run.version)
    state = run.state
    outputs = {**_referenced(run, state.references), **state.outputs}
    _learn(mask, run, told, (state, outputs), sources)
    previews = Previews()
    shown = Shown(mask, None if whole else VALUE_LENGTH_MAX, previews)
    part = Shown(mask, None if whole else PART_LENGTH_MAX, previews)
    lines = Lines(part, Window.of(run, now), links, sources).of(told.rows, told.forks)
    undoing = next((n for n, row in enumerate(told.rows) if row.kind == COMPENSATION), len(lines))
    keys = keys_of_member(run) if is_strand else ()
    item_keys = keys_of_item(run, sources) if is_strand else ()
    return RunPage(
        reason=shown.text(run.reason),
        tags=tag_texts(run.tags, mask),
        input=shown.value(run.input_text, *item_keys) if not is_strand or has_item(run) else None,
        result=shown.value(run.result_text, *keys) if run.status == "completed" else None,
        error=shown.error(run.error_text),
        context=_changes(state, part) if is_strand else _entries(state.context, part),
        outputs=_entries(outputs, part),
        lines=lines[:undoing],
        undone=lines[undoing:],
        waits=wait_views(told.waits, part, now, doors),
    )


def tag_texts(tags: object, mask: Mask) -> list[str]:
    """Tags as texts: ``vip``, ``customer=42``."""
    if isinstance(tags, Mapping):
        return [visible(f"{key}={mask.under(key, value)}") for key, value in tags.items()]
    return [visible(mask.text(str(tag))) for tag in tags] if isinstance(tags, list) else []


def _entries(texts: Mapping[str, str], shown: Shown) -> Entries:
    """The first of many, all of them where values are shown whole."""
    most = len(texts) if shown.limit is None else ENTRIES_MAX
    kept = islice(texts.items(), most)
    return Entries([shown.entry(key, text) for key, text in kept], max(len(texts) - most, 0))


def _changes(state: RunState, shown: Shown) -> Entries:
    """The same for what a strand did to the context of its run."""
    most = len(state.changes) if shown.limit is None else ENTRIES_MAX
    kept = state.changes[:most]
    entries = [shown.entry(change.key, change.text, change.op) for change in kept]
    return Entries(entries, len(state.changes) - len(kept))


def _referenced(run: Execution, references: Mapping[str, str]) -> dict[str, str]:
    """The outputs that a snapshot only refers to: "12" is a step run of ``run`` itself, "<hex>:12"
    one of another execution."""
    places = {}
    for name, reference in references.items():
        owner, _, seq = reference.rpartition(":")
        places[name] = (UUID(owner) if owner else run.pk, int(seq))
    if not places:
        return {}
    wanted = Q()
    for pk, number in sorted(set(places.values())):
        wanted |= Q(execution_id=pk, seq=number)
    rows = StepRun.objects.using(settings.DATABASE).filter(wanted)
    found = rows.values_list("execution_id", "seq", "output_text")
    texts = {(pk, number): text for pk, number, text in found}
    return {name: texts[place] for name, place in places.items() if place in texts}


def _learn(
    mask: Mask,
    run: Execution,
    told: Told,
    known: tuple[RunState, Mapping[str, str]],
    sources: Mapping[str, str],
) -> None:
    """Gathers the secrets of a run before any of its texts is shown."""
    if mask.is_empty:
        return
    state, outputs = known
    is_strand = run.kind == ExecutionKind.STRAND
    learn(mask, run.input_text, keys_of_item(run, sources) if is_strand else ())
    learn(mask, run.result_text, keys_of_member(run) if is_strand else ())
    for key, text in [*state.context.items(), *outputs.items()]:
        learn(mask, text, (key,))
    if told.run is not None:
        learn(mask, told.run.input_text)
        for key, text in told.run.state.context.items():
            learn(mask, text, (key,))
    members = list(_members(told.forks.values()))
    for member in members:
        learn(mask, member.row.input_text, keys_of_item(member.row, sources))
        learn(mask, member.row.result_text, keys_of_member(member.row))
    for row in [*told.rows, *(step for member in members for step in member.steps)]:
        learn(mask, row.output_text, keys_of(row))
        learn_changes(mask, row.changes_text)
    learn_waits(mask, told.waits)


def _members(forks: Iterable[Fork]) -> Iterator[Member]:
    for fork in forks:
        for member in fork.members:
            yield member
            yield from _members(member.forks.values())
