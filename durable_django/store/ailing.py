"""Ailing: which executions are as no transition leaves them, and would stay so for ever.

Each ailment is told by one statement, so that it sees one moment: what workers do beside it cannot
look like a sickness. Nothing here writes; ``mending`` asks again under the lock of each row. None
looks at more than so many rows, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from ..conf import settings
from ..models import Execution, ExecutionStatus, Wait, Worker, WorkerStatus
from ..models.execution import ExecutionKind
from ..models.rare import rare_only
from . import clock
from .hot import IS_READY
from .waking import PARKED

Status = ExecutionStatus
Ailment = Callable[[Sequence[UUID]], list[UUID]]

# Of each status the oldest and the newest so many are looked at.
WINDOW: Final = 2_500
CHUNK: Final = 1_000
# Counting the members of a fork reads them; of larger ones it is only asked whether any is left.
COUNTED_MEMBERS_MAX: Final = 1_000
# What is due is woken within a poll interval; after a minute nobody does.
OVERDUE_AFTER: Final = timedelta(minutes=1)


def rows() -> QuerySet[Execution]:
    """All executions, in no order."""
    return Execution.objects.using(settings.DATABASE).order_by()


def in_window(*statuses: str) -> list[UUID]:
    """Runs in these statuses: the oldest and the newest of each."""
    found: dict[UUID, None] = {}
    for status in statuses:
        ids = rare_only(rows()).filter(status=status).values_list("id", flat=True)
        found.update(dict.fromkeys(ids.order_by("status", "id")[:WINDOW]))
        found.update(dict.fromkeys(ids.order_by("-status", "-id")[:WINDOW]))
    return list(found)


def members_of(ids: Sequence[UUID]) -> list[UUID]:
    """Strands of these that wait for something themselves, and are not held back."""
    found: list[UUID] = []
    for chunk in chunked(ids):
        strands = rows().filter(
            parent__id__any=chunk,
            kind=ExecutionKind.STRAND,
            finished_at__isnull=True,
            worker__isnull=True,
            held_back=False,
            status__in=(Status.WAITING, Status.SLEEPING),
        )
        found += strands.values_list("id", flat=True)[: WINDOW - len(found)]
        if len(found) >= WINDOW:
            break
    return found


def parked() -> list[UUID]:
    """Runs and strands that wait, whose ailments are told below."""
    waiting = in_window(Status.WAITING)
    return [*waiting, *members_of(waiting)]


def chunked(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    """So many at a time that a statement takes them."""
    for begin in range(0, len(ids), CHUNK):
        yield list(ids[begin : begin + CHUNK])


def among(ids: Sequence[UUID], ailment: Ailment) -> list[UUID]:
    """Those of these executions that have an ailment."""
    return [pk for chunk in chunked(ids) for pk in ailment(chunk)]


def _open_waits() -> QuerySet[Wait]:
    waits = Wait.objects.using(settings.DATABASE).order_by()
    return waits.filter(member_id=OuterRef("pk"), resolved_at__isnull=True)


def _live_strands() -> QuerySet[Execution]:
    return rows().filter(
        parent_id=OuterRef("pk"), kind=ExecutionKind.STRAND, finished_at__isnull=True
    )


def await_nothing(ids: Sequence[UUID]) -> list[UUID]:
    """They wait, and there is nothing left that they wait for: no wait is open, no member lives,
    and no time will come. Whatever ended last has not made them ready."""
    still = rows().filter(
        id__any=list(ids),
        status=Status.WAITING,
        worker__isnull=True,
        wake_at__isnull=True,
        held_back=False,
    )
    return _ids(still.filter(~Exists(_open_waits()), ~Exists(_live_strands())))


def miscounted(ids: Sequence[UUID]) -> list[UUID]:
    """Some of their members live, but another number than they count: they would go on too early,
    or never."""
    counted = _live_strands().values("parent_id").annotate(number=Count("id")).values("number")[:1]
    still = rows().filter(
        id__any=list(ids),
        status=Status.WAITING,
        worker__isnull=True,
        remaining__lte=COUNTED_MEMBERS_MAX,
    )
    living = still.annotate(living=Subquery(counted)).filter(living__gt=0)
    return _ids(living.exclude(living=F("remaining")))


def held_back_by_nobody(ids: Sequence[UUID]) -> list[UUID]:
    """All their members that live are held back: none is left whose end lets the next begin."""
    still = rows().filter(id__any=list(ids), status=Status.WAITING, remaining__gt=0)
    begun = Exists(_live_strands().filter(held_back=False))
    return _ids(still.filter(~begun, Exists(_live_strands())))


def wrongly_due(ids: Sequence[UUID]) -> list[UUID]:
    """Their time to go on, or to end, is not what they are looked for by: it would pass unseen."""
    wakes = Q(wake_at__isnull=False) & (Q(due_at__isnull=True) | Q(due_at__gt=F("wake_at")))
    ends = Q(timeout_at__isnull=False) & (Q(due_at__isnull=True) | Q(due_at__gt=F("timeout_at")))
    asleep = Q(status__in=(Status.SLEEPING, Status.WAITING))
    sick = (
        asleep & (wakes | ends)
        | Q(status=Status.SLEEPING, wake_at__isnull=True)
        | Q(status=Status.PAUSED) & ends
        | Q(status=Status.COMPENSATING) & wakes
    )
    free = rows().filter(id__any=list(ids), worker__isnull=True)
    return _ids(free.filter(sick))


def due_for_nothing(ids: Sequence[UUID]) -> list[UUID]:
    """They are due, and there is nothing to be done about them: workers look at them each time."""
    now = clock.now()
    late = rows().filter(id__any=list(ids), due_at__lt=now - OVERDUE_AFTER)
    # In a CASE, where what is not known for a NULL is not so.
    wakes = Case(
        When(status=Status.SCHEDULED, then=True),
        When(status=Status.COMPENSATING, then=Q(wake_at__isnull=False)),
        When(wake_at__lte=now, status__in=PARKED, then=True),
        When(timeout_at__lte=now, then=True),
        default=False,
        output_field=BooleanField(),
    )
    return _ids(late.annotate(wakes=wakes).filter(wakes=False))


def overdue(after: timedelta = OVERDUE_AFTER) -> list[UUID]:
    """What should have been woken, or ended, that long ago, the longest first."""
    late = rows().filter(due_at__lt=clock.now() - after)
    return list(late.order_by("due_at").values_list("id", flat=True)[:CHUNK])


def held() -> list[UUID]:
    """What workers hold: no more than there are threads, and a few."""
    return list(rows().filter(worker__isnull=False).values_list("id", flat=True)[: 2 * WINDOW])


def held_by_nobody(ids: Sequence[UUID]) -> list[UUID]:
    """They are held by a worker that is gone for longer than a lease, or of which there is no row:
    what the living look for are rows of the dead."""
    since = clock.now() - timedelta(seconds=settings.LEASE_SECONDS)
    workers = Worker.objects.using(settings.DATABASE).filter(pk=OuterRef("worker_id"))
    late = Coalesce("stopped_at", "heartbeat_at")
    present = workers.annotate(late=late).filter(Q(status=WorkerStatus.ALIVE) | Q(late__gt=since))
    return _ids(rows().filter(id__any=list(ids), worker__isnull=False).filter(~Exists(present)))


def at_work() -> list[UUID]:
    """Some of what is ready, held or due next: where a strand would be that outlived its parent."""
    ready = rows().filter(RawSQL(IS_READY, (), output_field=BooleanField()))
    by_index = ready.order_by("queue", F("priority").desc(), "ready_at", "id")
    due = rows().filter(due_at__isnull=False).order_by("due_at")
    found = [
        *held(),
        *by_index.values_list("id", flat=True)[:CHUNK],
        *due.values_list("id", flat=True)[:CHUNK],
    ]
    return list(dict.fromkeys(found))


def orphaned(ids: Sequence[UUID]) -> list[UUID]:
    """Strands whose parent has ended, or is gone: nobody joins them, and their work is for
    nothing."""
    alive = rows().filter(pk=OuterRef("parent_id"), finished_at__isnull=True)
    strands = rows().filter(id__any=list(ids), kind=ExecutionKind.STRAND, finished_at__isnull=True)
    return _ids(strands.filter(~Exists(alive)))


def _ids(found: QuerySet[Execution]) -> list[UUID]:
    return list(found.values_list("id", flat=True))
