"""From an outcome to what is written: the checkpoint of an attempt."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import NamedTuple

from ..engine import machine, values
from ..engine.context import encode_changes
from ..engine.machine import Outcome, Transition, Visit
from ..engine.state import RunState, given_by, to_snapshot
from ..models import ExecutionStatus
from ..store import clock
from ..store.records import Checkpoint, Move, StepRecord
from .attempt import Attempt
from .run import SNAPSHOT_EVERY, Run


class Conclusion(NamedTuple):
    """A checkpoint on its way to the database. ``attempt`` is None for a run that ends before an
    attempt; ``transition`` is None for a note that an attempt is still running; ``written`` says
    that an atomic step has committed it already."""

    run: Run
    checkpoint: Checkpoint
    attempt: Attempt | None = None
    transition: Transition | None = None
    written: bool = False


def conclude(attempt: Attempt, outcome: Outcome, *, given_up: bool = False) -> Conclusion:
    """What ``outcome`` writes. ``given_up``: the attempt did not say it itself, so the lease number
    rises with the write and the attempt can write nothing more."""
    run, visit = attempt.run, attempt.visit
    transition = attempt.transition(outcome)
    state = transition.state
    finished_at = clock.at(time.monotonic())
    error = values.encode(outcome.error, "error") if outcome.error else ""
    step = StepRecord(
        visit.seq,
        visit.path,
        attempt.step_name,
        visit.node.kind,
        visit.attempt,
        outcome.status,
        attempt.started_at,
        finished_at,
        state.next_path,
        transition.output,
        encode_changes(outcome.changes),
        error,
        attempt.logs.encoded(),
        attempt.progress_fraction,
        attempt.progress_message,
    )
    move, snapshot = None, ""
    if transition.verdict == machine.CONTINUE:
        if state.seq - run.snapshot_seq >= SNAPSHOT_EVERY:
            snapshot = to_snapshot(state, _seq_of(run, attempt.visit, transition))
    else:
        move = _move(run, attempt, transition, error, step)
    checkpoint = Checkpoint(
        run.id,
        run.lease,
        step,
        move,
        attempt.has_row,
        snapshot,
        run.suspect,
        given_up,
    )
    return Conclusion(run, checkpoint, attempt, transition)


def _move(run: Run, attempt: Attempt, transition: Transition, error: str, step: StepRecord) -> Move:
    state = transition.state
    snapshot = to_snapshot(state, _seq_of(run, attempt.visit, transition))
    if transition.verdict == machine.COMPLETE:
        return Move(ExecutionStatus.COMPLETED, snapshot, state.seq, result=transition.result)
    if transition.verdict == machine.FAIL:
        return Move(ExecutionStatus.FAILED, snapshot, state.seq, error=error)
    assert step.finished_at is not None
    wake_at = step.finished_at + timedelta(seconds=transition.delay)
    return Move(ExecutionStatus.SLEEPING, snapshot, state.seq, wake_at=wake_at)


def _seq_of(run: Run, visit: Visit, transition: Transition) -> dict[str, int]:
    """Where each output stands, this attempt's included."""
    if transition.verdict in (machine.FAIL, machine.RETRY):
        return run.seq_of
    names = given_by(visit.path, visit.node.kind, transition.state.next_path)
    return {**run.seq_of, **dict.fromkeys(names, visit.seq)}


def note_running(attempt: Attempt) -> Conclusion:
    """The ``running`` row of an attempt that has begun, with its progress and the logs so far."""
    visit = attempt.visit
    step = StepRecord(
        visit.seq,
        visit.path,
        attempt.step_name,
        visit.node.kind,
        visit.attempt,
        "running",
        attempt.started_at,
        next_path=visit.path,
        logs=attempt.logs.encoded(),
        progress=attempt.progress_fraction,
        progress_message=attempt.progress_message,
    )
    attempt.has_row = True
    checkpoint = Checkpoint(attempt.run.id, attempt.run.lease, step, replaces=True)
    return Conclusion(attempt.run, checkpoint, attempt)


def stop_before_attempt(run: Run, error: BaseException) -> Conclusion:
    """Ends a run that cannot go on: its next node is gone from the code."""
    state: RunState = run.state
    text = values.encode(machine.error_of(error, state.next_path or None, ""), "error")
    move = Move(ExecutionStatus.FAILED, to_snapshot(state, run.seq_of), state.seq, error=text)
    return Conclusion(run, Checkpoint(run.id, run.lease, None, move))
