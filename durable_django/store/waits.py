"""Waits as rows: written with the parking of a run, read when it goes on, stopped when it ends.

Parking for an event looks into the run's inbox in the same transaction: what came before is
delivered at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F

from ..conf import settings
from ..engine.delivery import Delivery, deliver
from ..models import Execution, ExecutionStatus, Wait, WaitStatus
from . import advisory, clock, wakeup
from .hot import Locked, insert_rows
from .inbox import awaiting, consume, kept_for, leave_to_delivery, names_of
from .records import LOCKED, Checkpoint, WaitRecord
from .transactions import has_row_locks, repeating, worker_transaction

COLUMNS = WaitRecord._fields[:-1]


# -- parking ---------------------------------------------------------------------------------


def lock_inboxes(wave: Sequence[Checkpoint], verdicts: list[str]) -> None:
    """What parks for an event while its inbox is delivered, or another member of its run parks,
    tries again with the next wave."""
    # race: park-and-publish. Whoever delivers holds the inbox, too: he sees the wait that is parked
    # here, or the look into the inbox sees his event.
    parking = {
        index: c.wait
        for index, c in enumerate(wave)
        if c.wait and c.wait.looks and verdicts[index] == "held"
    }
    if not parking:
        return
    inbox_of = {index: advisory.inbox_of(wait.execution_id) for index, wait in parking.items()}
    held = advisory.hold_free(inbox_of.values())
    published = {index: published_for(wait) for index, wait in parking.items()}
    shared = advisory.share(lock for locks in published.values() for lock in locks)
    for index in parking:
        if inbox_of[index] not in held or not shared.issuperset(published[index]):
            verdicts[index] = LOCKED


def leave_answered(wave: Sequence[Checkpoint], verdicts: list[str]) -> None:
    """What ends others waits until nobody answers an input of its run any more: that is a
    transaction of somebody's, and may be long."""
    for index, checkpoint in enumerate(wave):
        end = checkpoint.end
        if verdicts[index] != "held" or end is None or not checkpoint.is_alone:
            continue
        if is_being_answered(end.above[0]):
            verdicts[index] = LOCKED


def published_for(wait: WaitRecord) -> list[int]:
    """The locks of what may be published for a wait."""
    if wait.kind == "callback":
        return []
    return [advisory.published(name, wait.key) for name in names_of(wait)]


def insert_waits(
    parking: Sequence[Checkpoint], locked: dict[UUID, Locked]
) -> dict[UUID, Checkpoint]:
    """Writes the waits of all that parks; those whose event is there already, by execution: not to
    be parked, but ready."""
    anew = [c.wait for c in parking if c.wait and c.wait.anew]
    rows = Wait.objects.using(settings.DATABASE)
    for wait in anew:
        same = rows.filter(execution_id=wait.execution_id, path=wait.path, position=wait.position)
        same.delete()
    insert_rows(Wait, COLUMNS, [tuple(c.wait[:-1]) for c in parking if c.wait])
    looking = [c.wait for c in parking if c.wait and c.wait.looks]
    if not looking:
        return {}
    ready: dict[UUID, Checkpoint] = {}
    arrived = {d.wait.member_id for d in _look(looking)}
    for checkpoint in parking:
        if checkpoint.execution_id in arrived and checkpoint.move:
            move = checkpoint.move._replace(status=ExecutionStatus.PENDING, wake_at=None)
            ready[checkpoint.execution_id] = checkpoint._replace(move=move)
            wakeup.notify(locked[checkpoint.execution_id].queue)
    return ready


def _look(looking: Sequence[WaitRecord]) -> list[Delivery]:
    """Delivers what is in the inboxes of these waits, just written."""
    found = leave_to_delivery(kept_for(looking))
    if not found:
        return []
    rows = Wait.objects.using(settings.DATABASE).filter(
        member__id__any=[wait.member_id for wait in looking], resolved_at__isnull=True
    )
    deliveries: list[Delivery] = []
    by_run: dict[UUID, list[Wait]] = {}
    for row in rows.order_by("id"):
        by_run.setdefault(row.execution_id, []).append(row)
    for run_id, waits in by_run.items():
        deliveries += deliver([awaiting(row.pk, row) for row in waits], found.get(run_id, ()))
    consume(deliveries, clock.now())
    return deliveries


# -- within an attempt -----------------------------------------------------------------------


class Recorded(NamedTuple):
    """A wait as an attempt finds it recorded."""

    execution_id: UUID
    path: str
    position: int
    seq: int
    kind: str
    name: str
    names_text: str
    key: str
    status: str
    value_text: str
    error_text: str
    timeout_text: str
    child_id: UUID | None
    due_at: Any
    assignee: str
    answered_by: str


def recorded_waits(visits: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], list[Recorded]]:
    """What was recorded in visits, given as (run, path), in the order of positions."""
    wanted = set(visits)
    rows = Wait.objects.using(settings.DATABASE).filter(
        execution__id__any=list({run_id for run_id, _ in wanted}),
        path__in=sorted({path for _, path in wanted}),
    )
    found: dict[tuple[UUID, str], list[Recorded]] = {}
    for row in rows.order_by("position").values_list(*Recorded._fields):
        wait = Recorded(*row)
        found.setdefault((wait.execution_id, wait.path), []).append(wait)
    return found


def remember(lease: int, record: WaitRecord) -> bool:
    """Writes what a step remembers of itself while its body runs; False if its lease is lost."""
    return repeating(lambda: _remember(lease, record))


def _remember(lease: int, record: WaitRecord) -> bool:
    with worker_transaction(None):
        if not is_held(record.member_id, lease):
            return False
        insert_rows(Wait, COLUMNS, [tuple(record[:-1])])
        return True


def is_held(pk: UUID, lease: int) -> bool:
    """Locks an execution until the transaction ends, if its lease is still this one."""
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(pk=pk, lease=lease, worker__isnull=False).update(lease=F("lease")) == 1


# -- stopping --------------------------------------------------------------------------------


def stop_waits(member_ids: Sequence[UUID]) -> list[UUID]:
    """Ended executions wait for nothing any more; the runs they had called, which are for the
    caller to cancel."""
    rows = Wait.objects.using(settings.DATABASE).filter(
        member__id__any=list(member_ids), resolved_at__isnull=True
    )
    calls = rows.filter(kind="call", on_cancel="cancel", child_id__isnull=False)
    called = [pk for pk in calls.values_list("child_id", flat=True) if pk is not None]
    rows.update(status=WaitStatus.CANCELLED, resolved_at=clock.now())
    return sorted(called)


def is_being_answered(run_id: UUID) -> bool:
    """Whether somebody answers an input of the run in a transaction that is still open."""
    if not has_row_locks():
        return False
    rows = Wait.objects.using(settings.DATABASE).filter(
        execution_id=run_id, kind="input", resolved_at__isnull=True
    )
    wanted = rows.count()
    free = rows.select_for_update(no_key=True, skip_locked=True).values_list("id", flat=True)
    return len(free) < wanted
