"""The heartbeat: one statement on a connection of its own that renews the lease of everything held.

If it cannot beat in time, no step starts in this process any more, since others may take over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID

from ..conf import settings
from ..store import leases
from .rounds import Rounds

logger = logging.getLogger("durable_django.worker")


class Heartbeat:
    """One thread. ``register`` writes a new worker row and returns its id; ``dropped`` is told when
    the old one was declared dead, with the new id."""

    def __init__(self, register: Callable[[], UUID], dropped: Callable[[UUID], None]) -> None:
        self._register = register
        self._dropped = dropped
        self._rounds = Rounds("heartbeat", self._beat)
        self._last_beat = time.monotonic()
        self.worker_id: UUID

    def start(self, worker_id: UUID) -> None:
        """Starts beating for ``worker_id``, which has just registered."""
        self.worker_id = worker_id
        self._last_beat = time.monotonic()
        self._rounds.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._rounds.stop()

    def holds(self) -> bool:
        """Whether the lease surely still holds: whether steps may start and write."""
        limit = settings.LEASE_SECONDS - settings.HEARTBEAT_SECONDS
        return time.monotonic() - self._last_beat < limit

    def _beat(self) -> None:
        begun = time.monotonic()
        if leases.beat(self.worker_id):
            self._last_beat = begun
            return
        logger.error(
            "worker %s was declared dead; dropping all and registering anew", self.worker_id
        )
        self.worker_id = self._register()
        self._last_beat = begun
        self._dropped(self.worker_id)
