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
from ..engine.state import RunState, to_snapshot
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
    members = members_of(parent, state).filter(status__in=ended).order_by("id")
    ids = list(members.values_list("id", flat=True))
    concurrency = _concurrency(parent, state.next_path)
    beginning = len(ids) if concurrency is None else min(concurrency, len(ids))
    for begin in range(0, len(ids), BATCH):
        for strand in members.filter(id__any=ids[begin : begin + BATCH]):
            strand.held_back = strand.pk not in ids[:beginning][begin : begin + BATCH]
            strand.finished_at = None
            _go_on(strand, clock.now(), "finished_at", "held_back")
    released_id = ids[beginning - 1] if beginning < len(ids) else None
    return len(ids), released_id


def members_of(parent: Execution, state: RunState) -> QuerySet[Execution]:
    """The strands of the fork at which ``parent`` stands."""
    results: Results = values.decode(state.fork)
    ids = following(results.first_id, len(results))
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(parent_id=parent.pk, id__gte=ids[0], id__lte=ids[-1])


def _go_on(execution: Execution, now: datetime, *fields: str) -> None:
    """An ended execution goes on from the node it stopped at; ``fields`` have changed, too."""
    recorded = recorded_since({execution.pk: execution.snapshot_seq}, settings.DATABASE)
    rows = recorded.get(execution.pk, [])
    state, _ = replay(base_state(execution.snapshot, execution.path), rows, True)
    state = state._replace(attempt=0, retries=0, fatal=False)
    if state.next_path:  # else it never began
        execution.snapshot = to_snapshot(state, seq_of_outputs(rows, state.base))
        execution.snapshot_seq = state.seq
    remaining, released_id = 0, None
    if is_joining(state.next_path):
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


def _concurrency(run: Execution, path: str) -> int | None:
    try:
        nodes = registry.get(run.workflow_name, run.version).definition.nodes
    except WorkflowNotFound:
        return None
    block: Any = nodes.get(node_name(path))
    return getattr(block, "concurrency", None)
