"""Reopening what has ended: a run that is retried, and the members of the fork it failed at.

Completed strands stay; those that failed, and those cancelled by that failure, go on from where
they stood. The caller holds the lock of the execution.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ..conf import settings
from ..definition import registry
from ..engine import values
from ..engine.machine import replay, seq_of_outputs
from ..engine.paths import is_joining, node_name
from ..engine.results import Results
from ..engine.state import FORKS, RunState, to_snapshot
from ..exceptions import WorkflowNotFound
from ..models import Execution, ExecutionStatus
from ..models.history import base_state, recorded_since
from ..models.ids import following
from . import clock, wakeup
from .inheriting import forget

BATCH = 500


def reopen(run: Execution, timeout: float | None) -> Execution:
    """A locked, ended run becomes ready again, with fresh attempts at the node it stopped at.

    ``timeout`` is the seconds the run gets anew when its own timeout has passed meanwhile.
    """
    now = clock.now()
    run.finished_at = None
    run.result_text, run.reason = "null", ""
    if run.timeout_at is not None and run.timeout_at <= now:
        run.timeout_at = None if timeout is None else clock.after(now, timeout)
    run.due_at = run.timeout_at
    _go_on(run, now, "finished_at", "result_text", "reason", "timeout_at", "due_at")
    wakeup.notify(run.queue)
    return run


def reopen_members(parent: Execution, state: RunState) -> tuple[int, UUID | None]:
    """The members of the fork at which ``parent`` stands run again, unless they had completed:
    (how many do, the last of them that may begin at once if others have to wait)."""
    if not state.fork:
        return 0, None
    forget([parent.pk])
    ended = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
    block = _block(parent, state.next_path)
    members = members_of(parent.pk, state).order_by("id")
    is_race = block is not None and block.kind == "race"
    if is_race and members.filter(status=ExecutionStatus.COMPLETED).exists():
        return 0, None  # it is decided, and only to be joined
    members = members.filter(status__in=ended)
    ids = list(members.values_list("id", flat=True))
    concurrency = block.concurrency if block is not None else None
    beginning = len(ids) if concurrency is None else min(concurrency, len(ids))
    for begin in range(0, len(ids), BATCH):
        for strand in members.filter(id__any=ids[begin : begin + BATCH]):
            strand.held_back = strand.pk not in ids[:beginning][begin : begin + BATCH]
            strand.finished_at = None
            _go_on(strand, clock.now(), "finished_at", "held_back")
    released_id = ids[beginning - 1] if beginning < len(ids) else None
    return len(ids), released_id


def members_of(parent_id: UUID, state: RunState) -> QuerySet[Execution]:
    """The strands of the fork at which ``parent`` stands."""
    results: Results = values.decode(state.fork)
    ids = following(results.first_id, len(results))
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(parent_id=parent_id, id__gte=ids[0], id__lte=ids[-1])


def _go_on(execution: Execution, now: datetime, *fields: str) -> None:
    """An ended execution goes on from the node it stopped at; ``fields`` have changed, too."""
    recorded = recorded_since({execution.pk: execution.snapshot_seq}, settings.DATABASE)
    rows = recorded.get(execution.pk, [])
    state, _ = replay(base_state(execution.snapshot, execution.path), rows, True)
    # The members of one that has to wait for its turn wait for it, too.
    reopens = execution.held_back and is_joining(state.next_path)
    state = state._replace(attempt=0, retries=0, fatal=False, reopens=reopens)
    if state.next_path:  # else it never began
        execution.snapshot = to_snapshot(state, seq_of_outputs(rows, state.base))
        execution.snapshot_seq = state.seq
    remaining, released_id = 0, None
    if is_joining(state.next_path) and not reopens:
        remaining, released_id = reopen_members(execution, state)
    waits = remaining or execution.held_back
    execution.status = (ExecutionStatus.WAITING if waits else ExecutionStatus.PENDING).value
    execution.remaining, execution.failures = remaining, 0
    execution.released_id = released_id
    execution.error_text = ""
    execution.ready_at = now
    execution.lease += 1
    changed: Sequence[str] = [
        *("snapshot", "snapshot_seq", "status", "remaining", "failures", "released_id"),
        *("error_text", "ready_at", "lease"),
        *fields,
    ]
    execution.save(using=settings.DATABASE, update_fields=changed)


def _block(run: Execution, path: str) -> Any:
    """The block that forked at a path; None where the code has it no longer."""
    try:
        nodes = registry.get(run.workflow_name, run.version).definition.nodes
    except WorkflowNotFound:
        return None
    block = nodes.get(node_name(path))
    return block if block is not None and block.kind in FORKS else None
