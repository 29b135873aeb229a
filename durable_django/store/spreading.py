"""Spreading: what was published is copied into the inboxes of the runs that wait for it.

The copies are then delivered like any other event. A run gets one copy at the most, however often
a worker dies in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from ..conf import settings
from ..models import Event, EventStatus, Wait
from . import advisory, clock
from .inbox import copy_of, insert_copies
from .transactions import has_row_locks, repeating, worker_transaction

COPIES = 500
# Published events that are spread in one round.
SPREAD = 50


class Delivered(NamedTuple):
    """``woken``: how many executions are ready now; ``is_more``: something is left to do at once;
    ``is_locked``: something is locked at this moment, and is to be tried again soon."""

    woken: int = 0
    is_more: bool = False
    is_locked: bool = False


def new_events() -> QuerySet[Event]:
    """What nobody has looked at yet."""
    return Event.objects.using(settings.DATABASE).filter(examined_at__isnull=True)


def spread_next(worker_id: UUID) -> Delivered:
    """Copies the oldest new published events, one of each name and key, into the inboxes of the
    runs that wait for them. Their copies are then delivered like any other event."""
    rows = new_events().filter(execution__isnull=True).order_by("id")[:SPREAD]
    events = {(event.name, event.key): event for event in reversed(rows)}
    if not events:
        return Delivered()
    # race: publish-and-park. Who parked before these events were committed and did not see them
    # has committed, too, when these locks are ours; who parks later looks, and sees them.
    with worker_transaction(worker_id):
        advisory.wait_for_sharers(advisory.published(*named) for named in events)
    for event in sorted(events.values(), key=lambda event: event.pk):
        after: int | None = 0
        while after is not None:
            batch = repeating(lambda e=event, n=after: _copy_batch(worker_id, e, n))  # type: ignore[misc]
            if batch is None:
                # Younger ones wait, too: who waits for any of several is to get the older.
                return Delivered(is_locked=True)
            after = batch.after
    return Delivered(is_more=True)


class _Copied(NamedTuple):
    """``after``: the last wait that copies were made for, None at the end."""

    after: int | None


def _copy_batch(worker_id: UUID, event: Event, after: int) -> _Copied | None:
    """Copies for the next waits after one. None: another worker is at it."""
    with worker_transaction(worker_id):
        rows = Event.objects.using(settings.DATABASE).filter(pk=event.pk)
        if has_row_locks():
            rows = rows.select_for_update(no_key=True, skip_locked=True)
        locked = rows.first()
        if locked is None or locked.examined_at is not None:
            return None if locked is None else _Copied(None)
        waits = waiting_for(event, after)
        copies = {
            wait.execution_id: copy_of(event, wait.execution_id, EventStatus.NEW, None)
            for wait in waits
            if wants(wait, event)
        }
        insert_copies(copies.values())
        if len(waits) == COPIES:
            return _Copied(waits[-1].pk)
        _end_spreading(event, clock.now())
    return _Copied(None)


def waiting_for(event: Event, after: int) -> list[Wait]:
    """The next open waits after one that a published event may be for: those that wait for one of
    several may want others."""
    rows = Wait.objects.using(settings.DATABASE).filter(
        Q(kind="event", name=event.name) | Q(kind__in=("any", "all"), name=""),
        key=event.key,
        resolved_at__isnull=True,
        id__gt=after,
    )
    return list(rows.order_by("id")[:COPIES])


def runs_waiting(event: Event) -> Iterator[UUID]:
    """The runs that wait at this moment for a published event, each once; only read."""
    seen: set[UUID] = set()
    waits = waiting_for(event, 0)
    while waits:
        for wait in waits:
            if wait.execution_id not in seen and wants(wait, event):
                seen.add(wait.execution_id)
                yield wait.execution_id
        waits = waiting_for(event, waits[-1].pk)


def wants(wait: Wait, event: Event) -> bool:
    """Whether what is published under this name is for a wait that :func:`waiting_for` found."""
    return wait.kind == "event" or event.name in wait.names


def _end_spreading(event: Event, now: datetime) -> None:
    keeps = event.expires_at is not None and event.expires_at > now
    status = EventStatus.KEPT if keeps else EventStatus.DELIVERED
    Event.objects.using(settings.DATABASE).filter(pk=event.pk).update(
        status=status, examined_at=now, ended_at=None if keeps else now
    )


def expire(worker_id: UUID) -> int:
    """Published events that were kept long enough are kept no longer."""
    now = clock.now()
    rows = Event.objects.using(settings.DATABASE).filter(
        execution__isnull=True,
        ended_at__isnull=True,
        examined_at__isnull=False,
        expires_at__lte=now,
    )
    if not rows.exists():
        return 0
    with worker_transaction(worker_id):
        return rows.update(status=EventStatus.EXPIRED, ended_at=now)
