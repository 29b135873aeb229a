"""Rerun: a new run that stands as if it had done the first part of another one itself.

Everything of that part is copied, so that the new run outlives the old one; the old one is only
read, under its lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from .. import tracing
from ..conf import settings
from ..definition import registry
from ..definition.definition import Definition
from ..definition.workflow import Workflow
from ..engine import rerunning, values
from ..engine.context import Change, apply_changes
from ..engine.flow import Course, named_chain
from ..engine.paths import visits_on
from ..engine.rerunning import Ended, Start, Starts
from ..engine.state import RunState, to_snapshot
from ..exceptions import InvalidState
from ..models import Execution, StepRun
from ..models.execution import ExecutionKind
from . import audit, clock, wakeup
from .copying import Copies
from .hot import insert_rows
from .options import input_text, settled
from .rebuilding import Rebuilt, rebuilt
from .starting import new_row
from .transactions import lock_execution, repeating, worker_transaction


class Plan(NamedTuple):
    """What a rerun would do: with the class it is of, and the state it begins in."""

    workflow: type[Workflow]
    start: Start
    rebuilt: Rebuilt


class Asked(NamedTuple):
    """What somebody asks for. ``input`` is UNSET for that of the original; ``context`` are the
    changes made to it at the start."""

    node: str
    input: Any
    has_input: bool
    context: tuple[Change, ...]
    reason: str
    by: Any


def rerun(pk: UUID, asked: Asked) -> Execution:
    """Makes the new run. ExecutionNotFound, InvalidState, WorkflowNotFound, ValueError for a node
    it cannot begin at, and what the input raises."""
    return repeating(lambda: _rerun(pk, asked))


def plan(run: Execution, node: str) -> Plan:
    """What a rerun of ``run`` from ``node`` would do. Raises as :func:`rerun`."""
    check_can_rerun(run)
    cls = registry.get(run.workflow_name, run.version)
    start = _start(run, cls.definition, node)
    return Plan(cls, start, rebuilt(run.pk, start.seq, start.until))


def check_can_rerun(run: Execution) -> None:
    """InvalidState for what is no run, or has not ended."""
    what = f"cannot run execution {run.pk} again"
    if run.kind != ExecutionKind.WORKFLOW:
        raise InvalidState(f"{what}: it is a member of the run {run.root_id}; run that again")
    if not run.is_final:
        raise InvalidState(
            f"{what}: it is {run.status}, and only a run that has ended can be", status=run.status
        )


def starts_of(run: Execution, definition: Definition) -> Starts:
    """The places a run can be run again from, in the order in which it came to them."""
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk).order_by("seq")
    ended = [Ended(*row) for row in rows.values_list(*Ended._fields)]
    top = {str(node.name) for node in definition.top}
    return rerunning.starts(ended, definition.first, top)


def _start(run: Execution, definition: Definition, name: str) -> Start:
    """Where a rerun from a node begins: for one inside a block at the outermost block."""
    found = starts_of(run, definition)
    choices = ", ".join(found.possible) or "none"
    node = definition.nodes.get(name)
    if node is None:
        raise ValueError(
            f"{definition.name} has no node {name!r}; execution {run.pk} can be run again from: "
            f"{choices}"
        )
    outermost = (*named_chain(node), name)[0]
    if outermost in found.undone:
        instead = f"start from {found.last}" if found.last else "start a new run"
        raise InvalidState(
            f"cannot run execution {run.pk} again from {outermost}: what came before was "
            f"compensated and cannot be kept; {instead} instead",
            status=run.status,
        )
    if outermost not in found.possible:
        raise ValueError(
            f"execution {run.pk} never came to {outermost}; it can be run again from: {choices}"
        )
    return found.possible[outermost]


def _rerun(pk: UUID, asked: Asked) -> Execution:
    with worker_transaction(None):
        run = lock_execution(pk)
        made = plan(run, asked.node)
        state = entered(made)
        state = state._replace(context=apply_changes(state.context, asked.context))
        row = _row_of(run, made.workflow, asked)
        copies = Copies(run, row["id"], row["trace_context"])
        copies.write(made.start, made.rebuilt.forks)
        row["snapshot"] = copies.names.snapshot(to_snapshot(state, made.rebuilt.seq_of))
        row["snapshot_seq"] = state.seq
        insert_rows(Execution, list(row), [tuple(row.values())])
        _tell(run, row["id"], made, asked)
        wakeup.notify(row["queue"], [row["id"]])
        return Execution.objects.using(settings.DATABASE).get(pk=row["id"])


def entered(made: Plan) -> RunState:
    """The state in which the new run begins: before the node as the code has it now."""
    definition, start = made.workflow.definition, made.start
    visits: dict[str, int] = {}
    # Somebody may have let it go on elsewhere, where the code cannot jump.
    repeats = any("#" in path or path == start.node for path in start.kept)
    if definition.has_jumps or repeats:
        # Those inside the blocks that are through are not counted any more.
        visits = dict(each for path in start.kept for each in visits_on(path))
    course = Course(definition, visits)
    onward = course.enter(definition.nodes[start.node], "")
    return made.rebuilt.state._replace(
        next_path=onward, visits=course.visits, attempt=0, fork="", reopens=False
    )


def _row_of(run: Execution, cls: type[Workflow], asked: Asked) -> dict[str, Any]:
    options = settled(cls, queue=run.queue, priority=run.priority, tags=run.tags)
    text = input_text(cls, asked.input) if asked.has_input else run.input_text
    with tracing.starting(options.workflow_name, again=run.trace_context) as span:
        row = new_row(options, text, clock.now(), span.kept)
        span.tell(execution_id=row["id"], original=run.pk)
        return row


def _tell(run: Execution, new_id: UUID, made: Plan, asked: Asked) -> None:
    """Both runs say so, each naming the other."""
    common: Mapping[str, Any] = {"node": made.start.node}
    rest = {"by": asked.by, "reason": asked.reason}
    audit.record("rerun", execution_id=run.pk, detail={**common, "new": str(new_id)}, **rest)
    detail: dict[str, Any] = {**common, "original": str(run.pk), "seq": made.start.seq}
    if asked.context:
        before = made.rebuilt.state.context
        given = {change.key: values.decode(change.text) for change in asked.context}
        known = {key: values.decode(before[key]) for key in given if key in before}
        detail |= {"set": given, "before": known}
    if asked.has_input:
        detail["new_input"] = True
    audit.record("rerun", execution_id=new_id, detail=detail, **rest)
