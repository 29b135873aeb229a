"""Dispatch: what is ready is handed to another engine, and taken from it again by its lease number.

A row says that its turn was handed over, and when. The engine gets a hint, id and lease, and may
lose, delay, repeat or reorder it: whoever comes with the number the row still has gets the run, all
others nothing. Nothing here talks to an engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, F, Max, Q, QuerySet
from django.db.models.expressions import RawSQL

from ..conf import settings
from ..models import Execution, Worker, WorkerStatus
from . import clock
from .claiming import Claimed, claim
from .gates import Gate
from .hot import IS_READY
from .transactions import has_row_locks, repeating, worker_transaction

# How many are looked at together.
OLDEST_MAX: Final = 1_000
_ORDER: Final = ("-priority", "ready_at", "id")
_NOT_HANDED_OVER: Final = ~Q(dispatched_lease=F("lease"))


class Hint(NamedTuple):
    """That this execution may be advanced, as long as its lease has this number."""

    execution_id: UUID
    lease: int


def hand_over(queue: str, count: int, worker_id: UUID | None = None) -> list[Hint]:
    """Marks up to ``count`` ready runs of a queue as handed over, by priority, then age, but those
    that are already. Others that do it at the same time get others."""
    if count < 1:
        return []
    return repeating(lambda: _hand_over(queue, count, worker_id))


def _hand_over(queue: str, count: int, worker_id: UUID | None) -> list[Hint]:
    with worker_transaction(worker_id):
        rows = _ready().filter(_NOT_HANDED_OVER, queue=queue)
        if has_row_locks():
            rows = rows.select_for_update(no_key=True, skip_locked=True)
        rows = rows.order_by(*_ORDER)
        return _mark([Hint(*row) for row in rows.values_list("id", "lease")[:count]])


def hand_over_these(queue: str, ids: Sequence[UUID], count: int) -> list[Hint] | None:
    """Marks up to ``count`` of these executions of a queue that are ready, by priority, then age;
    for the transaction that made them so. None, and nothing is done, where the turn is others':
    that transaction may last, and is not to hold them."""
    if count < 1:
        return []
    rows = _ready().filter(_NOT_HANDED_OVER, queue=queue).order_by(*_ORDER)
    found = [Hint(*row) for row in rows.values_list("id", "lease")[:count]]
    if {hint.execution_id for hint in found} <= set(ids):
        return _mark(found)
    return None


def _mark(found: list[Hint]) -> list[Hint]:
    if found:
        rows = Execution.objects.using(settings.DATABASE)
        rows.filter(id__any=[hint.execution_id for hint in found]).update(
            dispatched_lease=F("lease"), dispatched_at=clock.now()
        )
    return found


def withdraw(hints: Sequence[Hint]) -> None:
    """Those that the engine did not get, or could not take, are ready to be handed over again."""
    rows = Execution.objects.using(settings.DATABASE)
    for lease, ids in _by_lease(hints):
        _change_free(rows.filter(id__any=ids, dispatched_lease=lease), dispatched_lease=None)


def _change_free(rows: QuerySet[Execution], **changes: object) -> None:
    """All but those that somebody holds in a transaction, perhaps for long: nobody is to wait for
    that, and what stays marked is found again by the sweeper."""
    with transaction.atomic(using=settings.DATABASE):
        if has_row_locks():
            free = rows.select_for_update(no_key=True, skip_locked=True).order_by("id")
            ids = list(free.values_list("id", flat=True))
            rows = Execution.objects.using(settings.DATABASE).filter(id__any=ids)
        rows.update(**changes)


def take(worker_id: UUID, hint: Hint, gates: Mapping[str, Gate]) -> tuple[Claimed | None, str]:
    """The run of a hint becomes the worker's, if nobody else has taken it and its queue allows it:
    (the run or None, its queue or "" if the hint is outdated)."""
    rows = Execution.objects.using(settings.DATABASE)
    queue = rows.filter(pk=hint.execution_id, lease=hint.lease).values_list("queue").first()
    if queue is None:
        return None, ""
    found = claim(worker_id, queue, 1, gates=gates, only=hint)
    if not found:
        # It is paused or ended, or its queue is, or full: another turn gets another hint.
        withdraw([hint])
    return (found[0] if found else None), queue[0]


def untaken(queues: Sequence[str]) -> int:
    """How many runs of the queues are handed over and not taken yet."""
    return _untaken(queues).count()


class Untaken(NamedTuple):
    """A hint that nobody came with so far, and for how many seconds."""

    queue: str
    hint: Hint
    seconds: float


def oldest_untaken(queues: Sequence[str]) -> list[Untaken]:
    """Those that were handed over and not taken yet, the oldest first."""
    now = clock.now()
    rows = _untaken(queues).order_by("dispatched_at")
    found = rows.values_list("queue", "id", "lease", "dispatched_at")[:OLDEST_MAX]
    return [
        Untaken(queue, Hint(pk, lease), (now - at).total_seconds())
        for queue, pk, lease, at in found
        if at is not None
    ]


def seconds_since_taken(queues: Sequence[str]) -> float:
    """How long ago the latest of the hints was sent whose run somebody drives now."""
    rows = Execution.objects.using(settings.DATABASE)
    held = rows.filter(worker__isnull=False, queue__in=list(queues))
    latest = held.aggregate(latest=Max("dispatched_at"))["latest"]
    return float("inf") if latest is None else (clock.now() - latest).total_seconds()


def mark_again(hints: Sequence[Hint]) -> None:
    """Marks them as handed over now, but those that somebody has taken meanwhile."""
    for lease, ids in _by_lease(hints):
        rows = _ready().filter(id__any=ids, lease=lease)
        _change_free(rows, dispatched_lease=F("lease"), dispatched_at=clock.now())


def _by_lease(hints: Sequence[Hint]) -> list[tuple[int, list[UUID]]]:
    """Few numbers, as a rule, so that few statements do for all."""
    found: dict[int, list[UUID]] = {}
    for hint in hints:
        found.setdefault(hint.lease, []).append(hint.execution_id)
    return list(found.items())


def is_any_left(queues: Sequence[str], besides: Sequence[UUID] = ()) -> bool:
    """Whether anything of the queues is ready that was not handed over, besides these: one cheap
    statement."""
    rows = _ready().filter(_NOT_HANDED_OVER, queue__in=list(queues))
    return (rows.exclude(id__any=list(besides)) if besides else rows).exists()


def processes(executor: str, cluster: str) -> tuple[int, int]:
    """Of the live processes of a cluster that run steps: (how many there are, how many of them hold
    nothing now)."""
    rows = Worker.objects.using(settings.DATABASE)
    fresh = clock.now() - timedelta(seconds=settings.LEASE_SECONDS)
    alive = rows.filter(
        status=WorkerStatus.ALIVE, heartbeat_at__gte=fresh, executor=executor, cluster=cluster
    ).exclude(threads=0)
    ids = list(alive.values_list("id", flat=True))
    held = Execution.objects.using(settings.DATABASE).filter(worker_id__in=ids)
    return len(ids), len(ids) - len(set(held.values_list("worker_id", flat=True)))


def is_any_under_way(queues: Sequence[str], paused: Collection[str] = ()) -> bool:
    """Whether any execution of the queues is held by a process, or ready, but for what is ready in
    those that are paused."""
    # race: ready-and-held. In one statement: what is held at one moment has made others ready at
    # the next, and what was ready is held.
    held = Execution.objects.using(settings.DATABASE).filter(
        worker__isnull=False, queue__in=list(queues)
    )
    ready = _ready().filter(queue__in=[queue for queue in queues if queue not in paused])
    return held.order_by().values("pk").union(ready.order_by().values("pk"), all=True).exists()


def _ready() -> QuerySet[Execution]:
    # As a literal: with parameters SQLite uses no partial index.
    return Execution.objects.using(settings.DATABASE).filter(
        RawSQL(IS_READY, (), output_field=BooleanField())
    )


def _untaken(queues: Sequence[str]) -> QuerySet[Execution]:
    return _ready().filter(queue__in=list(queues), dispatched_lease=F("lease"))


def taken_by_nobody(
    queues: Sequence[str], ready: timedelta, handed_over: timedelta
) -> list[Untaken]:
    """Those handed over and not taken that have been ready for so long, and were handed over for
    the last time so long ago; the oldest first, with the seconds they have been ready."""
    now = clock.now()
    rows = _untaken(queues).filter(ready_at__lt=now - ready, dispatched_at__lt=now - handed_over)
    found = rows.order_by("ready_at").values_list("queue", "id", "lease", "ready_at")[:OLDEST_MAX]
    return [
        Untaken(queue, Hint(pk, lease), (now - at).total_seconds())
        for queue, pk, lease, at in found
        if at is not None
    ]
