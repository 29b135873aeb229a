"""The cleaner: deletes what retention says, in a thread of its own, now and then, for a fraction of
a second, so that what is due is not woken later for it.

The keeper asks it at every look; it has no thread and no connection between two rounds. It may do
nothing that anybody waits for.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from uuid import UUID

from django.db import Error as DatabaseError

from ..store import retention
from .hygiene import close_all, close_old_connections

logger = logging.getLogger("durable_django.worker")

ROUND_SECONDS = 60.0
# A round that was too short to delete all goes on after a pause of four times its length.
WORK_SECONDS = 0.5
PAUSE_SECONDS = 2.0


class Cleaner:
    """The rounds of one worker."""

    def __init__(self) -> None:
        self._rounds = retention.Rounds()
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Workers that begin together do not look together.
        self._next_round = time.monotonic() + random.random() * ROUND_SECONDS

    def look(self, worker_id: UUID) -> None:
        """Begins a round if it is time for one; returns at once."""
        under_way = self._thread is not None and self._thread.is_alive()
        if self._stopping or under_way or time.monotonic() < self._next_round:
            return
        self._next_round = time.monotonic() + ROUND_SECONDS
        self._thread = threading.Thread(
            target=self._run, args=(worker_id,), name="durable-cleaner", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Waits for the round that is under way."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self, worker_id: UUID) -> None:
        try:
            close_old_connections()
            self.clean(worker_id)
        except DatabaseError as error:
            logger.warning("nothing is deleted now: %s", error)
        except Exception:
            logger.exception("the cleaner failed; it tries again in %g seconds", ROUND_SECONDS)
        finally:
            close_all()

    def clean(self, worker_id: UUID) -> None:
        """One round, in the calling thread."""
        workers = retention.prune_workers()
        if workers:
            logger.info("deleted %d workers that are long gone", workers)
        lost = retention.find_lost()
        if lost:
            logger.warning("%d workers that nobody knows hold executions: declared dead", lost)
        if not retention.is_any():
            return
        done = self._rounds.run(worker_id, WORK_SECONDS)
        if done.trees:
            logger.info(
                "deleted %d runs that ended long ago: %d executions, %d step runs",
                *(done.trees, done.executions, done.step_runs),
            )
        if done.is_more:
            self._next_round = time.monotonic() + PAUSE_SECONDS
