"""Answering: one conditional update of a wait that is open, so that of two answers one counts.

A worker takes it from there. The run itself is not touched, and nothing is locked but that row.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from ..conf import settings
from ..exceptions import InvalidState
from ..models import FINAL, AuditVerb, Execution, Wait, WaitKind, WaitStatus
from . import audit, clock, wakeup
from .transactions import repeating


def answer(wait_id: int, value_text: str, *, by: str = "", comment: str = "") -> None:
    """Answers an input that is waited for; ``by`` is a username, "" for code.

    InvalidState, saying what happened, if it is not open any more or its time is up.
    """
    repeating(lambda: _answer(wait_id, value_text, by, comment))


def _answer(wait_id: int, value_text: str, by: str, comment: str) -> None:
    now = clock.now()
    alive = Execution.objects.filter(pk=OuterRef("member_id")).exclude(status__in=FINAL)
    waits = Wait.objects.using(settings.DATABASE)
    with transaction.atomic(using=settings.DATABASE):
        # race: two-answers — the row's own columns decide, under its lock: who comes second finds
        # the status that the first left. Only what cannot change back is asked of another table.
        is_open = Q(status=WaitStatus.OPEN, resolved_at__isnull=True)
        in_time = Q(due_at__isnull=True) | Q(due_at__gt=now)
        answered = waits.filter(
            is_open, in_time, Exists(alive), pk=wait_id, kind=WaitKind.INPUT
        ).update(
            status=WaitStatus.ANSWERED,
            value_text=value_text,
            answered_by=by,
            comment=comment,
            answered_at=now,
        )
        if not answered:
            raise refusal(waits.select_related("member").filter(pk=wait_id).first())
        if by:
            _tell(wait_id, by, comment)
        wakeup.notify_waits()


def _tell(wait_id: int, by: str, comment: str) -> None:
    wait = Wait.objects.using(settings.DATABASE).get(pk=wait_id)
    audit.record(
        AuditVerb.ANSWER,
        execution_id=wait.execution_id,
        by=by,
        reason=comment,
        detail={"name": wait.name, "node": wait.node, "path": wait.path},
    )


def refusal(wait: Wait | None) -> InvalidState:
    """What to raise for an input that could not be answered: it says what has become of it. None
    is one that is gone."""
    if wait is None:
        return InvalidState("this input is not waited for any more: its run is gone")
    why = _why(wait, clock.now())
    return InvalidState(f'"{wait.name}" of execution {wait.execution_id} {why}')


def _why(wait: Wait, now: datetime) -> str:
    if wait.answered_at is not None:
        who = f" by {wait.answered_by}" if wait.answered_by else ""
        return f"was already answered{who} at {_moment(wait.answered_at)}"
    if wait.status == WaitStatus.TIMED_OUT or (wait.due_at is not None and wait.due_at <= now):
        return f"was to be answered by {_moment(wait.due_at)}"
    if wait.status == WaitStatus.OPEN and wait.member.is_final:
        return f"is not waited for any more: its run is {wait.member.status}"
    return f"is not waited for any more: it is {wait.status}"


def _moment(moment: datetime | None) -> str:
    return "its end" if moment is None else moment.isoformat(" ", "seconds")
