"""Wake: what became due is made ready; what ran out of time is ended.

Whatever the worker that ran it does, alive or dead, this decides by database time. A wait whose
time is up has lost to no event that was sent before: those are delivered first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import DataError, IntegrityError, connections
from django.db.models import Q, QuerySet

from ..conf import settings
from ..models import Event, Execution, ExecutionStatus, Wait, WaitStatus
from . import clock, timetable
from .children import cancel_called
from .ending import fail_timed_out
from .inbox import names_of
from .ready import make_ready
from .transactions import (
    RowHeld,
    has_row_locks,
    in_callers_transaction,
    repeating,
    worker_transaction,
)

logger = logging.getLogger("durable_django.worker")

DATA_REFUSED = (IntegrityError, DataError)

BATCH = 500
PARKED = (ExecutionStatus.SCHEDULED, ExecutionStatus.SLEEPING, ExecutionStatus.WAITING)
ROLLING_BACK = ExecutionStatus.COMPENSATING


def wake_due(worker_id: UUID) -> int:
    """Does all that is due now; how many executions it touched."""
    touched = 0
    # What may still get an event or an answer is passed over, so that it holds nobody else up.
    held_up: set[UUID] = set()
    while True:
        found, woken = _wake_together(worker_id, held_up)
        touched += len(woken)
        held_up.update(found - woken)
        if len(found) < BATCH:
            break
    for pk in _timed_out():
        touched += repeating(lambda pk=pk: fail_timed_out(worker_id, pk))  # type: ignore[misc]
    return touched


def _wake_together(worker_id: UUID, held_up: set[UUID]) -> tuple[set[UUID], set[UUID]]:
    """The next batch; one by one if the database refuses it, so that one row that cannot be woken
    keeps no other asleep."""
    try:
        return repeating(lambda: _wake_batch(worker_id, held_up))
    except (*DATA_REFUSED, RowHeld):
        if in_callers_transaction():
            raise
    due = _due(clock.now(), held_up).order_by("due_at").values_list("id", flat=True)
    found, woken = set(due[:BATCH]), set()
    for pk in found:
        try:
            woken |= repeating(lambda pk=pk: _wake_batch(worker_id, held_up, pk))[1]  # type: ignore[misc]
        except RowHeld:
            continue  # what it has called; the next look may find it free
        except DATA_REFUSED:
            logger.exception("execution %s is due, but cannot be woken", pk)
    return found, woken


class Outlook(NamedTuple):
    """``due_at``: when the next execution becomes due, None if none will; ``is_sent``: something
    was sent that is still to be delivered; ``fires_at``: when the next schedule is due;
    ``is_free``: a tick waits for a run before it that has ended."""

    due_at: datetime | None
    is_sent: bool
    fires_at: datetime | None = None
    is_free: bool = False

    @property
    def next_at(self) -> datetime | None:
        """When something becomes due, be it an execution or a schedule."""
        return min(filter(None, (self.due_at, self.fires_at)), default=None)

    def fires(self, now: datetime) -> bool:
        """Whether there is something to do for a schedule."""
        return self.is_free or (self.fires_at is not None and self.fires_at <= now)


# One statement instead of five: an idle worker asks it every second, one on SQLite whenever
# somebody has written.
_OUTLOOK = f"""
SELECT
    (SELECT due_at FROM "{Execution._meta.db_table}" WHERE due_at IS NOT NULL
        ORDER BY due_at LIMIT 1),
    EXISTS (SELECT 1 FROM "{Event._meta.db_table}" WHERE examined_at IS NULL),
    EXISTS (SELECT 1 FROM "{Wait._meta.db_table}"
        WHERE answered_at IS NOT NULL AND resolved_at IS NULL),
"""


def outlook() -> Outlook:
    """What there is to do, now and next."""
    schedules, parameters = timetable.outlook()
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(_OUTLOOK + schedules, parameters)
        due_at, is_new, is_answered, fires_at, is_free = cursor.fetchone()
    is_sent = bool(is_new or is_answered)
    return Outlook(_moment(due_at), is_sent, _moment(fires_at), bool(is_free))


def _moment(found: datetime | str | None) -> datetime | None:
    if isinstance(found, str):  # a driver that knows no times
        found = datetime.fromisoformat(found)
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _due(now: datetime, held_up: set[UUID]) -> QuerySet[Execution]:
    rows = Execution.objects.using(settings.DATABASE)
    # A run whose time is up is ended, not woken; a rollback has no timeout.
    in_time = Q(timeout_at__isnull=True) | Q(timeout_at__gt=now)
    parked = Q(status=ExecutionStatus.SCHEDULED) | Q(wake_at__lte=now, status__in=PARKED)
    due = rows.filter(
        parked & in_time | Q(status=ROLLING_BACK, wake_at__isnull=False), due_at__lte=now
    )
    return due.exclude(id__any=list(held_up)) if held_up else due


def _wake_batch(
    worker_id: UUID, held_up: set[UUID], only: UUID | None = None
) -> tuple[set[UUID], set[UUID]]:
    """(What is due, without what is held up; those of it that are ready now)."""
    now = clock.now()
    due = _due(now, held_up)
    if only is not None:
        due = due.filter(pk=only)
    if not due.exists():
        return set(), set()
    with worker_transaction(worker_id):
        if has_row_locks():
            due = due.select_for_update(no_key=True, skip_locked=True)
        found = dict(due.order_by("due_at").values_list("id", "queue")[:BATCH])
        woken = _end_waits(found, now)
        make_ready(woken)
    return set(found), set(woken)


def wake_locked(ids: Sequence[UUID]) -> None:
    """Wakes those of these executions that are due, as :func:`wake_due` does. The caller holds
    their locks. RowHeld if somebody holds what one of them has called."""
    now = clock.now()
    due = _due(now, set()).filter(id__any=list(ids))
    found = dict(due.values_list("id", "queue"))
    if found:
        make_ready(_end_waits(found, now))


def _end_waits(found: Mapping[UUID, str], now: datetime) -> dict[UUID, str]:
    """The waits of these executions are over, since their time is up; those of them that are to be
    woken. One that may still get an event or an answer is left for the moment."""
    rows = Wait.objects.using(settings.DATABASE).filter(
        member__id__any=list(found), resolved_at__isnull=True
    )
    waits = {wait.pk: wait for wait in rows}
    if not waits:
        return dict(found)
    asleep = [pk for pk, wait in waits.items() if wait.kind == "sleep"]
    others = {pk: wait for pk, wait in waits.items() if wait.kind != "sleep"}
    late = _really_late(others, now) if others else {}
    left = {wait.member_id for pk, wait in others.items() if pk not in late}
    by_id = Wait.objects.using(settings.DATABASE)
    by_id.filter(id__in=asleep).update(status=WaitStatus.COMPLETED, resolved_at=now)
    by_id.filter(id__in=list(late)).update(status=WaitStatus.TIMED_OUT, resolved_at=now)
    calls = [w.child_id for w in late.values() if w.kind == "call" and w.child_id is not None]
    # As if their own time were up.
    cancel_called(sorted(calls), "its caller waits for it no longer", compensate=True, waits=False)
    return {pk: queue for pk, queue in found.items() if pk not in left}


def _really_late(waits: Mapping[int, Wait], now: datetime) -> dict[int, Wait]:
    """Those for which nothing is on its way."""
    # race: event-or-timeout. Under the locks of what is parked: an event that is committed is
    # delivered first (by what is older, its row or the due time), and one that is committed later
    # finds the wait over. An answer that somebody gives in an open transaction locks its wait.
    new = Event.objects.using(settings.DATABASE).filter(examined_at__isnull=True)
    runs = {wait.execution_id for wait in waits.values()}
    sent = new.filter(execution__id__any=list(runs)).values_list("execution_id", flat=True)
    busy = set(sent)
    published = set(new.filter(execution__isnull=True).values_list("name", "key"))
    rows = Wait.objects.using(settings.DATABASE).filter(
        id__in=list(waits), resolved_at__isnull=True, answered_at__isnull=True
    )
    if has_row_locks():
        rows = rows.select_for_update(no_key=True, skip_locked=True)
    free = set(rows.values_list("id", flat=True))
    return {
        pk: wait
        for pk, wait in waits.items()
        if pk in free
        and wait.due_at is not None
        and wait.due_at <= now
        and wait.execution_id not in busy
        and not any((name, wait.key) in published for name in names_of(wait))
    }


def _timed_out() -> list[UUID]:
    rows = Execution.objects.using(settings.DATABASE)
    late = rows.filter(due_at__lte=clock.now(), timeout_at__lte=clock.now())
    late = late.exclude(status=ROLLING_BACK)
    return list(late.order_by("due_at").values_list("id", flat=True)[:BATCH])
