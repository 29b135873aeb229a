"""Attempts that run apart from the wave, in a thread of their own: slow, atomic, at-most-once steps
and those of suspect runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..engine.machine import Outcome
from ..exceptions import StepInterrupted, WorkerLost
from ..models import StepRun, StepStatus
from ..store.checkpoint import fenced_write, record_start
from ..store.records import PARKED, WRITTEN
from ..store.transactions import (
    is_away,
    is_repeatable,
    repeating,
    when_back,
    worker_transaction,
)
from .attempt import Attempt, error_of, refused, run_body
from .conclusion import Conclusion, conclude, note_running
from .ending import end_apart

logger = logging.getLogger("durable_django.worker")

ATOMIC_REPEATS_MAX = 20  # half a minute, most of it for a database that is away
PAUSE_SECONDS_MAX = 2.0

Around = Callable[[Attempt, Callable[[], Outcome]], Outcome]


def verdict_of_recovery(attempt: Attempt) -> Outcome | None:
    """What the committed start of an earlier attempt without an end means: None to run again."""
    row = attempt.run.started_row
    if row is None:
        return None
    if attempt.node.at_most_once:
        return refused(
            attempt,
            StepInterrupted(
                f"the worker died inside {attempt.step_name}, which is at_most_once: it may or may "
                "not have taken effect; look, then retry or cancel the run"
            ),
        )
    if recoveries(attempt) >= settings.MAX_RECOVERIES:
        return refused(
            attempt,
            WorkerLost(
                f"{recoveries(attempt)} workers died while they ran {attempt.step_name}, so it is "
                f"not tried again (MAX_RECOVERIES={settings.MAX_RECOVERIES})"
            ),
        )
    return None


def recoveries(attempt: Attempt) -> int:
    """How many workers died inside this attempt after its start was committed."""
    claimed = attempt.run.claimed
    if attempt.run.started_row is None:
        return 0
    before = claimed.recoveries if claimed.recovery_seq == attempt.visit.seq else 0
    return before + 1


def commit_start(worker_id: UUID, attempt: Attempt) -> bool:
    """Commits the attempt's ``running`` row before its body begins; False if it must not begin: the
    lease is lost, or the run paused."""
    note = note_running(attempt).checkpoint
    again = attempt.run.suspect or attempt.run.started_row is not None
    count = recoveries(attempt) if again else None
    return when_back(lambda: repeating(lambda: record_start(worker_id, note, count))) == WRITTEN


class _Undo(Exception):
    """Rolls an atomic step back, carrying its outcome; None: the lease is lost."""

    def __init__(self, outcome: Outcome | None) -> None:
        self.outcome = outcome


def run_atomic(
    worker_id: UUID, attempt: Attempt, around: Around | None = None
) -> Conclusion | None:
    """Runs an atomic step: its body, the fence and its checkpoint in one transaction.

    A conclusion without verdict goes with the next wave: the attempt failed, or it has ended its
    strand. None: it was given up or its lease lost. Deadlocks, serialization failures and a
    database that is away run it again and count no attempt. ``around`` runs the body, for a test
    kit that injects faults.
    """
    pause = 0.005
    for _ in range(ATOMIC_REPEATS_MAX):
        conclusion: Conclusion | None = None
        try:
            with worker_transaction(worker_id):
                conclusion = _body_and_checkpoint(worker_id, attempt, around)
            return conclusion
        except _Undo as undo:
            outcome = undo.outcome
            break
        except DatabaseError as error:
            if conclusion is not None and _is_written(worker_id, attempt):
                return conclusion
            outcome = Outcome("failed", error=error_of(attempt, error))
            gave_up = attempt.settled and not attempt.settled_here
            if gave_up or not (is_repeatable(error) or is_away(error)):
                break  # a constraint checked at commit, say
            attempt.__dict__.pop("context", None)
            attempt.__dict__.pop("waits", None)
            connection = connections[settings.DATABASE]
            if is_away(error) and not connection.in_atomic_block:
                connection.close()  # a lost one stays lost until it is made anew
            time.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)
    if outcome is None or not (attempt.settled_here or attempt.settle()):
        return None
    return conclude(attempt, outcome)


def _body_and_checkpoint(worker_id: UUID, attempt: Attempt, around: Around | None) -> Conclusion:
    def body() -> Outcome:
        return run_body(attempt, lets_out=is_repeatable)

    outcome = around(attempt, body) if around else body()
    if outcome.status != "completed":
        raise _Undo(outcome)
    if not (attempt.settled_here or attempt.settle()):
        raise _Undo(None)
    attempt.settled_here = True  # a repeated transaction need not, and cannot, settle again
    conclusion = conclude(attempt, outcome)
    end = conclusion.checkpoint.end
    own, rest = conclusion.checkpoint, conclusion
    # One that decides ends others: of two atomic members of a race only the winner takes effect.
    if end is not None and not conclusion.checkpoint.is_alone:
        own, rest = end_apart(conclusion)
    [verdict] = fenced_write(worker_id, [own], False, wait=True)
    if verdict not in (WRITTEN, PARKED):
        raise _Undo(None)
    return rest if rest is not conclusion else conclusion._replace(verdict=verdict)


def _is_written(worker_id: UUID, attempt: Attempt) -> bool:
    # race: lost-answer. Whether the commit whose answer was lost went through.
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution_id=attempt.run.id, seq=attempt.visit.seq, worker_id=worker_id
    )
    return when_back(rows.filter(status=StepStatus.COMPLETED).exists)
