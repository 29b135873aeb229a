"""Rollback, as rows: where it begins, which visits completed, and what each of them saw.

A run in rollback keeps the status ``compensating``, ready or held, from its failure to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from ..conf import settings
from ..definition import registry
from ..engine.context import Change
from ..engine.machine import COMPENSATION, replay, seq_of_outputs
from ..engine.paths import fork_of
from ..engine.rollback import START, Completed, in_same_round
from ..engine.state import RunState, given_by, to_snapshot
from ..exceptions import WorkflowNotFound
from ..models import Execution, StepRun, StepStatus, WorkflowDefinition
from ..models.execution import ExecutionKind
from ..models.history import base_state, recorded_since
from .inheriting import inherited_by, item_of

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
    run = Execution.objects.using(settings.DATABASE).only("pk", "root_id", "kind").get(pk=run_id)
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution__in=run.members(), status=StepStatus.COMPLETED
    )
    rows = rows.exclude(kind=COMPENSATION)
    if names is not None:
        rows = rows.filter(name__in=list(names))
    if until is not None:
        rows = rows.filter(id__lte=until)
    columns = ("id", "execution_id", "path", "kind", "next_path", "execution__path")
    found = rows.order_by("-id").values_list(*columns)[:PAGE]
    return [Completed(*row[:5], fork_of(row[5]) if row[5] else "") for row in found]


class Scope(NamedTuple):
    """What a visit saw, for its compensation: ``state`` for the outputs, ``outputs`` those of its
    own round, ``own`` what its strand did to the context, ``number`` the index of the item."""

    state: RunState
    outputs: dict[str, str]
    own: tuple[Change, ...]
    item_text: str | None
    number: int | None


def scope_of(run_id: UUID, state: RunState, row: Completed, path: str) -> Scope:
    """The scope of the visit at ``path``; ``state`` is that of the run."""
    outputs = _outputs_of_round(row, path)
    if row.execution_id == run_id:
        return Scope(state, outputs, (), None, None)
    strand = Execution.objects.using(settings.DATABASE).get(pk=row.execution_id)
    assert strand.parent_id is not None
    above = inherited_by([(strand.parent_id, strand.path)])
    inherited = above.get((strand.parent_id, fork_of(strand.path)))
    own = _state_of(strand, inherited.state if inherited else None)
    changes, outer = own.changes, inherited.state if inherited else None
    while outer is not None:
        changes, outer = (*outer.changes, *changes), outer.inherited
    item, index = (None, None)
    if inherited is not None:
        item, index = item_of(strand.path, strand.input_text, inherited)
    return Scope(own, outputs, changes, item, index)


def changes_never_joined(run_id: UUID, state: RunState) -> tuple[Change, ...]:
    """What the members of a fork that was never joined did to the context, in order."""
    if not state.fork:
        return ()
    rows = Execution.objects.using(settings.DATABASE)
    members = rows.filter(parent_id=run_id, kind=ExecutionKind.STRAND, lease__gt=0)
    found: list[Change] = []
    for strand in members.filter(path__startswith=_fork_path(state)).order_by("id"):
        own = _state_of(strand, None)
        found += own.changes
        found += changes_never_joined(strand.pk, own)
    return tuple(found)


def _fork_path(state: RunState) -> str:
    return state.next_path.removesuffix("[]")


def _state_of(strand: Execution, inherited: RunState | None) -> RunState:
    rows = recorded_since({strand.pk: strand.snapshot_seq}, settings.DATABASE)
    recorded = [row for row in rows.get(strand.pk, ()) if row.status not in ("running", "waiting")]
    return replay(base_state(strand.snapshot, strand.path, inherited), recorded, True)[0]


def _outputs_of_round(row: Completed, path: str) -> dict[str, str]:
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution_id=row.execution_id, status=StepStatus.COMPLETED
    )
    rows = rows.exclude(kind=COMPENSATION)
    prefix = in_same_round(path)
    same_round = rows.filter(path__startswith=prefix) if prefix else rows.filter(pk=row.step_id)
    found: dict[str, str] = {}
    columns = ("path", "kind", "next_path", "output_text")
    for told, kind, next_path, output in same_round.order_by("seq").values_list(*columns):
        found.update(dict.fromkeys(given_by(told, kind, next_path, row.base), output))
    return found
