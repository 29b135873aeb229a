"""Where a run has stopped that is to be repaired: its own row, or those members that failed.

The caller holds the lock of the run, whose members have all ended. Writes nothing but that an
attempt is given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from ..conf import settings
from ..definition import registry
from ..definition.definition import Definition
from ..engine import values
from ..engine.machine import (
    Recorded,
    initial_state,
    initial_strand,
    replay,
    seq_of_outputs,
)
from ..engine.skipping import stands_at_fork
from ..engine.state import RunState, attempted
from ..exceptions import InvalidState, WorkflowNotFound
from ..models import Execution, ExecutionStatus, StepStatus
from ..models.execution import ExecutionKind
from ..models.history import base_state, recorded_since
from . import clock
from .children import CALLER_ENDED, cancel_called
from .ending import stop_step_runs
from .transactions import lock_execution
from .waits import stop_waits

BATCH = 500
# What has ended and can be reopened.
RETRYABLE = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


class Stopped(NamedTuple):
    """A run, or strand, as it stands; ``rows`` are its step runs after its snapshot."""

    execution: Execution
    state: RunState
    rows: Sequence[Recorded]

    @property
    def seq_of(self) -> dict[str, str]:
        """Which step run holds the output of each node, of those after its snapshot."""
        return seq_of_outputs(self.rows, self.state.base)


def lock_run(pk: UUID, what: str, statuses: Sequence[str], only: str) -> Execution:
    """The run, locked. InvalidState, ``cannot <what> …``, for a member of one, and for one in none
    of these statuses: ``only`` says which can."""
    run = lock_execution(pk)
    if run.kind != ExecutionKind.WORKFLOW:
        raise InvalidState(
            f"cannot {what} execution {pk}: it is a member of the run {run.root_id}; {what} that"
        )
    if run.status not in statuses:
        raise InvalidState(
            f"cannot {what} execution {pk}: it is {run.status}, and {only}", status=run.status
        )
    return run


def code_of(run: Execution, what: str) -> Definition:
    """The definition of a run. InvalidState where this process does not have its code."""
    try:
        return registry.get(run.workflow_name, run.version).definition
    except WorkflowNotFound:
        raise InvalidState(
            f"cannot {what} execution {run.pk}: {run.workflow_name} (version {run.version}) is not "
            "registered here, and its code says what comes next"
        ) from None


def read_run(run: Execution, definition: Definition | None = None) -> Stopped:
    """A run as it stands. With its ``definition`` also one that never began stands somewhere."""
    rows = recorded_since({run.pk: run.snapshot_seq}, settings.DATABASE).get(run.pk, [])
    state, _ = replay(base_state(run.snapshot), rows, True)
    if definition is not None and not state.next_path and not state.last:
        state = initial_state(definition)._replace(context=state.context)
    return Stopped(run, state, rows)


def read_members(
    parent: Stopped, definition: Definition | None, statuses: Iterable[str]
) -> Iterator[Stopped]:
    """The members of the fork at which ``parent`` stands that began and are in one of these
    statuses, in order, as they stand."""
    results = values.decode(parent.state.fork)
    members = Execution.objects.using(settings.DATABASE).filter(
        parent_id=parent.execution.pk,
        id__gte=results.first_id,
        id__lte=results.last_id,
        status__in=list(statuses),
        lease__gt=0,
    )
    ids = list(members.order_by("id").values_list("id", flat=True))
    for begin in range(0, len(ids), BATCH):
        batch = list(members.filter(id__in=ids[begin : begin + BATCH]).order_by("id"))
        seqs = {row.pk: row.snapshot_seq for row in batch}
        recorded = recorded_since(seqs, settings.DATABASE)
        for row in batch:
            rows = recorded.get(row.pk, [])
            state, _ = replay(base_state(row.snapshot, row.path, parent.state), rows, True)
            if definition is not None and not state.next_path and not state.last:
                state = initial_strand(definition, row.path, parent.state)
            yield Stopped(row, state, rows)


def failing(stopped: Stopped, definition: Definition | None) -> Iterator[tuple[Stopped, bool]]:
    """What of a run failed, from the run's own row down through the members that did: (each,
    whether none below it failed)."""
    failed: list[Stopped] = []
    if stands_at_fork(stopped.state):
        failed = list(read_members(stopped, definition, [ExecutionStatus.FAILED]))
    yield stopped, not failed
    for member in failed:
        yield from failing(member, definition)


def without_attempt(stopped: Stopped) -> Stopped:
    """The same without the attempt that was under way when its code went: that is given up, and
    what it had called is cancelled."""
    if not stopped.rows or stopped.rows[-1].status not in ("running", "waiting"):
        return stopped
    pk = stopped.execution.pk
    stop_step_runs([pk], StepStatus.CANCELLED, clock.now())
    cancel_called(stop_waits([pk]), CALLER_ENDED, compensate=False)
    last = stopped.rows[-1]._replace(status="cancelled")
    return stopped._replace(state=attempted(stopped.state), rows=[*stopped.rows[:-1], last])
