"""Leases: workers register, beat and stop; the runs of a dead one are taken back.

A run's lease is its worker's heartbeat. Declaring a worker dead is final: its row says so, it finds
out at its next beat, and its runs go to others under a new lease number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import F

from ..conf import settings
from ..models import Execution, ExecutionStatus, Worker, WorkerStatus
from . import clock, wakeup
from .claiming import let_go
from .transactions import has_row_locks, repeating, worker_transaction

TAKE_BACK_BATCH = 500


def register(
    *,
    hostname: str,
    pid: int,
    pid_space: str,
    queues: Sequence[str],
    threads: int,
    executor: str,
    package_version: str,
    workflows: Sequence[str] = (),
    cluster: str = "",
) -> UUID:
    """Writes the row of a new worker; its id. ``workflows`` is the code it has, as ``"shop.order
    v1"``."""
    now = clock.now()
    worker = Worker(
        hostname=hostname,
        pid=pid,
        pid_space=pid_space,
        queues=list(queues),
        workflows=list(workflows),
        threads=threads,
        executor=executor,
        cluster=cluster,
        package_version=package_version,
        status=WorkerStatus.ALIVE,
        started_at=now,
        heartbeat_at=now,
    )
    worker.save(using=settings.DATABASE, force_insert=True)
    return worker.pk


def beat(worker_id: UUID) -> bool:
    """Renews the lease of everything the worker holds; False if it was declared dead."""
    rows = Worker.objects.using(settings.DATABASE)
    alive = rows.filter(pk=worker_id, status=WorkerStatus.ALIVE)
    return alive.update(heartbeat_at=clock.now()) == 1


def stop(worker_id: UUID) -> None:
    """The worker ended of its own will, having handed back what it held."""
    rows = Worker.objects.using(settings.DATABASE)
    now = clock.now()
    rows.filter(pk=worker_id, status=WorkerStatus.ALIVE).update(
        status=WorkerStatus.STOPPED, stopped_at=now
    )


def alive_beside(worker_id: UUID, pid_space: str) -> list[tuple[UUID, int]]:
    """(id, pid) of other workers that count as alive in the same process space; none where that is
    unknown (""), since a pid means nothing then."""
    if not pid_space:
        return []
    rows = Worker.objects.using(settings.DATABASE)
    beside = rows.filter(status=WorkerStatus.ALIVE, pid_space=pid_space).exclude(pk=worker_id)
    return list(beside.values_list("id", "pid"))


def overdue() -> list[UUID]:
    """Workers whose last heartbeat is older than ``LEASE_SECONDS``, by database time."""
    limit = clock.now() - timedelta(seconds=settings.LEASE_SECONDS)
    rows = Worker.objects.using(settings.DATABASE)
    late = rows.filter(status=WorkerStatus.ALIVE, heartbeat_at__lt=limit)
    return list(late.values_list("id", flat=True))


def declare_dead(worker_id: UUID, *, overdue_only: bool = True) -> bool:
    """The verdict on a worker; False if it has beaten or ended meanwhile.

    ``overdue_only=False`` is for who knows that its process is gone.
    """
    rows = Worker.objects.using(settings.DATABASE)
    alive = rows.filter(pk=worker_id, status=WorkerStatus.ALIVE)
    now = clock.now()
    if overdue_only:
        limit = now - timedelta(seconds=settings.LEASE_SECONDS)
        alive = alive.filter(heartbeat_at__lt=limit)
    return alive.update(status=WorkerStatus.DEAD, stopped_at=now) == 1


def take_back(worker_id: UUID) -> int:
    """Makes runs held by workers that are not alive ready again, as suspects; how many.

    ``worker_id`` is the worker that does it. It also finds what a worker claimed while it was
    being declared dead.
    """
    taken = 0
    while True:
        batch = repeating(lambda: _take_back_batch(worker_id))
        taken += batch
        if batch < TAKE_BACK_BATCH:
            return taken


def _take_back_batch(worker_id: UUID) -> int:
    gone = Worker.objects.using(settings.DATABASE).exclude(status=WorkerStatus.ALIVE)
    rows = Execution.objects.using(settings.DATABASE)
    held = rows.filter(worker_id__in=gone.values("id"))
    if not held.exists():
        return 0
    with worker_transaction(worker_id):
        if has_row_locks():
            held = held.select_for_update(no_key=True, skip_locked=True, of=("self",))
        held = held.order_by("root_id", "depth", "id")
        found = list(held.values_list("id", "queue")[:TAKE_BACK_BATCH])
        rows.filter(id__any=[pk for pk, _ in found]).update(
            status=let_go(ExecutionStatus.PENDING),
            worker_id=None,
            lease=F("lease") + 1,
            suspect=True,
        )
        for queue in sorted({queue for _, queue in found}):
            wakeup.notify(queue)
    return len(found)


def held_by(worker_id: UUID) -> dict[UUID, int]:
    """The runs the database says this worker holds, with their leases."""
    rows = Execution.objects.using(settings.DATABASE)
    mine = rows.filter(worker_id=worker_id)
    return dict(mine.values_list("id", "lease"))
