"""Going on: a failed or cancelled run is reopened, where it stopped or at another node.

Runs alone, in its own transaction, under the run's lock. What is recorded stays recorded, but for
the waits of a visit that somebody wants forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from ..conf import settings
from ..definition.definition import Definition
from ..engine import going_on, values
from ..engine.skipping import stands_at_fork
from ..engine.state import to_snapshot
from ..exceptions import InvalidState
from ..models import AuditVerb, Execution, ExecutionStatus, StepRun, Wait, WaitStatus
from . import audit
from .inbox import renew
from .records import RECEIVE
from .reopening import reopen
from .stopped import (
    RETRYABLE,
    Stopped,
    code_of,
    failing,
    lock_run,
    read_members,
    read_run,
    without_attempt,
)
from .transactions import repeating, worker_transaction

FORGOTTEN_RECORDED_MAX = 100


def retry(
    pk: UUID,
    timeout: float | None,
    *,
    node: str | None = None,
    forgets: bool = False,
    by: Any = None,
    reason: str = "",
) -> Execution:
    """Reopens a failed or cancelled run at the node it stopped at, with fresh attempts, or at
    ``node``; ``forgets`` what the waits of the visit it stopped in gave.

    ``timeout`` is the seconds the run gets anew when its own timeout has passed meanwhile.
    """
    return repeating(lambda: _retry(pk, timeout, node, forgets, by, reason))


def _retry(
    pk: UUID, timeout: float | None, node: str | None, forgets: bool, by: Any, reason: str
) -> Execution:
    with worker_transaction(None):
        only = "only a failed or cancelled run can be retried"
        run = lock_run(pk, "retry", RETRYABLE, only)
        detail: dict[str, Any] = {}
        if forgets:
            detail["forgotten"] = _forget_waits(run)
        if node is not None:
            detail["node"] = node
            _go_on_at(run, node)
        audit.record(AuditVerb.RETRY, execution_id=pk, by=by, reason=reason, detail=detail)
        return reopen(run, timeout)


# -- at another node -----------------------------------------------------------------------------


def nodes_to_go_on_at(run: Execution) -> list[str]:
    """The names of the nodes at which a run can go on, in the order of the code."""
    if run.status not in RETRYABLE:
        return []
    try:
        definition = code_of(run, "retry")
    except InvalidState:
        return []
    return _names(definition, list(_standing(read_run(run, definition), definition)))


def _names(definition: Definition, standing: Sequence[Stopped]) -> list[str]:
    found: set[str] = set()
    for stopped in standing:
        found.update(going_on.places(definition, stopped.state))
    return [name for name in definition.nodes if name in found]


def _standing(stopped: Stopped, definition: Definition) -> Iterator[Stopped]:
    """The run, and those of its members, at any depth, that failed, or stand at a node that the
    code no longer has."""
    yield stopped
    yield from _members_standing(stopped, definition)


def _members_standing(stopped: Stopped, definition: Definition) -> Iterator[Stopped]:
    if not stands_at_fork(stopped.state):
        return
    for member in read_members(stopped, definition, RETRYABLE):
        failed = member.execution.status == ExecutionStatus.FAILED
        if failed or not going_on.can_go_on(definition, member.state):
            yield member
        yield from _members_standing(member, definition)


def _go_on_at(run: Execution, node: str) -> None:
    """Those that stand where they can go on at ``node`` stand there. ValueError naming the nodes
    there are, if none can."""
    definition = code_of(run, "retry")
    standing = list(_standing(read_run(run, definition), definition))
    moved = False
    for stopped in standing:
        prefix = going_on.places(definition, stopped.state).get(node)
        if prefix is None:
            continue
        _stand_at(run, definition, without_attempt(stopped), node, prefix)
        moved = True
        if stopped.execution.pk == run.pk:
            break  # its members are left behind
    if not moved:
        listed = ", ".join(_names(definition, standing))
        raise ValueError(f"execution {run.pk} cannot go on at {node!r}, but at: {listed}")


def _stand_at(
    run: Execution, definition: Definition, stopped: Stopped, node: str, prefix: str
) -> None:
    pk = stopped.execution.pk
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=pk)
    visited = rows.order_by().values_list("path", flat=True).distinct()
    state = going_on.go_on_at(definition, stopped.state, node, prefix, visited)
    execution = run if pk == run.pk else stopped.execution
    execution.snapshot = to_snapshot(state, stopped.seq_of)
    execution.snapshot_seq = state.seq
    if execution is not run:  # that is saved when it is reopened
        execution.save(using=settings.DATABASE, update_fields=["snapshot", "snapshot_seq"])


# -- without its waits ---------------------------------------------------------------------------


def _forget_waits(run: Execution) -> list[dict[str, Any]]:
    """Forgets what was recorded of waits in the visits a run stopped in, so that their bodies run
    afresh; what that was. Events it had been given are for its new waits."""
    paths = [
        stopped.state.next_path
        for stopped, is_deepest in failing(read_run(run), None)
        if is_deepest and not stands_at_fork(stopped.state)
    ]
    waits = Wait.objects.using(settings.DATABASE).filter(execution_id=run.pk, path__in=paths)
    forgotten = list(waits.order_by("path", "position"))
    given = [
        pk
        for wait in forgotten
        if wait.kind in RECEIVE and wait.status == WaitStatus.COMPLETED
        for pk in values.decode(wait.events_text)
    ]
    if given:
        renew(given)
    waits.delete()
    return [
        {"path": wait.path, "position": wait.position, "kind": wait.kind, "name": wait.name}
        for wait in forgotten[:FORGOTTEN_RECORDED_MAX]
    ]
