"""Rollback, as rows: where it begins, which visits completed, and what each of them saw.

A run in rollback keeps the status ``compensating``, ready or held, from its failure to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from ..conf import settings
from ..definition import registry
from ..engine.context import Change, decode_changes
from ..engine.machine import COMPENSATION, THROUGH, replay, seq_of_outputs
from ..engine.paths import fork_of, number_in
from ..engine.rollback import START, Completed, Undo, is_beside, own_view, rounds_of
from ..engine.state import EMPTY, FORKS, RunState, as_inherited, given_by, to_snapshot
from ..exceptions import WorkflowNotFound
from ..models import Execution, StepRun, StepStatus, WorkflowDefinition
from ..models.history import base_state, recorded_since
from ..models.members import made_in
from .reopening import members_of

PAGE = 100


def can_compensate(workflow_name: str, version: int) -> bool:
    """Whether the workflow declares a compensation; its stored structure tells where this process
    does not have its code."""
    try:
        return bool(registry.get(workflow_name, version).definition.compensations)
    except WorkflowNotFound:
        rows = WorkflowDefinition.objects.using(settings.DATABASE)
        found = rows.filter(name=workflow_name, version=version).first()
        return found is not None and '"compensation":{' in found.structure_text


def starts_rollback(run: Execution) -> bool:
    """Puts the start of a rollback into the snapshot of a locked run that is about to end; False
    where there can be nothing to undo."""
    if not can_compensate(run.workflow_name, run.version):
        return False
    recorded = recorded_since({run.pk: run.snapshot_seq}, settings.DATABASE).get(run.pk, [])
    rows = [row for row in recorded if row.status != StepStatus.RUNNING]
    state, _ = replay(base_state(run.snapshot), rows, True)
    if not state.seq:
        return False
    run.snapshot = to_snapshot(state._replace(undo=START, attempt=0), seq_of_outputs(rows))
    run.snapshot_seq = state.seq
    return True


def completed_visits(
    run_id: UUID, names: Iterable[str] | None, until: int | None
) -> list[Completed]:
    """A page of the visits of a run and its strands that completed, newest first; ``until`` the
    step run with that id, included. ``names``: only of these nodes."""
    run = Execution.objects.using(settings.DATABASE).only("pk").get(pk=run_id)
    rows = StepRun.objects.using(settings.DATABASE).filter(made_in(run), status__in=THROUGH)
    rows = rows.exclude(kind=COMPENSATION)
    if names is not None:
        rows = rows.filter(name__in=list(names))
    if until is not None:
        rows = rows.filter(id__lte=until)
    columns = ("id", "execution_id", "path", "kind", "next_path", "execution__path", "status")
    found = rows.order_by("-id").values_list(*columns)[:PAGE]
    return [
        Completed(
            *(pk, owner, path, kind, onward, fork_of(strand) if strand else ""),
            skipped=status == StepStatus.SKIPPED,
        )
        for pk, owner, path, kind, onward, strand, status in found
    ]


class Scope(NamedTuple):
    """What a visit saw, for its compensation: the outputs of its own turn, ``state`` for all
    others, the item it ran for, with its index, ``number``, and the ``context``."""

    state: RunState
    outputs: dict[str, str]
    item_text: str | None
    number: int | None
    context: Mapping[str, str]


def scope_of(run_id: UUID, state: RunState, undo: Undo, has_jumps: bool) -> Scope:
    """The scope of a visit; ``state`` is that of the run."""
    strands = _strands_above(run_id, undo.row.execution_id)
    chain = [run_id, *(strand.pk for strand in strands)]
    outputs = _outputs_then(undo, chain, has_jumps)
    context, own, item_text, number = state.context, state, None, None
    for level, strand in enumerate(strands, start=1):
        # Without its context: what members did to one key need not go together.
        above = as_inherited(own, chain[level - 1].hex)._replace(context=EMPTY)
        own = _state_of(strand, above)
        if any(change.op == "set" for change in own.changes):
            touched = _touched_since(undo, strand.path, chain[:level])
            context = own_view(context, own.changes, touched)
        if strand.path.endswith("]"):
            item_text, number = strand.input_text, number_in(strand.path)
    return Scope(own, outputs, item_text, number, context)


def _strands_above(run_id: UUID, execution_id: UUID) -> list[Execution]:
    """The strands a visit stands in, from the outermost in."""
    found: list[Execution] = []
    rows = Execution.objects.using(settings.DATABASE)
    while execution_id != run_id:
        found.insert(0, rows.get(pk=execution_id))
        above = found[0].parent_id
        assert above is not None
        execution_id = above
    return found


def _touched_since(undo: Undo, strand_path: str, above: Sequence[UUID]) -> set[str]:
    """The keys that what stands above a strand has changed since, joins aside, and compensations
    of other members."""
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution_id__in=above, id__gt=undo.step_id, status__in=THROUGH
    )
    rows = rows.exclude(changes_text="[]").exclude(kind__in=FORKS)
    touched: set[str] = set()
    for kind, path, text in rows.values_list("kind", "path", "changes_text"):
        if kind != COMPENSATION or not is_beside(path, strand_path):
            touched.update(change.key for change in decode_changes(text))
    return touched


def _outputs_then(undo: Undo, chain: list[UUID], has_jumps: bool) -> dict[str, str]:
    """The outputs in the turn of a visit. ``chain``: the run and the strands it stands in."""
    completed = StepRun.objects.using(settings.DATABASE).filter(
        execution_id__in=chain, status__in=THROUGH
    )
    completed = completed.exclude(kind=COMPENSATION).order_by("id")
    found = _given_by_rows(completed.filter(id__lte=undo.step_id)) if has_jumps else {}
    for prefix in rounds_of(undo.path, has_jumps):
        found.update(_given_by_rows(completed.filter(path__startswith=prefix)))
    found.update(_given_by_rows(completed.filter(id=undo.step_id)))
    return found


def _given_by_rows(rows: QuerySet[StepRun]) -> dict[str, str]:
    found: dict[str, str] = {}
    columns = ("path", "kind", "next_path", "output_text", "execution__path")
    for path, kind, next_path, output, strand in rows.values_list(*columns):
        base = fork_of(strand) if strand else ""
        found.update(dict.fromkeys(given_by(path, kind, next_path, base), output))
    return found


def changes_never_joined(run_id: UUID, state: RunState) -> tuple[Change, ...]:
    """What the members of a fork that was never joined did to the context, in order."""
    if not state.fork:
        return ()
    found: list[Change] = []
    for strand in members_of(run_id, state).filter(lease__gt=0).order_by("id"):
        own = _state_of(strand, None)
        found += own.changes
        found += changes_never_joined(strand.pk, own)
    return tuple(found)


def _state_of(strand: Execution, inherited: RunState | None) -> RunState:
    rows = recorded_since({strand.pk: strand.snapshot_seq}, settings.DATABASE)
    recorded = [row for row in rows.get(strand.pk, ()) if row.status not in ("running", "waiting")]
    return replay(base_state(strand.snapshot, strand.path, inherited), recorded, True)[0]
