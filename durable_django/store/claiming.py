"""Claim: ready runs become a worker's, each under a new lease number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from django.db.models import Case, F, Q, Value, When

from ..conf import settings
from ..engine.machine import Recorded
from ..engine.paths import fork_of
from ..models import Execution, ExecutionStatus
from ..models.history import recorded_since
from ..models.status import READY
from . import clock, wakeup
from .hot import claim_ready, has_ready
from .inheriting import Inherited, inherited_by
from .transactions import has_row_locks, repeating, worker_transaction
from .waits import Recorded as RecordedWait
from .waits import recorded_waits

NO_WAITS: Mapping[str, Sequence[RecordedWait]] = MappingProxyType({})
READY_NOW = Q(status__in=READY, worker__isnull=True, wake_at__isnull=True)


class Claimed(NamedTuple):
    """A run or strand as its claim found it; ``recorded`` are the step runs after its snapshot,
    ``inherited`` what a strand has from its parent, ``waits`` what is recorded, by path, of the
    waits of the visit it was parked in."""

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
    status: str = ExecutionStatus.RUNNING
    path: str = ""
    parent_id: UUID | None = None
    error_text: str = ""
    depth: int = 0
    recorded: Sequence[Recorded] = ()
    inherited: Inherited | None = None
    waits: Mapping[str, Sequence[RecordedWait]] = NO_WAITS

    @property
    def run_id(self) -> UUID:
        """The run it belongs to: of a strand the one above it."""
        return self.inherited.run_id if self.inherited is not None else self.id


COLUMNS = Claimed._fields[:-3]


def claim(
    worker_id: UUID, queues: Sequence[str], count: int, *, suspects: bool = True
) -> list[Claimed]:
    """Up to ``count`` ready runs, of the first queue first, then by priority, then by age.

    A worker that runs a suspect already asks for no other (``suspects=False``): it could not start.
    """
    found: list[Claimed] = []
    for queue in queues:
        if len(found) < count:
            wanted = count - len(found)
            found += repeating(lambda q=queue, n=wanted: _claim(worker_id, q, n, suspects))  # type: ignore[misc]
    return with_what_they_need(found)


def with_what_they_need(found: list[Claimed]) -> list[Claimed]:
    """Claimed runs and strands with their history and what they inherit."""
    return _with_waits(_with_inheritance(_with_history(found)))


def _claim(worker_id: UUID, queue: str, count: int, suspects: bool) -> list[Claimed]:
    # On SQLite a plain read first: an idle worker does not take the write lock.
    if not has_row_locks() and not is_ready([queue]):
        return []
    rows = claim_ready(worker_id, queue, count, COLUMNS, suspects=suspects)
    return [Claimed(*row) for row in rows]


def _with_history(found: list[Claimed]) -> list[Claimed]:
    """Reads, in one query, what was recorded after the snapshots; a fresh run has no history."""
    used = {run.id: run.snapshot_seq for run in found if run.lease > 1}
    if not used:
        return found
    recorded = recorded_since(used, settings.DATABASE)
    return [run._replace(recorded=recorded.get(run.id, ())) for run in found]


def _with_inheritance(found: list[Claimed]) -> list[Claimed]:
    strands = [(run.parent_id, run.path) for run in found if run.path and run.parent_id]
    if not strands:
        return found
    inherited = inherited_by(strands)
    return [
        run._replace(inherited=inherited.get((run.parent_id, fork_of(run.path))))
        if run.path and run.parent_id
        else run
        for run in found
    ]


def _with_waits(found: list[Claimed]) -> list[Claimed]:
    """Reads, in one query, what those that were parked have waited for."""
    parked = {
        run.id: (run.run_id, run.recorded[-1].path)
        for run in found
        if run.recorded and run.recorded[-1].status == "waiting"
    }
    if not parked:
        return found
    recorded = recorded_waits(parked.values())
    return [
        run._replace(waits={parked[run.id][1]: recorded.get(parked[run.id], [])})
        if run.id in parked
        else run
        for run in found
    ]


def is_ready(queues: Sequence[str]) -> bool:
    """Whether any of the queues has a ready run: one cheap statement, for an idle worker."""
    return bool(queues) and has_ready(queues)


def postpone(worker_id: UUID, pk: UUID, lease: int, seconds: float) -> None:
    """Puts a claimed run back for ``seconds``, as it was: this process does not have its code."""
    wake_at = clock.now() + timedelta(seconds=seconds)
    earlier = When(timeout_at__lt=wake_at, then=F("timeout_at"))
    with worker_transaction(worker_id):
        held = Execution.objects.using(settings.DATABASE).filter(
            pk=pk, lease=lease, worker_id=worker_id
        )
        held.update(
            status=let_go(ExecutionStatus.SLEEPING),
            worker_id=None,
            wake_at=wake_at,
            due_at=Case(
                When(status=ExecutionStatus.COMPENSATING, then=Value(wake_at)),
                earlier,
                default=Value(wake_at),
            ),
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
        held = rows.filter(id__any=list(leases), worker_id=worker_id)
        if has_row_locks():
            held = held.select_for_update(no_key=True, skip_locked=True)
        found = held.values_list("id", "lease", "queue")
        mine = {pk: queue for pk, lease, queue in found if leases[pk] == lease}
        for queue in sorted(set(mine.values())):
            wakeup.notify(queue)
        return rows.filter(id__any=list(mine)).update(
            status=let_go(ExecutionStatus.PENDING), worker_id=None, lease=F("lease") + 1
        )


def let_go(status: str) -> Case:
    """What the status of a held execution becomes when its worker lets it go: ``status``, but a
    rollback stays one."""
    return Case(
        When(status=ExecutionStatus.COMPENSATING, then=Value(ExecutionStatus.COMPENSATING)),
        default=Value(status),
    )
