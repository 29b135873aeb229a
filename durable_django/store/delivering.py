"""Delivering: events, answers and the ends of children are brought to the runs that wait for them.

Who sends only inserts a row; workers find it here. One inbox is delivered by one worker at a time,
under its lock and those of the rows it wakes. Nothing here waits for a lock that somebody may hold
for long: what is locked is tried again soon.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from django.db.models import Q, QuerySet

from ..conf import settings
from ..engine import values
from ..engine.delivery import Arrived, Delivery, deliver
from ..exceptions import ChildFailed
from ..models import Event, EventStatus, Execution, ExecutionStatus, Wait, WaitStatus
from . import advisory, clock
from .bulk import update_rows
from .children import ended_children
from .hot import lock_rows
from .inbox import arrived, awaiting, consume, keep
from .ready import make_ready
from .spreading import Delivered, new_events, spread_next
from .transactions import repeating, worker_transaction

BATCH = 200
# Events of one inbox, of many, that are looked at in one transaction.
EVENTS_MAX = 2_000
WAITS_MAX = 2_000


def deliver_all(worker_id: UUID, seconds: float = math.inf) -> Delivered:
    """Delivers what there is to deliver now, for about so long at the most: senders may keep up
    with it, and a worker has other things to do."""
    woken, until = 0, time.monotonic() + seconds
    # Runs that are locked are passed over, so that they hold nobody else up.
    locked: set[UUID] = set()
    while True:
        rounds = (
            repeating(lambda: _deliver_answers(worker_id)),
            repeating(lambda: _deliver_events(worker_id, locked)),
            spread_next(worker_id),
        )
        woken += sum(done.woken for done in rounds)
        is_more = any(done.is_more for done in rounds)
        if not is_more or time.monotonic() > until:
            is_locked = bool(locked) or any(done.is_locked for done in rounds)
            return Delivered(woken, is_more, is_locked)


def _answered() -> QuerySet[Wait]:
    rows = Wait.objects.using(settings.DATABASE)
    return rows.filter(answered_at__isnull=False, resolved_at__isnull=True)


# -- answers ---------------------------------------------------------------------------------


def _deliver_answers(worker_id: UUID) -> Delivered:
    """Answers stand in their waits; the runs are still to be woken."""
    if not _answered().exists():
        return Delivered()
    with worker_transaction(worker_id):
        rows = _answered().order_by("answered_at")[:BATCH]
        found = list(rows.values_list("id", "member_id", "answered_at"))
        member_of = {pk: member_id for pk, member_id, _ in found}
        answered_at = {pk: at for pk, _, at in found if at is not None}
        locked = _lock_parked(list(member_of.values()))
        # One that was cancelled before its lock was ours waits no longer.
        still = _still_open(list(member_of))
        mine = [pk for pk, member_id in member_of.items() if member_id in locked and pk in still]
        now = clock.now()
        done = Wait.objects.using(settings.DATABASE).filter(id__in=mine)
        done.update(status=WaitStatus.COMPLETED, resolved_at=now)
        since = {member_of[pk]: answered_at[pk] for pk in mine}
        make_ready({member_id: locked[member_id] for member_id in since}, since)
    is_full = len(member_of) == BATCH
    return Delivered(len(mine), is_full and bool(mine), len(mine) < len(still))


def _lock_parked(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Locks those of the executions that nobody else has locked: their queues."""
    return {pk: row.queue for pk, row in lock_rows(ids).items() if row.worker_id is None}


# -- events ----------------------------------------------------------------------------------


def _deliver_events(worker_id: UUID, locked: set[UUID]) -> Delivered:
    """Delivers to the next runs; to ``locked`` it adds those that are held by somebody."""
    new = new_events().filter(execution__isnull=False).order_by("id")
    free = new.exclude(execution__id__any=list(locked)) if locked else new
    run_ids = {pk for pk in free.values_list("execution_id", flat=True)[:BATCH] if pk is not None}
    if not run_ids:
        return Delivered()
    with worker_transaction(worker_id):
        inboxes = {advisory.inbox_of(pk): pk for pk in run_ids}
        mine = [inboxes[number] for number in advisory.hold(inboxes)]
        # Read again, now that nobody else delivers them and who parks has parked.
        ids = new.filter(execution__id__any=mine).values_list("id", flat=True)[:EVENTS_MAX]
        found = arrived(Event.objects.using(settings.DATABASE).filter(id__in=list(ids)))
        events = {run_id: those for run_id, those in found.items() if run_id is not None}
        woken, left = _deliver_to(events)
    locked |= left | (run_ids - set(mine))
    return Delivered(woken, is_more=True)


def _deliver_to(events: dict[UUID, list[Arrived]]) -> tuple[int, set[UUID]]:
    """Delivers events to runs whose inboxes are held; how many executions that wakes, and the runs
    whose rows are locked, of which nothing was touched."""
    deliveries: dict[UUID, list[Delivery]] = {}
    waits = _waits_for(events)
    kept = _kept_of_all(waits)
    for run_id, those in events.items():
        open_waits = [awaiting(row.pk, row) for row in waits.get(run_id, ())]
        deliveries[run_id] = deliver(open_waits, those, kept.get(run_id, ()))
    wanted = [d.wait for found in deliveries.values() for d in found]
    locked = _lock_parked([wait.member_id for wait in wanted])
    # What was open before it was locked may have ended since.
    still = _still_open([wait.id for wait in wanted])
    left = {
        run_id
        for run_id, found in deliveries.items()
        if any(d.wait.member_id not in locked or d.wait.id not in still for d in found)
    }
    now = clock.now()
    made = [d for run_id, found in deliveries.items() if run_id not in left for d in found]
    consume(made, now)
    _tell_of_children([d for d in made if d.wait.kind == "call"])
    taken = {event.id for d in made for event in d.events}
    keep(
        [
            e.id
            for pk, those in events.items()
            if pk not in left
            for e in those
            if e.id not in taken
        ],
        now,
    )
    since = {d.wait.member_id: max(event.created_at for event in d.events) for d in made}
    make_ready({pk: locked[pk] for pk in since}, since)
    return len(made), left


def _still_open(ids: Sequence[int]) -> set[int]:
    rows = Wait.objects.using(settings.DATABASE).filter(id__in=list(ids))
    return set(rows.filter(resolved_at__isnull=True).values_list("id", flat=True))


def _waits_for(events: dict[UUID, list[Arrived]]) -> dict[UUID, list[Wait]]:
    """The open waits these events may be for, by run, oldest first."""
    rows = Wait.objects.using(settings.DATABASE).filter(resolved_at__isnull=True)
    every = [event for those in events.values() for event in those]
    children = {event.key for event in every if event.kind == "child"}
    names = {event.name for event in every if event.kind != "child"}
    fitting = Q(kind="call", key__in=children)
    if names:
        fitting |= Q(name__in=names, kind__in=("event", "callback")) | Q(kind__in=("any", "all"))
    found = list(
        rows.filter(fitting, execution__id__any=list(events)).order_by("id")[: WAITS_MAX + 1]
    )
    if len(found) > WAITS_MAX:  # ten thousand members may wait, each for an event of its own
        found = [wait for pk, those in events.items() for wait in _waits_of_one(rows, pk, those)]
    by_run: dict[UUID, list[Wait]] = {}
    for wait in found:
        by_run.setdefault(wait.execution_id, []).append(wait)
    return by_run


def _waits_of_one(rows: QuerySet[Wait], run_id: UUID, events: Sequence[Arrived]) -> list[Wait]:
    """The same for one run, of whose waits only so many are read as there are events."""
    mine = rows.filter(execution_id=run_id).order_by("id")
    found: dict[int, Wait] = {}
    for event in events:
        in_time = Q(due_at__isnull=True) | Q(due_at__gte=event.created_at)
        fitting = mine.filter(in_time, path__startswith=event.scope)
        if event.key or event.is_copy:
            fitting = fitting.filter(key=event.key)
        kind = {"event": "event", "callback": "callback", "child": "call"}[event.kind]
        single = fitting.filter(kind=kind, name=event.name)[: len(events)]
        found.update((wait.pk, wait) for wait in single)
        if event.kind == "event":
            wanting = fitting.filter(names_text__contains=values.quote(event.name))
            one_of = (w for w in wanting.filter(kind="any").iterator() if event.name in w.names)
            found.update((wait.pk, wait) for wait in islice(one_of, len(events)))
            # Of those that wait for all of several, most may miss something else.
            found.update((wait.pk, wait) for wait in wanting.filter(kind="all"))
    return [found[pk] for pk in sorted(found)]


def _kept_of_all(waits: dict[UUID, list[Wait]]) -> dict[UUID, list[Arrived]]:
    """What came before for those that wait for several events."""
    runs = [run_id for run_id, those in waits.items() if any(w.kind == "all" for w in those)]
    if not runs:
        return {}
    names = {name for those in waits.values() for w in those if w.kind == "all" for name in w.names}
    rows = Event.objects.using(settings.DATABASE).filter(
        execution__id__any=runs,
        name__in=names,
        kind="event",
        status=EventStatus.KEPT,
        ended_at__isnull=True,
    )
    return {run_id: those for run_id, those in arrived(rows).items() if run_id is not None}


def _tell_of_children(calls: Sequence[Delivery]) -> None:
    """What calls gave: the results of children, or that they failed."""
    if not calls:
        return
    children = ended_children([UUID(hex=d.wait.key) for d in calls])
    rows = []
    for call in calls:
        child = children.get(UUID(hex=call.wait.key))
        completed = child is not None and child.status == ExecutionStatus.COMPLETED
        value = child.result_text if child is not None and completed else "null"
        error = "" if completed else values.encode(_failure(child, call.wait.key), "error")
        status = WaitStatus.COMPLETED if completed else WaitStatus.FAILED
        rows.append((call.wait.id, status.value, value, error))
    columns = ("id", "status", "value_text", "error_text")
    update_rows(Wait, columns, ("bigint", "text", "text", "text"), rows)


def _failure(child: Execution | None, child_hex: str) -> dict[str, object]:
    """The stored form of how a child failed."""
    if child is None:
        return {
            "type": ChildFailed.__name__,
            "message": f"the child {child_hex} is gone",
            "status": "failed",
            "error": None,
        }
    error = child.error
    said = f": {error['type']}: {error['message']}" if error else ""
    reason = f" ({child.reason})" if child.reason else ""
    return {
        "type": ChildFailed.__name__,
        "message": f"{child.workflow_name} {child.pk} is {child.status}{reason}{said}",
        "status": child.status,
        "error": error,
    }
