"""Reading a run back: its snapshot, and the step runs recorded after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models

from ..engine.machine import Recorded, replay
from ..engine.paths import fork_of
from ..engine.state import EMPTY, RunState, from_snapshot
from .status import ExecutionStatus

if TYPE_CHECKING:
    from .execution import Execution


def base_state(snapshot: str, path: str = "", inherited: RunState | None = None) -> RunState:
    """The state a snapshot holds; an empty snapshot is a run that has not parked yet, whose next
    node is not known without its definition. ``path`` is that of a strand, ``inherited`` its
    parent's state at the fork, where that is known."""
    base = fork_of(path) if path else ""
    if snapshot:
        return from_snapshot(snapshot, base, inherited)
    context = inherited.context if inherited else EMPTY
    return RunState("", context=context, base=base, inherited=inherited)


def recorded_since(seq_by_id: dict[UUID, int], using: str) -> dict[UUID, list[Recorded]]:
    """The step runs after each run's snapshot, in order of ``seq``, in one query."""
    from .step_run import StepRun

    found: dict[UUID, list[Recorded]] = defaultdict(list)
    rows = (
        StepRun.objects.using(using)
        .filter(execution__id__any=list(seq_by_id), seq__gt=min(seq_by_id.values()))
        .order_by("execution_id", "seq")
        .values_list("execution_id", *Recorded._fields[:4], *_TEXTS)
    )
    for execution_id, *columns in rows:
        if columns[0] > seq_by_id[execution_id]:
            found[execution_id].append(Recorded(*columns))
    return found


_TEXTS = ("output_text", "changes_text", "next_path", "kind", "started_at")


def state_of(execution: Execution) -> RunState:
    """The state as of the last checkpoint; of a strand only what is its own."""
    state = base_state(execution.snapshot, execution.path)
    if execution.status == ExecutionStatus.COMPLETED:  # its snapshot was written with its end
        return state
    using = execution._state.db or "default"
    rows = recorded_since({execution.pk: execution.snapshot_seq}, using)
    return replay(state, _ended(rows.get(execution.pk, ())))[0]


def _ended(rows: Iterable[Recorded]) -> list[Recorded]:
    return [row for row in rows if row.status not in ("running", "waiting")]


def latest(queryset: models.QuerySet[Execution]) -> models.QuerySet[Execution]:
    """For lists: without the columns that hold payloads."""
    return queryset.defer("input_text", "snapshot", "result_text", "error_text")
