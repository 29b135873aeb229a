"""Editing: somebody changes the context of a run that nobody drives.

Runs alone, in its own transaction, under the run's lock. The run stays where and as it is: only its
snapshot is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..engine.context import Change, apply_changes
from ..engine.skipping import stands_at_fork
from ..engine.state import to_snapshot
from ..exceptions import InvalidState, NotSerializable
from ..models import AuditVerb, Execution, ExecutionStatus
from ..models.execution import ExecutionKind
from . import audit
from .inheriting import forget
from .stopped import RETRYABLE, Stopped, lock_run, read_members, read_run
from .transactions import repeating, worker_transaction

WHAT = "change the context of"
EDITABLE = (
    ExecutionStatus.SCHEDULED,
    ExecutionStatus.PENDING,
    ExecutionStatus.SLEEPING,
    ExecutionStatus.WAITING,
    ExecutionStatus.PAUSED,
    *RETRYABLE,
)


def edit_context(
    pk: UUID, texts: Mapping[str, str], remove: Sequence[str], *, by: Any = None, reason: str = ""
) -> Execution:
    """Sets keys of a run's context to these encoded values, and removes others.

    InvalidState for a run that is held, over, undone or has members under way; ValueError for a
    key to be removed that is not there, and for a change that what a member did does not fit.
    """
    return repeating(lambda: _edit(pk, texts, remove, by, reason))


def _edit(
    pk: UUID, texts: Mapping[str, str], remove: Sequence[str], by: Any, reason: str
) -> Execution:
    with worker_transaction(None):
        run = _lock(pk)
        stopped = read_run(run)
        state = stopped.state
        missing = [key for key in remove if key not in state.context]
        if missing:
            raise ValueError(f"cannot remove {', '.join(map(repr, missing))}: not in the context")
        changes = tuple(Change("set", key, text) for key, text in texts.items())
        changes += tuple(Change("delete", key, "null") for key in remove)
        edited = apply_changes(state.context, changes)
        _check_members(stopped._replace(state=state._replace(context=edited)))
        run.snapshot = to_snapshot(state._replace(context=edited), stopped.seq_of)
        run.snapshot_seq = state.seq
        run.save(using=settings.DATABASE, update_fields=["snapshot", "snapshot_seq"])
        forget([pk])
        before = {key: state.context[key] for key in (*texts, *remove) if key in state.context}
        detail = {
            "set": _decoded(texts),
            "removed": list(remove),
            "before": _decoded(before),
            "seq": state.seq,
        }
        audit.record(AuditVerb.EDIT_CONTEXT, execution_id=pk, by=by, reason=reason, detail=detail)
        return run


def _decoded(texts: Mapping[str, str]) -> dict[str, Any]:
    return {key: values.decode(text) for key, text in texts.items()}


def _lock(pk: UUID) -> Execution:
    only = "only the context of one that is parked, or failed, or was cancelled, can be changed"
    run = lock_run(pk, WHAT, EDITABLE, only)
    rows = Execution.objects.using(settings.DATABASE)
    strands = rows.filter(parent_id=pk, kind=ExecutionKind.STRAND)
    if strands.filter(finished_at__isnull=True).exists():
        raise InvalidState(
            f"cannot {WHAT} execution {pk}: members of it have not ended, and they read it",
            status=run.status,
        )
    return run


def _check_members(stopped: Stopped) -> None:
    """Members that failed or were cancelled go on with a retry, on what they did themselves: that
    has to fit what stands below it now."""
    try:
        _read_below(stopped)
    except (TypeError, NotSerializable) as fault:
        raise ValueError(f"what a member of it did does not fit: {fault}") from fault


def _read_below(stopped: Stopped) -> None:
    if stands_at_fork(stopped.state):
        for member in read_members(stopped, None, RETRYABLE):
            _read_below(member)
