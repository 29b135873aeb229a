"""Upkeep: what a process that runs steps does for them now and then, beside its heartbeat."""

from __future__ import annotations

import time

from ..conf import settings
from ..store import tallies
from .conclusion import note_running
from .holdings import attempts_running
from .pool import Pool
from .rounds import Rounds


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


def upkeep(pool: Pool) -> Rounds:
    """The thread that does it in a process without a keeper."""
    again = LookAgain(pool)

    def look() -> None:
        note_long_running(pool)
        again.look()
        tallies.flush()

    return Rounds("upkeep", look)
