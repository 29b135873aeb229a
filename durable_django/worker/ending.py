"""What is written of a run that ends, or goes on, without an attempt.

What is stored of it cannot be read, its next node is gone from the code, its rollback has nothing
(more) to undo, or the last step of a strand has committed by itself and only the strand's end is
still to be told.
"""

from __future__ import annotations

from ..engine import machine, values
from ..engine.context import encode_changes
from ..engine.paths import node_name
from ..engine.rollback import START
from ..engine.state import to_snapshot
from ..exceptions import DefinitionChanged
from ..models import ExecutionStatus
from ..store.claiming import Claimed
from ..store.records import Checkpoint, Move, StrandEnd
from .conclusion import Conclusion, end_of_rollback, strand_end
from .run import Run
from .undoing import NothingToUndo, NoVisit


def end_of_unreadable(claimed: Claimed, error: Exception) -> Checkpoint:
    """What is stored of a claimed execution cannot be read: it fails."""
    text = values.encode(machine.error_of(error, None, ""), "error")
    move = Move(ExecutionStatus.FAILED, claimed.snapshot, claimed.snapshot_seq, error=text)
    end = child_of = None
    if claimed.parent_id is not None and claimed.path:
        end = StrandEnd((claimed.parent_id,), failed=True, decides=True)
    elif claimed.parent_id is not None:
        child_of = (claimed.parent_id, claimed.workflow_name)
    return Checkpoint(claimed.id, claimed.lease, None, move, end=end, child_of=child_of)


def conclude_without_attempt(run: Run, why: DefinitionChanged | NoVisit) -> Conclusion:
    """What it means that a run has no next visit."""
    if isinstance(why, DefinitionChanged):
        return _stop(run, why)
    return _end_rollback(run) if isinstance(why, NothingToUndo) else _end_strand(run)


def _stop(run: Run, error: BaseException) -> Conclusion:
    """Its next node is gone from the code: it fails, and can be continued."""
    state = run.state
    told = machine.error_of(error, node_name(state.next_path) or None, "")
    text = values.encode(told, "error")
    move = Move(ExecutionStatus.FAILED, to_snapshot(state, run.seq_of), state.seq, error=text)
    end = strand_end(run, False, error=told) if run.is_strand else None
    checkpoint = Checkpoint(run.id, run.lease, None, move, end=end, child_of=run.child_of)
    return Conclusion(run, checkpoint)


def _end_rollback(run: Run) -> Conclusion:
    """Where nothing was undone, the run is as if it had no compensations, and can be retried."""
    state = run.state._replace(undo="")
    status = end_of_rollback(state)
    if run.state.undo == START:
        state = run.before_rollback._replace(undo="")
        failed = bool(run.claimed.error_text)
        status = ExecutionStatus.FAILED if failed else ExecutionStatus.CANCELLED
    elif run.state.attempt:  # the code of the one that was tried last went with a deploy
        status = ExecutionStatus.COMPENSATION_FAILED
    move = Move(status, to_snapshot(state, run.seq_of), state.seq)
    return Conclusion(run, Checkpoint(run.id, run.lease, None, move, child_of=run.child_of))


def _end_strand(run: Run) -> Conclusion:
    """The worker died between the commit of its last, atomic, step and the strand's end."""
    state, last = run.state, run.claimed.recorded[-1]
    move = Move(
        ExecutionStatus.COMPLETED,
        to_snapshot(state, run.seq_of),
        state.seq,
        result=last.output,
        changes=encode_changes(state.changes),
    )
    end = strand_end(run, True)
    return Conclusion(run, Checkpoint(run.id, run.lease, None, move, end=end))


def end_apart(conclusion: Conclusion) -> tuple[Checkpoint, Conclusion]:
    """An atomic step that ends its strand: what its own transaction writes, and the end, which goes
    with the next wave. Counted in its transaction, all atomic members of a fork would queue for the
    lock of their parent, and more workers would be slower than one."""
    checkpoint = conclusion.checkpoint
    ended = checkpoint._replace(step=None, replaces=False, clears=False)
    own = checkpoint._replace(move=None, end=None, precedes_end=True)
    return own, Conclusion(conclusion.run, ended, told=checkpoint.step)
