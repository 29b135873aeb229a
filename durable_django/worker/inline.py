"""The inline driver: serves ready runs one step at a time in the calling thread and transaction.

For tests: the same claims, bodies, checkpoints and verdicts as the pool's, without its threads. It
never waits and never closes a connection.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from uuid import UUID

from asgiref.sync import async_to_sync

from ..conf import settings
from ..engine.machine import Outcome
from ..exceptions import DefinitionChanged, Suspension, WorkflowNotFound
from ..models import FINAL, Execution
from ..store import checkpoint, clock, delivering, firing, leases, waking
from ..store.claiming import READY_NOW, Claimed, claim, postpone, release
from ..store.records import WRITTEN
from . import notices
from .apart import commit_start, run_atomic, verdict_of_recovery
from .attempt import Attempt, run_body, run_body_async, timed_out
from .capture import capturing
from .compensating import attempt_at
from .conclusion import Conclusion, conclude
from .ending import conclude_without_attempt
from .run import UNKNOWN_WORKFLOW_SECONDS, Run, definition_of
from .undoing import NoVisit

BATCH = 64
BodyRunner = Callable[[Attempt, Callable[[], Outcome]], Outcome]


class SimulatedCrash(Suspension):
    """The worker dies here, as far as the run can tell."""


def run_plainly(attempt: Attempt, body: Callable[[], Outcome]) -> Outcome:
    """Runs the body; a test kit puts faults around it instead."""
    return body()


class InlineDriver:
    """Drives everything that is ready or due, in any queue. ``around`` runs each body;
    ``is_strict``: a ContextConflict fails its block instead of being logged."""

    def __init__(self, around: BodyRunner = run_plainly, *, is_strict: bool = True) -> None:
        self._around = around
        self._is_strict = is_strict
        self._worker_id: UUID | None = None

    @property
    def worker_id(self) -> UUID:
        """The worker row in whose name runs are claimed; made when first needed."""
        if self._worker_id is None:
            self._worker_id = leases.register(
                hostname=platform.node()[:255],
                pid=os.getpid(),
                pid_space="",
                queues=[],
                threads=0,
                executor="inline",
                package_version="",
            )
        return self._worker_id

    def drain(self) -> int:
        """Drives until nothing is ready or due; how many attempts were made."""
        with capturing():
            return self._drain()

    def _drain(self) -> int:
        attempts = 0
        while True:
            touched = delivering.deliver_all(self.worker_id).woken
            touched += waking.wake_due(self.worker_id)
            touched += firing.fire_due(self.worker_id) + firing.fire_queued(self.worker_id)
            leases.beat(self.worker_id)
            claimed = claim(self.worker_id, self._queues(), BATCH)
            if not claimed and not touched:
                break
            pending = {run.id: run.lease for run in claimed}
            try:
                for found in claimed:
                    # One beside it may have failed or won since the claim, or paused it.
                    if checkpoint.fence({found.id: found.lease}):
                        del pending[found.id]
                        attempts += self._serve(found)
            except SimulatedCrash:
                self._die()
            finally:
                release(self.worker_id, pending)
        self.stop()
        return attempts

    def _serve(self, claimed: Claimed) -> int:
        """A workflow that is not registered is put back, as a worker would."""
        try:
            definition = definition_of(claimed)
        except WorkflowNotFound:
            postpone(self.worker_id, claimed.id, claimed.lease, UNKNOWN_WORKFLOW_SECONDS)
            return 0
        run = Run(claimed, definition)
        run.is_strict = self._is_strict
        return self._drive(run)

    def stop(self) -> None:
        """Ends the worker row; the next drain makes another."""
        if self._worker_id is not None:
            leases.stop(self._worker_id)
            self._worker_id = None

    def _queues(self) -> list[str]:
        rows = Execution.objects.using(settings.DATABASE).filter(READY_NOW)
        return list(rows.order_by("queue").values_list("queue", flat=True).distinct())

    def _die(self) -> None:
        """What the others do about a worker that is gone."""
        dead, self._worker_id = self.worker_id, None
        leases.declare_dead(dead, overdue_only=False)
        leases.take_back(self.worker_id)

    def _drive(self, run: Run) -> int:
        """One run until it ends, parks or is lost; the attempts made."""
        attempts = 0
        while True:
            try:
                visit = run.next_visit()
            except (DefinitionChanged, NoVisit) as why:
                ended = self._write(conclude_without_attempt(run, why))
                if ended is not None and ended.checkpoint.move is not None:
                    notices.execution_finished(run, ended.checkpoint.move.status)
                return attempts
            attempts += 1
            conclusion = self._attempt(attempt_at(run, visit))
            if conclusion is None or conclusion.transition is None:
                return attempts
            move = conclusion.checkpoint.move
            if move is not None:
                if move.status in FINAL:
                    notices.execution_finished(run, move.status)
                if conclusion.asks_somebody:
                    notices.input_requested(conclusion)
                return attempts
            self._go_on(run, conclusion)

    def _go_on(self, run: Run, conclusion: Conclusion) -> None:
        assert conclusion.transition is not None
        assert conclusion.attempt is not None
        state = conclusion.transition.state
        run.go_on(conclusion.attempt.visit, state, conclusion.checkpoint)

    def _attempt(self, attempt: Attempt) -> Conclusion | None:
        """Makes one attempt and records it; None if it goes on no further here: the lease was lost,
        or the run is paused."""
        verdict = verdict_of_recovery(attempt)
        if verdict is not None:
            return self._write(conclude(attempt, verdict))
        run = attempt.run
        starts_first = run.suspect or run.started_row or attempt.node.at_most_once
        if starts_first and not commit_start(self.worker_id, attempt):
            return None
        if attempt.node.atomic:
            conclusion = run_atomic(self.worker_id, attempt, self._around)
            if conclusion is None or not conclusion.verdict:
                return conclusion and self._write(conclusion)
            notices.step_finished(conclusion)
            return conclusion if conclusion.verdict == WRITTEN else None
        outcome = self._around(attempt, lambda: self._body(attempt))
        return self._write(conclude(attempt, self._in_time(attempt, outcome)))

    def _body(self, attempt: Attempt) -> Outcome:
        if attempt.node.is_async:
            return async_to_sync(run_body_async)(attempt)
        return run_body(attempt)

    def _in_time(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """A body that moved the clock past its own timeout has timed out."""
        timeout = attempt.node.timeout
        if timeout and (clock.now() - attempt.leg_began_at).total_seconds() > timeout:
            return timed_out(attempt)
        return outcome

    def _write(self, conclusion: Conclusion) -> Conclusion | None:
        verdicts = checkpoint.write_wave(self.worker_id, [conclusion.checkpoint])
        notices.step_finished(conclusion)
        return conclusion if verdicts == [WRITTEN] else None
