"""The inbox of a run: which events it holds, and what becomes of those that are delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import settings
from ..engine import values
from ..engine.delivery import Arrived, Awaiting, Delivery
from ..models import Event, EventStatus, StepRun, StepStatus, Wait, WaitStatus
from . import clock, wakeup
from .bulk import update_rows
from .records import RECEIVE

# Of more than these one asks for each name of each run by itself.
MANY = 1_000

_ARRIVED = ("id", "kind", "name", "key", "scope", "payload_text", "created_at", "source_id")


def awaiting(pk: int, wait: Any) -> Awaiting:
    """A Wait, or the record of one, as deliveries need it."""
    names = tuple(values.decode(wait.names_text)) if wait.names_text != "[]" else ()
    return Awaiting(
        pk, wait.member_id, wait.kind, wait.name, names, wait.key, wait.path, wait.due_at
    )


def arrived(rows: QuerySet[Event]) -> dict[UUID | None, list[Arrived]]:
    """Events by their run, in the order in which they were sent."""
    found: dict[UUID | None, list[Arrived]] = {}
    for run_id, *columns in rows.order_by("id").values_list("execution_id", *_ARRIVED):
        *facts, source_id = columns
        event = Arrived(*facts, source_id is not None)  # type: ignore[call-arg]
        found.setdefault(run_id, []).append(event)
    return found


def kept_for(waits: Sequence[Any]) -> dict[UUID, list[Arrived]]:
    """The events that were kept for these waits, by their run, oldest first; with published ones,
    of which the run then has a copy."""
    _copy_published(waits)
    runs = {wait.execution_id for wait in waits}
    names = {name for wait in waits for name in names_of(wait)}
    kept = Event.objects.using(settings.DATABASE).filter(
        status=EventStatus.KEPT,
        ended_at__isnull=True,
        execution__isnull=False,
        kind__in={"callback" if wait.kind == "callback" else "event" for wait in waits},
    )
    ids = list(
        kept.filter(execution__id__any=list(runs), name__in=names)
        .order_by("id")
        .values_list("id", flat=True)[:MANY]
    )
    if len(ids) == MANY:  # an inbox that fills up faster than it is read
        ids = _fitting(kept, waits)
    found = arrived(Event.objects.using(settings.DATABASE).filter(id__in=ids)) if ids else {}
    return {run_id: events for run_id, events in found.items() if run_id is not None}


def _fitting(kept: QuerySet[Event], waits: Sequence[Any]) -> list[int]:
    """Of each name that is waited for, as many as there are waits that it fits."""
    alike = Counter((wait.execution_id, name) for wait in waits for name in names_of(wait))
    ids: set[int] = set()
    for wait in waits:
        kind = "callback" if wait.kind == "callback" else "event"
        parts = wait.path.split("/")
        scopes = ["", *("/".join(parts[:count]) + "/" for count in range(1, len(parts)))]
        fitting = kept.filter(
            Q(key=wait.key) | Q(key="", source_id__isnull=True),
            execution_id=wait.execution_id,
            kind=kind,
            scope__in=scopes,
        )
        for name in names_of(wait):
            rows = fitting.filter(name=name).order_by("id").values_list("id", flat=True)
            ids.update(rows[: alike[wait.execution_id, name]])
    return sorted(ids)


def names_of(wait: Any) -> tuple[str, ...]:
    """The events a wait waits for."""
    return awaiting(0, wait).names or (wait.name,)


def _copy_published(waits: Sequence[Any]) -> None:
    """Puts published events that are kept into the inboxes of runs that wait for them now."""
    now = clock.now()
    wanted = {
        (name, wait.key) for wait in waits if wait.kind != "callback" for name in names_of(wait)
    }
    if not wanted:
        return
    rows = Event.objects.using(settings.DATABASE).filter(
        execution__isnull=True,
        ended_at__isnull=True,
        expires_at__gt=now,
        name__in={name for name, _ in wanted},
        key__in={key for _, key in wanted},
    )
    found = [event for event in rows.order_by("id")[:MANY] if (event.name, event.key) in wanted]
    if not found:
        return
    insert_copies(
        copy_of(event, wait.execution_id, EventStatus.KEPT, now)
        for wait in waits
        if wait.kind != "callback"
        for event in (found if len(found) < MANY else _not_copied(rows, wait))
        if wait.key == event.key and event.name in names_of(wait)
    )


def _not_copied(published: QuerySet[Event], wait: Any) -> Iterable[Event]:
    """Of very many that are kept, the first of each name that the run has not got yet."""
    copies = Event.objects.using(settings.DATABASE).filter(
        execution_id=wait.execution_id, source_id=OuterRef("pk")
    )
    fresh = published.filter(~Exists(copies), key=wait.key)
    for name in names_of(wait):
        yield from fresh.filter(name=name).order_by("id")[:1]


def copy_of(event: Event, run_id: UUID, status: EventStatus, examined_at: datetime | None) -> Event:
    """What a run has of a published event."""
    return Event(
        execution_id=run_id,
        name=event.name,
        key=event.key,
        payload_text=event.payload_text,
        source_id=event.pk,
        status=status,
        created_at=event.created_at,
        examined_at=examined_at,
    )


def insert_copies(copies: Iterable[Event]) -> None:
    """Writes copies of published events; a run that has one gets no second."""
    Event.objects.using(settings.DATABASE).bulk_create(
        list(copies), ignore_conflicts=True, batch_size=500
    )


def consume(deliveries: Sequence[Delivery], now: datetime) -> None:
    """Writes that these waits are over, and that their events were delivered. What calls gave is
    for the caller to fill in."""
    update_rows(
        Wait,
        ("id", "status", "value_text", "events_text", "resolved_at"),
        ("bigint", "text", "text", "text", "timestamptz"),
        [(d.wait.id, WaitStatus.COMPLETED.value, d.value, _ids(d.events), now) for d in deliveries],
    )
    update_rows(
        Event,
        ("id", "status", "wait_id", "examined_at", "ended_at"),
        ("bigint", "text", "bigint", "timestamptz", "timestamptz"),
        [
            (event.id, EventStatus.DELIVERED.value, d.wait.id, now, now)
            for d in deliveries
            for event in d.events
        ],
    )


def _ids(events: Iterable[Arrived]) -> str:
    return values.encode([event.id for event in events], "events")


def leave_to_delivery(kept: dict[UUID, list[Arrived]]) -> dict[UUID, list[Arrived]]:
    """Leaves out runs for which there are new events as well: then what was kept is new again, and
    all of it is delivered in the order in which it was sent, the oldest waits first. The caller
    holds the inboxes."""
    if not kept:
        return kept
    new = Event.objects.using(settings.DATABASE).filter(
        execution__id__any=list(kept), examined_at__isnull=True
    )
    busy = set(new.values_list("execution_id", flat=True))
    if busy:
        renew([event.id for run_id, those in kept.items() if run_id in busy for event in those])
    return {run_id: those for run_id, those in kept.items() if run_id not in busy}


def renew(ids: Sequence[int]) -> None:
    """These events are new again: they were given to nobody who needs them."""
    Event.objects.using(settings.DATABASE).filter(id__in=list(ids)).update(
        status=EventStatus.NEW, wait_id=None, examined_at=None, ended_at=None
    )
    wakeup.notify_waits()


def give_back(run_id: UUID, strand_ids: Sequence[UUID]) -> None:
    """Strands are about to be cancelled: the events that their waits were given, and that nobody
    has seen, are for those who wait already, or will."""
    waiting = StepRun.objects.using(settings.DATABASE).filter(
        execution__id__any=list(strand_ids), status=StepStatus.WAITING
    )
    paths = list(waiting.values_list("path", flat=True))
    if not paths:
        return
    waits = Wait.objects.using(settings.DATABASE).filter(execution_id=run_id, path__in=paths)
    # What it was parked for is the last that its visit has come to.
    last = {wait.path: wait for wait in waits.order_by("position")}
    unseen = [
        wait
        for wait in last.values()
        if wait.kind in RECEIVE and wait.status == WaitStatus.COMPLETED
    ]
    if unseen:
        renew([pk for wait in unseen for pk in values.decode(wait.events_text)])
        waits.filter(id__in=[wait.pk for wait in unseen]).update(status=WaitStatus.CANCELLED)


def keep(ids: Sequence[int], now: datetime) -> None:
    """These events were looked at, and nobody waits for them now. The end of a child for which
    nobody waits is of no use to anybody; its caller may even be deleted."""
    rows = Event.objects.using(settings.DATABASE).filter(id__in=list(ids))
    rows.filter(~Q(kind="child")).update(status=EventStatus.KEPT, examined_at=now)
    rows.filter(kind="child").delete()
