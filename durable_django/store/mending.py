"""Mending: executions and waits that are as no transition leaves them go on again.

Each in a transaction of its own, under its lock, and only if it still has the ailment then: to mend
twice, or beside workers, changes nothing. What somebody holds is left alone. What was done stands
in the audit trail of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, Q, When
from django.db.models.functions import Least

from ..conf import settings
from ..models import (
    AuditVerb,
    Event,
    EventStatus,
    Execution,
    ExecutionStatus,
    Wait,
    WaitStatus,
    Worker,
)
from ..models.execution import ExecutionKind
from . import ailing, ailing_waits, audit, clock, leases, wakeup
from .children import tell_parents
from .claiming import let_go
from .ready import make_ready
from .strands import end_below
from .transactions import lock_if_free, repeating, worker_transaction

# More than these are mended when it is asked for again.
MENDED_MAX = 1_000

Status = ExecutionStatus


class Cure(NamedTuple):
    """``heals`` changes a locked execution that has the ailment ``told_by``; whether it did."""

    name: str
    told_by: ailing.Ailment
    heals: Callable[[Execution], bool]


def cure(kind: Cure, ids: Iterable[UUID], by: Any = None) -> int:
    """Heals those of these executions that have the ailment; how many."""
    mended = 0
    for pk in list(ids)[:MENDED_MAX]:
        mended += repeating(lambda pk=pk: _cure_one(kind, pk, by))  # type: ignore[misc]
    return mended


def _cure_one(kind: Cure, pk: UUID, by: Any) -> int:
    with worker_transaction(None):
        row = lock_if_free(pk)
        if row is None or not kind.told_by([pk]) or not kind.heals(row):
            return 0
        _tell(row, kind.name, by)
        return 1


def _tell(row: Execution, ailment: str, by: Any) -> None:
    run_id = row.pk if row.kind == ExecutionKind.WORKFLOW else row.root_id
    detail = {"ailment": ailment} | ({"path": row.path} if row.path else {})
    audit.record(AuditVerb.FIX, execution_id=run_id, by=by, detail=detail)


def _row(row: Execution) -> Any:
    return ailing.rows().filter(pk=row.pk)


# -- executions ------------------------------------------------------------------------------


def _go_on(row: Execution) -> bool:
    """Ready: who claims it finds what its waits and members gave."""
    _row(row).update(remaining=0, released_id=None, ready_at=clock.now())
    make_ready({row.pk: row.queue})
    return True


def _count_again(row: Execution) -> bool:
    strands = ailing.rows().filter(
        parent_id=row.pk, kind=ExecutionKind.STRAND, finished_at__isnull=True
    )
    _row(row).update(remaining=strands.count())
    return True


def _begin_next(row: Execution) -> bool:
    """The first that is held back begins; whose end lets the next begin."""
    strands = ailing.rows().filter(parent_id=row.pk, held_back=True, finished_at__isnull=True)
    first = strands.order_by("id").values_list("id", flat=True)[0]
    status = Status.PAUSED if row.paused_at is not None else Status.PENDING
    ailing.rows().filter(pk=first).update(held_back=False, status=status, ready_at=clock.now())
    _row(row).update(released_id=first)
    wakeup.notify(row.queue)
    return True


def _set_due(row: Execution) -> bool:
    """Looked for again when its time comes. What sleeps without one wakes now."""
    _row(row).filter(status=Status.SLEEPING, wake_at__isnull=True).update(wake_at=clock.now())
    wakes = Q(status__in=(Status.SLEEPING, Status.WAITING), wake_at__isnull=False)
    scheduled = When(status=Status.SCHEDULED, then=F("due_at"))
    _row(row).update(
        due_at=Case(
            scheduled,
            When(status=Status.COMPENSATING, then=F("wake_at")),
            When(wakes & Q(timeout_at__isnull=False), then=Least("wake_at", "timeout_at")),
            When(wakes, then=F("wake_at")),
            default=F("timeout_at"),
        )
    )
    wakeup.notify_waits()
    return True


def _take_back(row: Execution) -> bool:
    """Ready again, as a suspect, as what a dead worker held is."""
    _row(row).update(
        status=let_go(Status.PENDING), worker_id=None, lease=F("lease") + 1, suspect=True
    )
    wakeup.notify(row.queue)
    return True


def _cancel_orphan(row: Execution) -> bool:
    """Cancelled, with all other members of the parent that has ended, and what is below them."""
    assert row.parent_id is not None
    # race: retry-and-orphan. A retry reopens the parent and its strands together, under its lock:
    # either that is ours, and the parent is still over, or the strands are left alone.
    parent = lock_if_free(row.parent_id)
    if parent is None and ailing.rows().filter(pk=row.parent_id).exists():
        return False
    if parent is not None and not parent.is_final:
        return False
    end_below(_run_above(row), [row.parent_id])
    return True


def _run_above(row: Execution) -> UUID:
    """The run a strand is of; that of its tree where what is between is gone."""
    above: Execution | None = row
    while above is not None and above.parent_id is not None and above.path:
        above = ailing.rows().filter(pk=above.parent_id).first()
    return row.root_id if above is None else above.pk


GO_ON = Cure("await_nothing", ailing.await_nothing, _go_on)
COUNT = Cure("miscounted", ailing.miscounted, _count_again)
BEGIN = Cure("held_back", ailing.held_back_by_nobody, _begin_next)
SET_DUE = Cure("wrongly_due", ailing.wrongly_due, _set_due)
FORGET_DUE = Cure("due_for_nothing", ailing.due_for_nothing, _set_due)
TAKE_BACK = Cure("held_by_nobody", ailing.held_by_nobody, _take_back)
CANCEL = Cure("orphaned", ailing.orphaned, _cancel_orphan)


def bury(by: Any = None) -> int:
    """Declares workers dead that are overdue, as any living one would, and makes ready what they
    hold; how many workers."""
    buried = [pk for pk in leases.overdue() if repeating(lambda pk=pk: _bury_one(pk, by))]  # type: ignore[misc]
    for pk in buried:
        while held := list(leases.held_by(pk))[:MENDED_MAX]:
            if not sum(repeating(lambda pk=pk: _take_back_from(pk, by)) for pk in held):  # type: ignore[misc]
                break  # somebody has their locks; the living take them back
    return len(buried)


def _bury_one(pk: UUID, by: Any) -> bool:
    with worker_transaction(None):
        if not leases.declare_dead(pk):
            return False
        name = str(Worker.objects.using(settings.DATABASE).get(pk=pk))
        audit.record(AuditVerb.FIX, by=by, detail={"ailment": "worker_overdue", "worker": name})
        return True


def _take_back_from(pk: UUID, by: Any) -> int:
    """From a worker that was declared dead just now."""
    with worker_transaction(None):
        row = lock_if_free(pk)
        if row is None or row.worker is None or row.worker.status == "alive":
            return 0
        _take_back(row)
        _tell(row, TAKE_BACK.name, by)
        return 1


# -- waits -----------------------------------------------------------------------------------


def tell_of_children(ids: Iterable[int], by: Any = None) -> int:
    """Leaves word of what these waits have called, and what has ended or is gone; of how many."""
    return _cure_waits(ids, _tell_of_child, by)


def deliver_again(ids: Iterable[int], by: Any = None) -> int:
    """The events that these waits have missed are new again, for workers to deliver; of how many
    waits."""
    return _cure_waits(ids, _deliver_again, by)


def close_waits(ids: Iterable[int], by: Any = None) -> int:
    """Ends waits of what has ended, or is gone; how many."""
    return _cure_waits(ids, _close, by)


# What it did to the wait of a row that is locked, or gone; "" for nothing.
WaitCure = Callable[[Wait, Execution | None], str]


def _cure_waits(ids: Iterable[int], heals: WaitCure, by: Any) -> int:
    waits = ailing_waits.waits().filter(id__in=list(ids)[:MENDED_MAX], resolved_at__isnull=True)
    return sum(
        repeating(lambda wait=wait: _cure_wait(wait, heals, by))  # type: ignore[misc]
        for wait in list(waits)
    )


def _cure_wait(wait: Wait, heals: WaitCure, by: Any) -> int:
    with worker_transaction(None):
        row = lock_if_free(wait.member_id)
        if row is None and ailing.rows().filter(pk=wait.member_id).exists():
            return 0  # somebody holds it
        done = heals(wait, row)
        if done and row is not None:
            _tell(row, done, by)
        return int(bool(done))


def _tell_of_child(wait: Wait, row: Execution | None) -> str:
    if not ailing_waits.child_untold([wait.pk]):
        return ""
    tell_parents([(wait.execution_id, wait.name, UUID(hex=wait.key))])
    return "child_untold"


def _deliver_again(wait: Wait, row: Execution | None) -> str:
    missed = ailing_waits.events_missed([wait.pk])
    kept = Event.objects.using(settings.DATABASE).filter(
        id__in=missed, status=EventStatus.KEPT, ended_at__isnull=True
    )
    if not kept.update(status=EventStatus.NEW, examined_at=None):
        return ""
    wakeup.notify_waits()
    return "event_missed"


def _close(wait: Wait, row: Execution | None) -> str:
    if not ailing_waits.of_the_ended([wait.pk]):
        return ""
    open_one = Wait.objects.using(settings.DATABASE).filter(pk=wait.pk, resolved_at__isnull=True)
    closed = open_one.update(status=WaitStatus.CANCELLED, resolved_at=clock.now())
    return "of_the_ended" if closed else ""
