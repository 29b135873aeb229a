"""Claim: ready runs become a worker's, each under a new lease number."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
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
from .gates import OPEN, Gate, free_places, not_paused, read_gates
from .hot import claim_ready, has_ready
from .inheriting import Inherited, forget_changed, inherited_by
from .transactions import has_row_locks, repeating, worker_transaction
from .waits import Recorded as RecordedWait
from .waits import recorded_waits

# How often, and how long apart, the lock of a limited queue is asked for: others claim under it.
GATE_LOOKS = 10
GATE_SECONDS = 0.002
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
    started_at: datetime | None = None
    trace_context: str = ""
    recorded: Sequence[Recorded] = ()
    inherited: Inherited | None = None
    waits: Mapping[str, Sequence[RecordedWait]] = NO_WAITS

    @property
    def run_id(self) -> UUID:
        """The run it belongs to: of a strand the one above it."""
        return self.inherited.run_id if self.inherited is not None else self.id


COLUMNS = Claimed._fields[:-3]


class Which(NamedTuple):
    """Which of the ready runs; see ``claim``."""

    suspects: bool
    handed_over: bool
    only: tuple[UUID, int] | None


def claim(
    worker_id: UUID,
    queues: Sequence[str],
    count: int,
    *,
    suspects: bool = True,
    gates: Mapping[str, Gate] | None = None,
    handed_over: bool = True,
    only: tuple[UUID, int] | None = None,
) -> list[Claimed]:
    """Up to ``count`` ready runs, of the first queue first, then by priority, then by age; none of
    a paused queue, and of a limited one no more than it has places.

    A worker that runs a suspect already asks for no other (``suspects=False``): it could not start.
    ``gates`` are those it knows; None: they are read. ``handed_over=False``: none that was handed
    to another engine, whose process is on its way; ``only``: no other than that of this id, if its
    lease has this number.
    """
    held_back = read_gates() if gates is None else gates
    which = Which(suspects, handed_over, only)
    found: list[Claimed] = []
    for queue in not_paused(queues, held_back):
        wanted = count - len(found)
        if wanted <= 0:
            break
        if held_back.get(queue, OPEN).limit is not None:
            found += _claim_limited(worker_id, queue, wanted, which)
        else:
            found += repeating(partial(_claim, worker_id, queue, wanted, which))
    return with_what_they_need(found)


def with_what_they_need(found: list[Claimed]) -> list[Claimed]:
    """Claimed runs and strands with their history and what they inherit."""
    return _with_waits(_with_inheritance(_with_history(found)))


def _claim(worker_id: UUID, queue: str, count: int, which: Which) -> list[Claimed]:
    # On SQLite a plain read first: an idle worker does not take the write lock.
    if not has_row_locks() and not is_ready([queue]):
        return []
    rows = claim_ready(worker_id, queue, count, COLUMNS, **which._asdict())
    return [Claimed(*row) for row in rows]


def _claim_limited(worker_id: UUID, queue: str, count: int, which: Which) -> list[Claimed]:
    """As many as the queue has places. Two that claim from it at the same moment do so one after
    the other; an operator who holds its row for longer is not waited for."""
    for _ in range(GATE_LOOKS if is_ready([queue]) else 0):
        found = repeating(partial(_claim_free_places, worker_id, queue, count, which))
        if found is not None:
            return found
        time.sleep(GATE_SECONDS)
    return []


def _claim_free_places(
    worker_id: UUID, queue: str, count: int, which: Which
) -> list[Claimed] | None:
    """None if somebody else has the lock of the queue."""
    with worker_transaction(worker_id):
        places = free_places(queue)
        if not places:
            return None if places is None else []
        return _claim(worker_id, queue, min(count, places), which)


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
    again = {run.parent_id for run in found if run.path and run.parent_id and run.lease > 1}
    if again:
        forget_changed(again)
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
                When(paused_at__isnull=False, then=F("timeout_at")),
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
            wakeup.notify(queue, [pk for pk, name in mine.items() if name == queue])
        return rows.filter(id__any=list(mine)).update(
            status=let_go(ExecutionStatus.PENDING), worker_id=None, lease=F("lease") + 1
        )


def let_go(status: str) -> Case:
    """What the status of an execution becomes that its worker lets go, or that is made ready:
    ``status``, but a rollback stays one, and what is to stop is paused."""
    return Case(
        When(status=ExecutionStatus.COMPENSATING, then=Value(ExecutionStatus.COMPENSATING)),
        When(paused_at__isnull=False, then=Value(ExecutionStatus.PAUSED)),
        default=Value(status),
    )
