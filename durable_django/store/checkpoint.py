"""Checkpoint: the outcomes of many runs, in one fenced transaction.

A wave never waits for a lock and touches only its own rows. Each write is fenced by the lease
number of its claim: what lost its lease writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import F

from ..conf import settings
from ..models import Execution, StepRun, StepStatus
from . import bulk, children, deciding, hot, pausing, strands, waits
from .hot import Locked
from .records import LOCKED, LOST, PARKED, WRITTEN, Checkpoint, Taking
from .transactions import has_row_locks, worker_transaction


def write_wave(
    worker_id: UUID,
    wave: Sequence[Checkpoint],
    uncertain: bool = False,
    taking: Taking | None = None,
) -> list[str]:
    """Writes the checkpoints of a wave in one transaction; a verdict for each, in order.

    ``uncertain`` says that the answer to an earlier commit of this wave was lost: what it wrote is
    then found by (execution, seq) and counts as written. ``taking`` is what the worker claims with
    the wave.

    Raises whatever the database raises; nothing is written then, or (a lost answer) all of it.
    """
    if taking is not None:
        taking.rows.clear()  # of a transaction that is repeated
    with worker_transaction(worker_id):
        return fenced_write(worker_id, wave, uncertain, taking=taking)


def fenced_write(
    worker_id: UUID,
    wave: Sequence[Checkpoint],
    uncertain: bool,
    *,
    wait: bool = False,
    starts: bool = False,
    taking: Taking | None = None,
) -> list[str]:
    """As :func:`write_wave`, inside a transaction that is open already. ``wait`` is for a
    transaction of one run, which may wait for its lock; ``starts``: of one whose attempt begins
    when this is written, and does not where the run is to stop.

    A checkpoint that ``is_alone`` is the only one of its wave.
    """
    # race: fence-before-write. The locks are held until the commit, so a cancel or a takeover
    # comes wholly before (and is seen here) or wholly after. Parents come first, as everywhere.
    above = {pk for c in wave if c.end for pk in c.end.locks}
    locked = hot.lock_rows([*above, *(c.execution_id for c in wave)], wait=wait)
    verdicts = [_verdict(worker_id, c, locked) for c in wave]
    _tell_locked_from_lost(worker_id, wave, verdicts)
    waits.lock_inboxes(wave, verdicts)
    if not wait:
        waits.leave_answered(wave, verdicts)
    if uncertain:
        _find_written(worker_id, wave, verdicts, locked)
    mine = [c for c, verdict in zip(wave, verdicts, strict=True) if verdict == "held"]
    # race: pause-and-checkpoint. Under the lock a pause comes wholly before, and the run stops
    # here, or wholly after, and finds it held: the worker is told by the next node's checkpoint.
    pausing_now = {c.execution_id for c in mine if locked[c.execution_id].paused_at is not None}
    if starts and pausing_now:
        pausing.park(pausing_now)
        return [PARKED]
    _write(worker_id, mine if wait else _without_late_notes(mine), locked, taking)
    stops = {c.execution_id for c in mine if c.execution_id in pausing_now and c.ends_node}
    if stops:
        pausing.park(stops)
    done = [PARKED if c.execution_id in stops else WRITTEN for c in wave]
    return [mark if v == "held" else v for mark, v in zip(done, verdicts, strict=True)]


def _verdict(worker_id: UUID, checkpoint: Checkpoint, locked: Mapping[UUID, Locked]) -> str:
    row = locked.get(checkpoint.execution_id)
    if row is None:
        return LOCKED
    if row.lease != checkpoint.lease or row.worker_id != worker_id:
        return LOST
    end = checkpoint.end
    return "held" if end is None or all(pk in locked for pk in end.locks) else LOCKED


def _tell_locked_from_lost(
    worker_id: UUID, wave: Sequence[Checkpoint], verdicts: list[str]
) -> None:
    """Rows that were skipped are read without a lock: gone or re-leased is lost, else locked."""
    skipped = [c.execution_id for c, v in zip(wave, verdicts, strict=True) if v == LOCKED]
    if not skipped:
        return
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=skipped)
    found = rows.values_list("id", "lease", "worker_id")
    now = {pk: (lease, holder == worker_id) for pk, lease, holder in found}
    for index, checkpoint in enumerate(wave):
        if verdicts[index] == LOCKED:
            row = now.get(checkpoint.execution_id)
            # On SQLite nothing is ever skipped: a missing row is a deleted one.
            still = row == (checkpoint.lease, True) and has_row_locks()
            verdicts[index] = LOCKED if still else LOST


def _find_written(
    worker_id: UUID,
    wave: Sequence[Checkpoint],
    verdicts: list[str],
    locked: Mapping[UUID, Locked],
) -> None:
    # race: lost-answer. The commit went through though its answer did not: ask by key.
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution__id__any=[c.execution_id for c in wave], worker_id=worker_id
    )
    # One that waits may have been written by an earlier leg of the same attempt.
    rows = rows.exclude(status__in=(StepStatus.RUNNING, StepStatus.WAITING))
    written = set(rows.values_list("execution_id", "seq", "attempt"))
    for index, checkpoint in enumerate(wave):
        step = checkpoint.step
        if step and (checkpoint.execution_id, step.seq, step.attempt) in written:
            row = locked.get(checkpoint.execution_id)
            is_gone = row is not None and row.worker_id != worker_id
            verdicts[index] = PARKED if is_gone and checkpoint.ends_node else WRITTEN


def _without_late_notes(mine: list[Checkpoint]) -> list[Checkpoint]:
    """Leaves out notes that an attempt runs whose end is recorded already."""
    # race: late-note. An atomic step commits its end by itself, perhaps while the note that it
    # still runs is on its way to a wave: its row must not say `running` again.
    notes = {
        (checkpoint.execution_id, checkpoint.step.seq)
        for checkpoint in mine
        if checkpoint.step and checkpoint.step.status == StepStatus.RUNNING
    }
    if not notes:
        return mine
    rows = StepRun.objects.using(settings.DATABASE).filter(
        execution__id__any=[pk for pk, _ in notes], seq__in={seq for _, seq in notes}
    )
    unfinished = (StepStatus.RUNNING, StepStatus.WAITING)
    ended = rows.exclude(status__in=unfinished).values_list("execution_id", "seq")
    late = notes & set(ended)
    return [c for c in mine if not (c.step and (c.execution_id, c.step.seq) in late)]


def _write(
    worker_id: UUID,
    mine: Sequence[Checkpoint],
    locked: dict[UUID, Locked],
    taking: Taking | None,
) -> None:
    mine = [deciding.reopened(c) if c.reopens else c for c in mine]
    fresh = [(c.execution_id, c.step) for c in mine if c.step and not c.replaces]
    if fresh:
        hot.insert_step_runs(worker_id, fresh)
    taken_over = [(c.execution_id, c.step) for c in mine if c.step and c.replaces]
    if taken_over:
        bulk.take_over_step_runs(worker_id, taken_over)
    parking = [c for c in mine if c.wait]
    if parking:
        ready = waits.insert_waits(parking, locked)
        mine = [ready.get(c.execution_id, c) for c in mine]
    moving = [c for c in mine if c.move]
    if moving:
        hot.move_executions(moving)
    calling = [c for c in mine if c.child]
    if calling:
        children.insert_children(calling)
    ended_children = [(*c.child_of, c.execution_id) for c in mine if c.child_of]
    if ended_children:
        children.tell_parents(ended_children)
    rows = Execution.objects.using(settings.DATABASE)
    for checkpoint in mine:
        if checkpoint.snapshot and checkpoint.step and not checkpoint.move:
            rows.filter(pk=checkpoint.execution_id).update(
                snapshot=checkpoint.snapshot, snapshot_seq=checkpoint.step.seq
            )
    cleared = [c.execution_id for c in mine if c.clears and not c.move]
    if cleared:
        rows.filter(id__any=cleared).update(suspect=False, recoveries=0)
    bumped = [c.execution_id for c in mine if c.bumps and not c.move]
    if bumped:  # a compensation that was given up: the run goes on with the next one
        rows.filter(id__any=bumped).update(lease=F("lease") + 1)
    forking = [c for c in mine if c.fork]
    if forking:
        strands.insert_strands(forking)
    ended = [c for c in mine if c.end]
    if ended:
        if ended[0].is_alone:
            deciding.decide(locked, ended[0])
        else:
            strands.count_ends(locked, ended, taking)


def record_start(worker_id: UUID, checkpoint: Checkpoint, recoveries: int | None = None) -> str:
    """Commits the start of an attempt as a ``running`` row before its body begins; the verdict.
    PARKED: nothing was written, and it must not begin, since its run is to stop.

    ``recoveries`` is the count of workers that died inside this attempt, kept on the run.
    """
    with worker_transaction(worker_id):
        verdicts = fenced_write(worker_id, [checkpoint], False, wait=True, starts=True)
        if verdicts == [WRITTEN] and recoveries is not None and checkpoint.step:
            Execution.objects.using(settings.DATABASE).filter(pk=checkpoint.execution_id).update(
                recoveries=recoveries, recovery_seq=checkpoint.step.seq
            )
    return verdicts[0]


def fence(leases: dict[UUID, int]) -> set[UUID]:
    """Those of the runs whose lease is still the given one, and that are not to stop: one SELECT,
    no lock."""
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(leases))
    held = rows.filter(worker__isnull=False, paused_at__isnull=True)
    now = held.values_list("id", "lease")
    return {pk for pk, lease in now if leases[pk] == lease}
