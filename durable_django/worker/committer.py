"""Group commit: the checkpoints of many runs in one transaction, and what to do when it fails.

Whatever the database does, each conclusion ends with a verdict: written, lost or locked. It knows
no threads; whoever holds the baton calls it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connections

from ..conf import settings
from ..engine.machine import Outcome
from ..store.checkpoint import write_wave
from ..store.racing import is_overtaken
from ..store.records import LOCKED, LOST, Checkpoint, Taking
from ..store.transactions import is_repeatable
from .attempt import error_of
from .conclusion import Conclusion, conclude

logger = logging.getLogger("durable_django.worker")

PAUSE_SECONDS_MAX = 2.0


class Committer:
    """Writes waves for one worker. ``may_write`` says whether its lease still holds."""

    def __init__(self, may_write: Callable[[], bool]) -> None:
        self._may_write = may_write
        # Whether the answer to a commit was lost since this was set to False.
        self.lost_answer = False

    def commit(
        self, worker_id: UUID, wave: Sequence[Conclusion], taking: Taking | None = None
    ) -> list[tuple[Conclusion, str]]:
        """Writes the conclusions; each with its verdict. A conclusion that the database refuses
        comes back replaced by the failed attempt that was written in its stead."""
        alone = [conclusion for conclusion in wave if conclusion.checkpoint.is_alone]
        together = [conclusion for conclusion in wave if not conclusion.checkpoint.is_alone]
        found = self._commit_together(worker_id, together, taking) if together else []
        return found + [self._commit_in_turn(worker_id, conclusion) for conclusion in alone]

    def _commit_in_turn(self, worker_id: UUID, conclusion: Conclusion) -> tuple[Conclusion, str]:
        """What has won a race waits for a moment where another worker has the one that was over
        before it, which wins it then."""
        if is_overtaken(conclusion.checkpoint):
            return conclusion, LOCKED
        return self._commit_alone(worker_id, conclusion)

    def _commit_together(
        self, worker_id: UUID, wave: Sequence[Conclusion], taking: Taking | None
    ) -> list[tuple[Conclusion, str]]:
        try:
            verdicts = self._write(worker_id, wave, taking)
            return list(zip(wave, verdicts, strict=True))
        except DatabaseError:
            if taking is not None:
                taking.rows.clear()
            if len(wave) > 1:
                logger.exception("a wave of %d checkpoints failed; writing each alone", len(wave))
        return [self._commit_alone(worker_id, conclusion) for conclusion in wave]

    def _write(
        self, worker_id: UUID, wave: Sequence[Conclusion], taking: Taking | None = None
    ) -> list[str]:
        return self.write(worker_id, [conclusion.checkpoint for conclusion in wave], taking)

    def write(
        self, worker_id: UUID, checkpoints: Sequence[Checkpoint], taking: Taking | None = None
    ) -> list[str]:
        """Writes checkpoints, again while the database is away, deadlocks or is locked."""
        uncertain = False
        pause = 0.005
        while True:
            try:
                return write_wave(worker_id, checkpoints, uncertain, taking)
            except (OperationalError, InterfaceError) as error:
                if not is_repeatable(error):
                    # The answer to the commit may be what was lost.
                    uncertain = self.lost_answer = True
                    connections[settings.DATABASE].close()
                    logger.warning("the database is away, checkpoints wait: %s", error)
                if not self._may_write():
                    if taking is not None:
                        taking.rows.clear()
                    return [LOST] * len(checkpoints)
            time.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    def _commit_alone(self, worker_id: UUID, conclusion: Conclusion) -> tuple[Conclusion, str]:
        try:
            return conclusion, self._write(worker_id, [conclusion])[0]
        except DatabaseError as error:
            logger.exception("execution %s: its checkpoint was refused", conclusion.run.id)
            if conclusion.attempt is None or conclusion.transition is None:
                return conclusion, LOST
            failed = Outcome("failed", error=error_of(conclusion.attempt, error))
            instead = conclude(conclusion.attempt, failed)
        try:
            return instead, self._write(worker_id, [instead])[0]
        except DatabaseError:
            # Not even the failure can be written: the run stays this worker's until it stops, and
            # the next one tries again under MAX_RECOVERIES.
            logger.exception("execution %s: its failure cannot be recorded", conclusion.run.id)
            return instead, LOST
