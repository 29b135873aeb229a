"""From an outcome to what is written: the checkpoint of an attempt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from ..definition.wait_nodes import DeclaredWait
from ..engine import joining, machine, values
from ..engine.context import encode_changes
from ..engine.machine import Outcome, Transition, Visit
from ..engine.paths import fork_of, node_name
from ..engine.results import Results
from ..engine.rollback import START
from ..engine.state import RunState, given_by, to_snapshot
from ..models import FINAL, ExecutionStatus
from ..store import clock
from ..store.records import Checkpoint, Fork, Move, StepRecord, StrandEnd
from .attempt import Attempt
from .run import SNAPSHOT_EVERY, Run


class Conclusion(NamedTuple):
    """A checkpoint on its way to the database. ``attempt`` is None for a run that ends before an
    attempt; ``transition`` is None for a note that an attempt is still running; ``verdict`` is that
    on what has committed by itself already, "" where that is still to come; ``told`` is a step run
    written before."""

    run: Run
    checkpoint: Checkpoint
    attempt: Attempt | None = None
    transition: Transition | None = None
    verdict: str = ""
    told: StepRecord | None = None

    @property
    def makes_ready(self) -> bool:
        """Whether, once written, there is more to claim: strands, a parent, or a rollback."""
        written = self.checkpoint
        move = written.move
        begins = move is not None and move.status == ExecutionStatus.COMPENSATING
        calls = written.child or written.child_of
        return bool(written.fork or written.end or written.reopens or begins or calls)

    @property
    def is_outdated(self) -> bool:
        """Whether it is a note that an attempt runs, which has ended meanwhile."""
        return self.transition is None and self.attempt is not None and self.attempt.settled

    @property
    def asks_somebody(self) -> bool:
        """Whether, once written, a person is waited for."""
        wait = self.checkpoint.wait
        return wait is not None and wait.kind == "input"


def conclude(attempt: Attempt, outcome: Outcome, *, given_up: bool = False) -> Conclusion:
    """What ``outcome`` writes. ``given_up``: the attempt did not say it itself, so the lease number
    rises with the write and the attempt can write nothing more."""
    run, visit = attempt.run, attempt.visit
    transition = attempt.transition(outcome)
    if transition.verdict == machine.PARK:
        return _park(attempt, outcome, transition)
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
        state.undo if visit.undoes else state.next_path,
        transition.output,
        encode_changes(outcome.changes),
        error,
        attempt.logs.encoded(),
        attempt.progress_fraction,
        attempt.progress_message,
    )
    move, snapshot = None, ""
    if transition.verdict == machine.CONTINUE:
        # What members gave stands nowhere in the run's own rows.
        # Nor does what was found out before a compensation: see Run.next_visit.
        undoes_another = visit.undoes is not None and visit.undoes.cursor != run.state.undo
        is_due = state.seq - run.snapshot_seq >= SNAPSHOT_EVERY
        if visit.joins or undoes_another or is_due:
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
    if transition.verdict == machine.FORK:
        checkpoint = _forking(checkpoint, visit, outcome)
    elif transition.verdict == machine.REOPEN:
        checkpoint = checkpoint._replace(reopens=True)
    elif run.is_strand and transition.verdict in (machine.COMPLETE, machine.FAIL):
        finishes = transition.result if outcome.finish else None
        completes = transition.verdict == machine.COMPLETE
        end = strand_end(run, completes, finishes, outcome.error)
        checkpoint = checkpoint._replace(end=end)
    if move is not None and move.status in FINAL:
        checkpoint = checkpoint._replace(child_of=run.child_of)
    return Conclusion(run, checkpoint, attempt, transition)


def _park(attempt: Attempt, outcome: Outcome, transition: Transition) -> Conclusion:
    """The attempt leaves memory and goes on later: its row says so, and what it waits for is
    written with it."""
    run, state = attempt.run, transition.state
    wait, child = outcome.waits or (None, None)
    step = _unfinished(attempt, "waiting")
    status = ExecutionStatus.WAITING
    if outcome.wake_at is not None and wait is not None and wait.kind == "sleep":
        status = ExecutionStatus.SLEEPING
    if state.undo:
        status = ExecutionStatus.COMPENSATING
    move = Move(status, to_snapshot(state, run.seq_of), state.seq, wake_at=outcome.wake_at)
    checkpoint = Checkpoint(
        run.id, run.lease, step, move, attempt.has_row, clears=run.suspect, wait=wait, child=child
    )
    return Conclusion(run, checkpoint, attempt, transition)


def _forking(checkpoint: Checkpoint, visit: Visit, outcome: Outcome) -> Checkpoint:
    """The members are written together with the parking of their parent."""
    assert checkpoint.move is not None
    results: Results = values.decode(outcome.output)
    count = len(results)
    block: Any = visit.node
    beginning = min(block.concurrency or count, count)
    last = UUID(int=results.first_id.int + beginning - 1)
    move = checkpoint.move._replace(
        remaining=count, released_id=last if beginning < count else None
    )
    fork = Fork(results.first_id, outcome.members, beginning)
    return checkpoint._replace(move=move, fork=fork)


def strand_end(
    run: Run,
    completes: bool,
    finishes: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> StrandEnd:
    """What the end of a strand means for those beside it; ``finishes``: the run's result, where it
    called ``self.finish``."""
    assert run.inherited is not None
    results: Results = values.decode(run.inherited.state.fork)
    block: Any = run.definition.nodes.get(node_name(run.state.base))
    if block is not None and block.kind != results.kind:
        block = None  # the code has changed
    if joining.stops(error):
        return StrandEnd(run.inherited.above, True, True)
    decides = joining.decides(block, completes)
    tolerated = 0
    if decides and not completes and block is not None:
        tolerated = block.tolerated(len(results)) or 0
    beside = _waits_beside(run, block) if completes and decides and finishes is None else ()
    return StrandEnd(run.inherited.above, not completes, decides, tolerated, finishes, beside)


def _waits_beside(run: Run, race: Any) -> tuple[str, ...]:
    """Of a race that a wait has won: the paths of the other waits that are its members."""
    fork = fork_of(run.claimed.path)
    waits = {
        f"{fork}/{member.name}" for member in race.children if isinstance(member, DeclaredWait)
    }
    return tuple(waits - {run.claimed.path}) if run.claimed.path in waits else ()


def _move(run: Run, attempt: Attempt, transition: Transition, error: str, step: StepRecord) -> Move:
    state = transition.state
    if transition.verdict == machine.FAIL and _rolls_back(run, error):
        state = state._replace(undo=START, attempt=0)
    snapshot = to_snapshot(state, _seq_of(run, attempt.visit, transition))
    if attempt.visit.undoes is not None and transition.verdict == machine.COMPLETE:
        return Move(end_of_rollback(state), snapshot, state.seq)
    if transition.verdict == machine.COMPLETE:
        changes = encode_changes(state.changes)
        return Move(
            ExecutionStatus.COMPLETED,
            snapshot,
            state.seq,
            result=transition.result,
            changes=changes,
        )
    if transition.verdict == machine.FAIL:
        failed = ExecutionStatus.COMPENSATING if state.undo else ExecutionStatus.FAILED
        return Move(failed, snapshot, state.seq, error=error)
    if transition.verdict in (machine.FORK, machine.REOPEN):
        return Move(ExecutionStatus.WAITING, snapshot, state.seq)
    assert step.finished_at is not None
    wake_at = step.finished_at + timedelta(seconds=transition.delay)
    sleeping = ExecutionStatus.COMPENSATING if state.undo else ExecutionStatus.SLEEPING
    return Move(sleeping, snapshot, state.seq, wake_at=wake_at)


def _rolls_back(run: Run, error: str) -> bool:
    declared = not run.is_strand and run.definition.compensations
    return bool(declared) and not joining.stops(values.decode(error))


def end_of_rollback(state: RunState) -> str:
    """The final status of a run whose compensations have ended."""
    unrecovered = state.unrecovered > 0
    return ExecutionStatus.COMPENSATION_FAILED if unrecovered else ExecutionStatus.COMPENSATED


def _seq_of(run: Run, visit: Visit, transition: Transition) -> dict[str, str]:
    """Where each output stands, this attempt's included."""
    unchanged = (machine.FAIL, machine.RETRY, machine.REOPEN)
    if transition.verdict in unchanged or visit.undoes is not None:
        return run.seq_of
    state = transition.state
    names = given_by(visit.path, visit.node.kind, state.next_path, state.base)
    return {**run.seq_of, **dict.fromkeys(names, str(visit.seq))}


def note_running(attempt: Attempt) -> Conclusion:
    """The ``running`` row of an attempt that has begun, with its progress and the logs so far."""
    step = _unfinished(attempt, "running")
    attempt.has_row = True
    checkpoint = Checkpoint(attempt.run.id, attempt.run.lease, step, replaces=True)
    return Conclusion(attempt.run, checkpoint, attempt)


def _unfinished(attempt: Attempt, status: str) -> StepRecord:
    """The row of an attempt that has not ended."""
    visit = attempt.visit
    return StepRecord(
        visit.seq,
        visit.path,
        attempt.step_name,
        visit.node.kind,
        visit.attempt,
        status,
        attempt.started_at,
        next_path=visit.path,
        logs=attempt.logs.encoded(),
        progress=attempt.progress_fraction,
        progress_message=attempt.progress_message,
    )
