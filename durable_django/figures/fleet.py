"""The fleet: queues and the workers that serve them, what waits and what is in hand.

Four statements, none of which reads more than what is ready (up to a limit) or held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connections
from django.db.models import Count

from ..conf import settings
from ..models import Execution, Queue, Worker, WorkerStatus
from ..store import clock
from ..store.hot import IS_READY
from .counts import COUNTED_MAX, NONE, Capped

WORKERS_MAX: Final = 1_000
QUEUES_MAX: Final = 200


@dataclass(frozen=True)
class QueueFigures:
    """``waiting`` is ready and not claimed, members of runs included; ``oldest_at``: since when the
    oldest of it is (of the first ``COUNTED_MAX`` to be claimed). ``running`` is held by workers;
    ``workers`` and ``threads`` are alive and run its steps. ``has_row``: a worker has served it, or
    somebody decided about it."""

    name: str
    waiting: Capped = NONE
    oldest_at: datetime | None = None
    running: int = 0
    limit: int | None = None
    paused_at: datetime | None = None
    workers: int = 0
    threads: int = 0
    has_row: bool = False

    @property
    def is_unserved(self) -> bool:
        """Whether something waits in it that no worker will ever take."""
        return self.waiting.number > 0 and self.workers == 0


@dataclass(frozen=True)
class WorkerFigures:
    """A worker that is alive. ``held`` is what it has claimed: what its threads run, what its event
    loop runs beside them, and a few that come next. ``workflows`` is the code it has, as
    "name v1". ``cluster`` is that of another engine it belongs to, "" for a ``durable_worker``."""

    id: UUID
    name: str
    queues: tuple[str, ...]
    threads: int
    held: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    is_overdue: bool
    workflows: tuple[str, ...] = ()
    executor: str = "threads"
    cluster: str = ""

    @property
    def runs_steps(self) -> bool:
        """Whether it does: a sweeper only hands runs to the processes of clusters."""
        return self.threads > 0

    @property
    def keeps(self) -> bool:
        """Whether it wakes what is due, fires schedules and takes back what dead ones held: each
        ``durable_worker`` does, a process of a cluster does not."""
        return not self.cluster


@dataclass(frozen=True)
class Fleet:
    """Queues by name; workers that are alive, the newest first."""

    queues: tuple[QueueFigures, ...]
    workers: tuple[WorkerFigures, ...]

    @property
    def alive(self) -> int:
        """Workers that have beaten in time."""
        return sum(not worker.is_overdue for worker in self.workers)

    @property
    def is_kept(self) -> bool:
        """Whether one of them wakes what is due. Processes of clusters do not."""
        return any(worker.keeps and not worker.is_overdue for worker in self.workers)

    def processes_of(self, executor: str, cluster: str) -> list[WorkerFigures]:
        """The processes of a cluster that are alive."""
        alive = [worker for worker in self.workers if worker.runs_steps and not worker.is_overdue]
        wanted = (executor, cluster)
        return [worker for worker in alive if (worker.executor, worker.cluster) == wanted]

    def lacks(self, code: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of these workflows and versions that no worker has which is alive; none where one
        does not say what it has, or none is alive."""
        known: set[str] = set()
        for worker in self.workers:
            if worker.is_overdue or not worker.runs_steps:
                continue
            if not worker.workflows:
                return []
            known.update(worker.workflows)
        return [each for each in code if f"{each[0]} v{each[1]}" not in known] if known else []


class Held(NamedTuple):
    """How many executions of a queue a worker holds."""

    worker_id: UUID
    queue: str
    number: int


def fleet(now: datetime | None = None, names: Iterable[str] = ()) -> Fleet:
    """All queues that have a row, are served, or in which something waits, and those of ``names``;
    and all workers that are alive."""
    now = now or clock.now()
    held = held_now()
    workers = tuple(_workers(now, held))
    return Fleet(tuple(_queues(workers, held, names)), workers)


def held_now() -> list[Held]:
    """What workers hold, by worker and queue: no more rows than these, whatever waits."""
    rows = Execution.objects.using(settings.DATABASE).filter(worker__isnull=False).order_by()
    grouped = rows.values_list("worker_id", "queue").annotate(n=Count("id"))
    return [Held(*row) for row in grouped]


def silence_max() -> timedelta:
    """How long a worker may be silent before others may take over what it holds."""
    return timedelta(seconds=settings.LEASE_SECONDS)


def _workers(now: datetime, held: Iterable[Held]) -> Iterable[WorkerFigures]:
    holding: defaultdict[UUID, int] = defaultdict(int)
    for row in held:
        holding[row.worker_id] += row.number
    alive = Worker.objects.using(settings.DATABASE).filter(status=WorkerStatus.ALIVE)
    for worker in alive.order_by("-id")[:WORKERS_MAX]:
        yield WorkerFigures(
            worker.pk,
            str(worker),
            tuple(worker.queues),
            worker.threads,
            holding[worker.pk],
            worker.package_version,
            worker.started_at,
            worker.heartbeat_at,
            now - worker.heartbeat_at > silence_max(),
            tuple(worker.workflows),
            worker.executor,
            worker.cluster,
        )


def _queues(
    workers: Iterable[WorkerFigures], held: Iterable[Held], names: Iterable[str]
) -> Iterable[QueueFigures]:
    waiting = ready_by_queue()
    running: defaultdict[str, int] = defaultdict(int)
    for taken in held:
        running[taken.queue] += taken.number
    serving: defaultdict[str, list[WorkerFigures]] = defaultdict(list)
    for worker in workers:
        for queue in () if worker.is_overdue else worker.queues:
            serving[queue].append(worker)
    rows = {row.pk: row for row in Queue.objects.using(settings.DATABASE)[:QUEUES_MAX]}
    for name in sorted({*rows, *waiting, *running, *serving, *names}):
        row = rows.get(name)
        depth, oldest_at = waiting.get(name, (NONE, None))
        yield QueueFigures(
            name,
            depth,
            oldest_at,
            running[name],
            row.concurrency_limit if row else None,
            row.paused_at if row else None,
            sum(worker.runs_steps for worker in serving[name]),
            sum(worker.threads for worker in serving[name]),
            row is not None,
        )


# The names by stepping from one to the next through the index of what is ready, which begins with
# the queue; then the first so many of each. The ORM has neither.
_READY = f"""
WITH RECURSIVE named(queue) AS (
    SELECT min(queue) FROM "{Execution._meta.db_table}" WHERE {IS_READY}
    UNION ALL
    SELECT (
        SELECT min(e.queue) FROM "{Execution._meta.db_table}" AS e
        WHERE {IS_READY} AND e.queue > named.queue
    ) FROM named WHERE named.queue IS NOT NULL
)
SELECT named.queue, found.number, found.oldest_at FROM (
    SELECT queue FROM named WHERE queue IS NOT NULL LIMIT {QUEUES_MAX}
) AS named, LATERAL (
    SELECT count(*) AS number, min(ready_at) AS oldest_at FROM (
        SELECT e.ready_at FROM "{Execution._meta.db_table}" AS e
        WHERE {IS_READY} AND e.queue = named.queue
        ORDER BY e.priority DESC, e.ready_at, e.id LIMIT {COUNTED_MAX + 1}
    ) AS waiting
) AS found
"""
# SQLite knows no LATERAL; it may look twice.
_FIRST = f"""
    SELECT e.ready_at FROM "{Execution._meta.db_table}" AS e
    WHERE {IS_READY} AND e.queue = named.queue
    ORDER BY e.priority DESC, e.ready_at, e.id LIMIT {COUNTED_MAX + 1}
"""
_READY_WITHOUT_LATERAL = f"""
{_READY.partition("SELECT named.queue, found")[0]}
SELECT queue, (SELECT count(*) FROM ({_FIRST})), (SELECT min(ready_at) FROM ({_FIRST}))
FROM named WHERE queue IS NOT NULL LIMIT {QUEUES_MAX}
"""


def ready_by_queue() -> dict[str, tuple[Capped, datetime | None]]:
    """What is ready and not claimed in each queue in which there is any: how much, since when."""
    connection = connections[settings.DATABASE]
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(_READY if is_postgresql else _READY_WITHOUT_LATERAL)
        rows = cursor.fetchall()
    return {
        queue: (Capped(min(number, COUNTED_MAX), number > COUNTED_MAX), _moment(oldest_at))
        for queue, number, oldest_at in rows
    }


def _moment(value: Any) -> datetime | None:
    """A driver that knows no times gives text."""
    found: datetime | None = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
