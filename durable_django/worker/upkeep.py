"""Upkeep: what a process that runs steps does for them now and then, beside its heartbeat."""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..store import tallies
from .conclusion import note_running
from .hygiene import close_all, close_old_connections
from .leader import attempts_running
from .pool import Pool

logger = logging.getLogger("durable_django.worker")


def note_long_running(pool: Pool) -> None:
    """Attempts older than a heartbeat get a ``running`` row, through the committer."""
    old = time.monotonic() - settings.HEARTBEAT_SECONDS
    for attempt in attempts_running(pool):
        if attempt.begun < old and not attempt.settled:
            pool.finished.append(note_running(attempt))
    if pool.finished:
        pool.wake_leader()


class LookAgain:
    """Once in a lease the database is asked whether it says of a run that it is held here though
    it is not: whatever fault may have lost it, it goes on."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._next = time.monotonic() + settings.LEASE_SECONDS

    def look(self) -> None:
        """Lets the leader ask if it is time to."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + settings.LEASE_SECONDS
            self._pool.unsure = True
            self._pool.wake_leader()


class Upkeep:
    """One thread, for a process without a keeper."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._again = LookAgain(pool)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durable-upkeep", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.wait(settings.HEARTBEAT_SECONDS):
            try:
                close_old_connections()
                note_long_running(self._pool)
                self._again.look()
                tallies.flush()
            except DatabaseError as error:
                logger.warning("the database is away: %s", error)
                connections[settings.DATABASE].close()
            except Exception:
                logger.exception("the upkeep failed and goes on")
        close_all()
