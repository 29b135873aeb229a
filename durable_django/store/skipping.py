"""Skipping: a visit that failed is recorded as skipped, with what somebody said it gave.

Runs alone, in its own transaction, under the run's lock. The run, or those of its members at which
it failed, then stand behind that visit, and the run is reopened as by a retry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F

from ..conf import settings
from ..definition.definition import Definition
from ..definition.node import Node
from ..engine import joining, skipping, values
from ..engine.context import encode_changes
from ..engine.machine import COMPLETE, Outcome, Transition
from ..engine.paths import is_joining
from ..engine.state import given_by, to_snapshot
from ..exceptions import DefinitionChanged, InvalidState
from ..models import AuditVerb, Execution, ExecutionStatus, StepStatus
from . import audit, clock
from .children import tell_parents
from .ending import tell_finished
from .hot import insert_step_runs
from .joining import read_members
from .records import StepRecord
from .reopening import reopen
from .stopped import Stopped, code_of, failing, lock_run, read_run, without_attempt
from .transactions import repeating, worker_transaction

TOLD_MAX = 20
PATHS_RECORDED_MAX = 100
WHAT = "skip a node of"


class Place(NamedTuple):
    """A visit that can be skipped. ``is_own``: it is what failed, not a block around that."""

    stopped: Stopped
    path: str
    node: Node
    is_own: bool

    @property
    def shown(self) -> str:
        """Its path as people give it: a fork's join is the fork."""
        return self.path.removesuffix("[]")


def skip(
    pk: UUID,
    value: Any,
    node: str | None,
    timeout: float | None,
    *,
    by: Any = None,
    reason: str = "",
) -> Execution:
    """Skips the visit at which a failed run stands, or those called ``node``, with ``value``.

    ``timeout`` is the seconds the run gets anew when its own timeout has passed meanwhile.
    """
    text = values.encode(value, "value", limit=settings.MAX_PAYLOAD_BYTES)
    return repeating(lambda: _skip(pk, value, text, node, timeout, by, reason))


def _skip(
    pk: UUID, value: Any, text: str, node: str | None, timeout: float | None, by: Any, reason: str
) -> Execution:
    with worker_transaction(None):
        run = _lock(pk)
        definition = code_of(run, WHAT)
        chosen = _chosen(run, _places(run, definition), node)
        ended = False
        for place in chosen:
            ended = _record(run, definition, place, value, text) or ended
        detail = {
            "node": chosen[0].node.name,
            "paths": [place.shown for place in chosen[:PATHS_RECORDED_MAX]],
            "count": len(chosen),
            "value": value,
        }
        audit.record(AuditVerb.SKIP, execution_id=pk, by=by, reason=reason, detail=detail)
        return run if ended else reopen(run, timeout)


def paths_to_skip(run: Execution) -> list[str]:
    """The visits of a failed run that can be skipped: those that failed, then the blocks around
    them. Empty where there are none."""
    try:
        places = _places(run, code_of(run, WHAT)) if run.status == ExecutionStatus.FAILED else []
    except InvalidState:
        return []
    places.sort(key=lambda place: not place.is_own)
    return [place.shown for place in places]


def _lock(pk: UUID) -> Execution:
    only = "only a failed run stands at a node that can be skipped"
    return lock_run(pk, WHAT, (ExecutionStatus.FAILED,), only)


# -- which --------------------------------------------------------------------------------------


def _places(run: Execution, definition: Definition) -> list[Place]:
    """All that can be skipped. InvalidState where the code is to blame that nothing can be."""
    found: list[Place] = []
    fault: DefinitionChanged | None = None
    for stopped, is_deepest in failing(read_run(run, definition), definition):
        try:
            around = skipping.skippable(definition, stopped.state)
        except DefinitionChanged as changed:
            fault = changed
            continue
        for path, node in around.items():
            is_own = is_deepest and path == stopped.state.next_path
            found.append(Place(stopped, path, node, is_own and _failed_itself(stopped, node)))
    if not found and fault is not None:
        raise InvalidState(
            f"cannot {WHAT} execution {run.pk}: {fault}; choose where it goes on: retry(node=…)",
            status=run.status,
        )
    return found


def _failed_itself(stopped: Stopped, node: Node) -> bool:
    """Whether an execution stands where it failed: at a join it may have been cut off, with all its
    members, by a timeout."""
    if not is_joining(stopped.state.next_path):
        return True
    error = stopped.execution.error
    return error is not None and error.get("node") == node.name


def _chosen(run: Execution, places: Sequence[Place], node: str | None) -> list[Place]:
    """The places meant. ValueError naming those there are, where that is not clear."""
    if node is not None:
        chosen = [p for p in places if p.path.removesuffix("[]") == node.removesuffix("[]")]
        chosen = chosen or [place for place in places if place.node.name == node]
        if chosen:
            return chosen
        why = f"it did not fail at {node!r}"
    else:
        chosen = [place for place in places if place.is_own]
        if len(chosen) == 1:
            return chosen
        why = f"{len(chosen)} members failed: name one with node="
        if not chosen:
            why = "its members were cut off: name their block with node="
    told = [place.shown for place in sorted(places, key=lambda place: not place.is_own)]
    more = f" and {len(told) - TOLD_MAX} more" if len(told) > TOLD_MAX else ""
    listed = ", ".join(told[:TOLD_MAX])
    raise ValueError(f"cannot {WHAT} execution {run.pk}: {why} ({listed}{more})")


# -- how ----------------------------------------------------------------------------------------


def _record(run: Execution, definition: Definition, place: Place, value: Any, text: str) -> bool:
    """Writes the step run of a skipped visit, and where its execution then stands; whether that was
    the end of the run."""
    stopped = without_attempt(place.stopped)
    execution = run if stopped.execution.pk == run.pk else stopped.execution
    state = stopped.state
    given = _given(stopped, place, text)
    transition = skipping.skip(definition, state, place.path, value, given)
    now = clock.now()
    seq, onward = transition.state.seq, transition.state.next_path
    at_itself = place.path == state.next_path
    assert place.node.name is not None
    step = StepRecord(
        seq,
        place.path,
        place.node.name,
        place.node.kind,
        state.attempt + 1 if at_itself else 1,
        StepStatus.SKIPPED.value,
        now,
        now,
        onward,
        transition.output,
        encode_changes(given.changes),
    )
    insert_step_runs(None, [(execution.pk, step)])
    names = given_by(place.path, place.node.kind, onward, state.base)
    seq_of = {**stopped.seq_of, **dict.fromkeys(names, str(seq))}
    execution.snapshot = to_snapshot(transition.state, seq_of)
    execution.snapshot_seq = seq
    if transition.verdict == COMPLETE:
        _complete(execution, transition)
        return execution is run
    if execution is not run:
        execution.save(using=settings.DATABASE, update_fields=["snapshot", "snapshot_seq"])
    return False


def _given(stopped: Stopped, place: Place, text: str) -> Outcome:
    """What a skipped visit is said to have given. What completed members of a fork did to the
    context has been done, and stays."""
    if not is_joining(place.path):
        return Outcome("completed", text)
    results = values.decode(stopped.state.fork)
    kind = place.node.kind
    found = read_members(stopped.execution.pk, results, only_telling=kind == "foreach")
    done = [member for member in found.members if member.status == "completed"]
    did = tuple(change for member in done for change in member.changes)
    changes = skipping.fitting(stopped.state.context, did)
    gave = {} if kind == "foreach" else joining.what_members_gave(kind, done)
    return Outcome("completed", text, changes, **gave)


def _complete(execution: Execution, transition: Transition) -> None:
    """The visit skipped was the last of its run, or strand."""
    rows = Execution.objects.using(settings.DATABASE).filter(pk=execution.pk)
    execution.status = ExecutionStatus.COMPLETED.value
    execution.result_text = transition.result
    execution.error_text = execution.reason = ""
    execution.finished_at = clock.now()
    rows.update(
        status=execution.status,
        snapshot=execution.snapshot,
        snapshot_seq=execution.snapshot_seq,
        result_text=execution.result_text,
        changes_text=encode_changes(transition.state.changes),
        error_text="",
        reason="",
        finished_at=execution.finished_at,
        lease=F("lease") + 1,
    )
    if transition.state.base:  # a strand, whose parent is about to be reopened
        return
    if execution.parent_id is not None:
        tell_parents([(execution.parent_id, execution.workflow_name, execution.pk)])
    tell_finished(execution)
