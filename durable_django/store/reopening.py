"""Reopening what has ended: a run that is retried, and the members of the fork it failed at.

Completed strands stay; those that failed, and those cancelled by that failure, go on from where
they stood. The caller holds the lock of the execution.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from ..conf import settings
from ..definition import registry
from ..engine import values
from ..engine.machine import Recorded, replay, seq_of_outputs
from ..engine.paths import is_joining, node_name
from ..engine.state import FORKS, RunState, to_snapshot
from ..exceptions import WorkflowNotFound
from ..models import Execution, ExecutionStatus
from ..models.history import base_state, recorded_since
from . import clock, ticking, ticks, timetable, wakeup
from .inheriting import forget
from .joining import strands_of

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
    recorded = recorded_since({run.pk: run.snapshot_seq}, settings.DATABASE).get(run.pk, [])
    _open_tick(run)
    _go_on(run, recorded, now, "finished_at", "result_text", "reason", "timeout_at", "due_at")
    wakeup.notify(run.queue, [run.pk])
    return run


def _open_tick(run: Execution) -> None:
    """A run of a schedule counts again for the overlap of the next tick, and is no failure any
    more. Its tag and its key tell of which tick it is; a run of no schedule costs nothing."""
    name = run.tags.get("schedule") if isinstance(run.tags, dict) else None
    if not isinstance(name, str):
        return
    tick = ticking.tick_of(name, run.idempotency_key or "")
    if tick is None:
        return
    # race: retried-while-settled. Who looks how runs ended holds the schedule's lock, and never
    # waits for a run with it: either he has written that this one failed, or sees that it goes on.
    schedule_id = timetable.lock_named(run.workflow_name, name)
    if schedule_id is not None:
        ticks.reopen(schedule_id, run.pk, tick)


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
    for held_back, those in ((False, ids[:beginning]), (True, ids[beginning:])):
        for begin in range(0, len(those), BATCH):
            _reopen_batch(those[begin : begin + BATCH], held_back)
    released_id = ids[beginning - 1] if beginning < len(ids) else None
    return len(ids), released_id


def _reopen_batch(ids: Sequence[UUID], held_back: bool) -> None:
    """Those that never began, often nearly all, in one statement; the others one by one."""
    now = clock.now()
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(ids))
    begun = list(rows.filter(lease__gt=0))
    rows.filter(lease=0).update(
        status=ExecutionStatus.WAITING if held_back else ExecutionStatus.PENDING,
        held_back=held_back,
        finished_at=None,
        ready_at=now,
        lease=F("lease") + 1,
    )
    recorded = (
        recorded_since({row.pk: row.snapshot_seq for row in begun}, settings.DATABASE)
        if begun
        else {}
    )
    for strand in begun:
        strand.held_back, strand.finished_at = held_back, None
        _go_on(strand, recorded.get(strand.pk, []), now, "finished_at", "held_back")


def members_of(parent_id: UUID, state: RunState) -> QuerySet[Execution]:
    """The strands of the fork at which ``parent`` stands."""
    return strands_of(parent_id, values.decode(state.fork))


def _go_on(execution: Execution, rows: Sequence[Recorded], now: datetime, *fields: str) -> None:
    """An ended execution goes on from the node it stopped at. ``rows`` are the step runs after its
    snapshot; ``fields`` have changed, too."""
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
