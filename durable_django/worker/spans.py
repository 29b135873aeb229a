"""Spans of what a worker does: around the body of an attempt, and of a run that has ended.

Nothing here raises, and nothing is decided here.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .. import tracing
from ..store import clock
from .waiting import WAITS

if TYPE_CHECKING:
    from .attempt import Attempt
    from .run import Run


def around(attempt: Attempt) -> tracing.Span:
    """The span in which a body runs. A declared wait has none: it takes no time of its own, only
    what it starts is to know the trace."""
    run = attempt.run
    kept = run.claimed.trace_context
    if attempt.node.kind in WAITS:
        return tracing.Within(kept)
    attributes = {
        "durable.execution_id": str(run.run_id),
        "durable.workflow": run.definition.name,
        "durable.version": run.definition.version,
        "durable.node": attempt.step_name,
        "durable.path": attempt.path,
        "durable.attempt": attempt.number,
    }
    return tracing.Attempt(f"{run.definition.name}.{attempt.step_name}", kept, attributes)


def run_ended(run: Run, status: str) -> None:
    """The span of a run that has reached a final status; its strands have none."""
    if not run.is_traced or run.is_strand:
        return
    claimed = run.claimed
    ended_at: datetime = clock.known()
    attributes = {
        "durable.execution_id": str(run.id),
        "durable.version": run.definition.version,
        "durable.queue": claimed.queue,
    }
    tracing.run_ended(
        run.definition.name,
        claimed.trace_context,
        str(status),
        claimed.started_at,
        ended_at,
        attributes,
    )
