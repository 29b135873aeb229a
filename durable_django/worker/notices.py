"""What the worker tells of what it committed: signals, spans, the numbers of runs that ended."""

from __future__ import annotations

from ..conf import settings
from ..models import Wait
from ..signals import execution_finished as execution_finished_signal
from ..signals import input_requested as input_requested_signal
from ..signals import step_finished as step_finished_signal
from ..store import clock, tallies
from . import spans
from .conclusion import Conclusion
from .run import Run


def execution_finished(run: Run, status: str) -> None:
    """Tells that a run has reached a final status; of its strands nobody is told."""
    spans.run_ended(run, status)
    if execution_finished_signal.receivers and not run.is_strand:
        execution_finished_signal.send_robust(
            sender=run.definition.name, execution_id=run.id, status=str(status)
        )


def count_ended(run: Run, status: str) -> None:
    """Counts a run that has reached a final status, for the charts; its strands are not counted."""
    if not run.is_strand:
        tallies.count(run.definition.name, status, run.claimed.started_at, clock.known())


def step_finished(conclusion: Conclusion) -> None:
    """Tells that an attempt has ended."""
    step = conclusion.told or conclusion.checkpoint.step
    if step is not None and step.finished_at is not None and step_finished_signal.receivers:
        step_finished_signal.send_robust(
            sender=conclusion.run.definition.name,
            execution_id=conclusion.run.run_id,
            node=step.name,
            status=step.status,
            attempt=step.attempt,
        )


def input_requested(conclusion: Conclusion) -> None:
    """Tells that a run waits for somebody to give something."""
    wait = conclusion.checkpoint.wait
    if wait is None or not input_requested_signal.receivers:
        return
    rows = Wait.objects.using(settings.DATABASE).filter(
        execution_id=wait.execution_id, path=wait.path, position=wait.position
    )
    pk = rows.values_list("id", flat=True).first()
    if pk is not None:
        input_requested_signal.send_robust(
            sender=conclusion.run.definition.name,
            execution_id=wait.execution_id,
            pending_input_id=pk,
            name=wait.name,
            assignee_kind=wait.assignee_kind,
            assignee=wait.assignee,
        )
