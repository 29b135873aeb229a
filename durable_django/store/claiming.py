"""Claim: ready runs become a worker's, each under a new lease number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Case, F, Value, When

from ..conf import settings
from ..engine.machine import Recorded
from ..models import Execution, ExecutionStatus
from ..models.history import recorded_since
from . import clock, wakeup
from .hot import claim_ready
from .transactions import has_row_locks, repeating, worker_transaction


class Claimed(NamedTuple):
    """A run as its claim found it; ``recorded`` are the step runs after its snapshot."""

    id: UUID
    lease: int
    workflow_name: str
    version: int
    queue: str
    input_text: str
    snapshot: str
    snapshot_seq: int
    suspect: bool
    recoveries: int
    recovery_seq: int
    recorded: Sequence[Recorded] = ()


def claim(
    worker_id: UUID, queues: Sequence[str], count: int, *, suspects: bool = True
) -> list[Claimed]:
    """Up to ``count`` ready runs, of the first queue first, then by priority, then by age.

    A worker that runs a suspect already claims no other (``suspects=False``).
    """
    found: list[Claimed] = []
    for queue in queues:
        if len(found) < count:
            wanted = count - len(found)
            found += repeating(lambda q=queue, n=wanted: _claim(worker_id, q, n, suspects))  # type: ignore[misc]
    return _with_history(found)


def _claim(worker_id: UUID, queue: str, count: int, suspects: bool) -> list[Claimed]:
    # On SQLite a plain read first: an idle worker does not take the write lock.
    if not has_row_locks() and not is_ready([queue]):
        return []
    columns = Claimed._fields[:-1]
    rows = claim_ready(worker_id, queue, count, columns, suspects=suspects)
    return [Claimed(*row) for row in rows]


def _with_history(found: list[Claimed]) -> list[Claimed]:
    """Reads, in one query, what was recorded after the snapshots; a fresh run has no history."""
    used = {run.id: run.snapshot_seq for run in found if run.lease > 1}
    if not used:
        return found
    recorded = recorded_since(used, settings.DATABASE)
    return [run._replace(recorded=recorded.get(run.id, ())) for run in found]


def is_ready(queues: Sequence[str]) -> bool:
    """Whether any of the queues has a ready run: one cheap statement, for an idle worker."""
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(status=ExecutionStatus.PENDING, queue__in=queues).exists()


def postpone(worker_id: UUID, pk: UUID, lease: int, seconds: float) -> None:
    """Puts a claimed run back for ``seconds``, as it was: this process does not have its code."""
    wake_at = clock.now() + timedelta(seconds=seconds)
    earlier = When(timeout_at__lt=wake_at, then=F("timeout_at"))
    with worker_transaction(worker_id):
        held = Execution.objects.using(settings.DATABASE).filter(
            pk=pk, lease=lease, status=ExecutionStatus.RUNNING
        )
        held.update(
            status=ExecutionStatus.SLEEPING,
            worker_id=None,
            wake_at=wake_at,
            due_at=Case(earlier, default=Value(wake_at)),
        )


def release(worker_id: UUID, leases: dict[UUID, int]) -> int:
    """Hands runs back that this worker has not started: ready again under a new lease number.
    Those whose lease was lost meanwhile are left alone."""
    if not leases:
        return 0
    return repeating(lambda: _release(worker_id, leases))


def _release(worker_id: UUID, leases: dict[UUID, int]) -> int:
    with worker_transaction(worker_id):
        rows = Execution.objects.using(settings.DATABASE)
        held = rows.filter(
            id__any=list(leases), status=ExecutionStatus.RUNNING, worker_id=worker_id
        )
        if has_row_locks():
            held = held.select_for_update(no_key=True, skip_locked=True)
        found = held.values_list("id", "lease", "queue")
        mine = {pk: queue for pk, lease, queue in found if leases[pk] == lease}
        for queue in sorted(set(mine.values())):
            wakeup.notify(queue)
        return rows.filter(id__any=list(mine)).update(
            status=ExecutionStatus.PENDING, worker_id=None, lease=F("lease") + 1
        )
