"""Ailing waits: what was sent, or ended, and does not reach who waits for it.

As in ``ailing``: one statement tells each ailment, none looks at more than so many rows, and
nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from ..conf import settings
from ..models import Event, EventKind, EventStatus, Execution, Wait, WaitKind
from . import clock

# So many open waits are looked at, of all kinds together.
WINDOW: Final = 5_000
CHUNK: Final = 500
# Who sends something tells the workers. What is as old as this they have passed by.
LATE_AFTER: Final = timedelta(minutes=1)
# The others are over as soon as they are written.
OPEN_KINDS: Final = tuple(
    kind for kind in WaitKind.values if kind not in (WaitKind.START, WaitKind.ONCE)
)


def waits() -> QuerySet[Wait]:
    """All waits, in no order."""
    return Wait.objects.using(settings.DATABASE).order_by()


def in_window(*kinds: str) -> list[int]:
    """Open waits of these kinds."""
    wanted = waits().filter(kind__in=kinds, resolved_at__isnull=True)
    return list(wanted.values_list("id", flat=True)[:WINDOW])


def among(ids: Sequence[int], ailment: Callable[[Sequence[int]], list[int]]) -> list[int]:
    """Those of these waits that have an ailment."""
    return [pk for chunk in _chunked(ids) for pk in ailment(chunk)]


def _chunked(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), CHUNK):
        yield ids[begin : begin + CHUNK]


def _still_open(ids: Sequence[int]) -> QuerySet[Wait]:
    return waits().filter(id__in=list(ids), resolved_at__isnull=True)


def child_untold(ids: Sequence[int]) -> list[int]:
    """What they have called has ended, or is gone, and no word of it is on its way."""
    alive = Execution.objects.using(settings.DATABASE).filter(
        pk=OuterRef("child_id"), finished_at__isnull=True
    )
    told = Event.objects.using(settings.DATABASE).filter(
        execution_id=OuterRef("execution_id"),
        kind=EventKind.CHILD,
        key=OuterRef("key"),
        examined_at__isnull=True,
    )
    calls = _still_open(ids).filter(kind=WaitKind.CALL, child_id__isnull=False)
    return _ids(calls.filter(~Exists(alive), ~Exists(told)))


def event_missed(ids: Sequence[int]) -> list[int]:
    """The event they wait for is kept in their run's inbox."""
    return _ids(_missing(ids))


def events_missed(ids: Sequence[int]) -> list[int]:
    """Of each of these waits the first event that it has missed."""
    found = _missing(ids).annotate(event_id=Subquery(_kept(clock.now()).values("id")[:1]))
    return [pk for pk in found.values_list("event_id", flat=True) if pk is not None]


def _missing(ids: Sequence[int]) -> QuerySet[Wait]:
    now = clock.now()
    late = _still_open(ids).filter(
        Q(due_at__isnull=True) | Q(due_at__gt=now),
        kind__in=(WaitKind.EVENT, WaitKind.CALLBACK),
        answered_at__isnull=True,
        created_at__lt=now - LATE_AFTER,
    )
    return late.filter(Exists(_kept(now)))


def _kept(now: datetime) -> QuerySet[Event]:
    """Of a wait, the events that fit it and that were looked at long ago, the oldest first."""
    return (
        Event.objects.using(settings.DATABASE)
        .filter(
            Q(key=OuterRef("key")) | Q(key="", source_id__isnull=True),
            execution_id=OuterRef("execution_id"),
            kind=OuterRef("kind"),
            name=OuterRef("name"),
            scope="",
            status=EventStatus.KEPT,
            ended_at__isnull=True,
            examined_at__lt=now - LATE_AFTER,
        )
        .order_by("id")
    )


def of_the_ended(ids: Sequence[int]) -> list[int]:
    """Their run, or strand, has ended, or is gone: nobody waits any longer, and people are asked
    all the same."""
    alive = Execution.objects.using(settings.DATABASE).filter(
        pk=OuterRef("member_id"), finished_at__isnull=True
    )
    return _ids(_still_open(ids).filter(~Exists(alive)))


def undelivered_since() -> datetime | None:
    """Since when the oldest event that no worker has looked at is there."""
    new = Event.objects.using(settings.DATABASE).filter(examined_at__isnull=True)
    return new.order_by("id").values_list("created_at", flat=True).first()


def _ids(found: QuerySet[Wait]) -> list[int]:
    return list(found.values_list("id", flat=True))
