"""The heartbeat: one statement on a connection of its own that renews the lease of everything held.

If it cannot beat in time, no step starts in this process any more, since others may take over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..store import leases
from .hygiene import close_all, close_old_connections

logger = logging.getLogger("durable_django.worker")


class Heartbeat:
    """One thread. ``register`` writes a new worker row and returns its id; ``dropped`` is told when
    the old one was declared dead, with the new id."""

    def __init__(self, register: Callable[[], UUID], dropped: Callable[[UUID], None]) -> None:
        self._register = register
        self._dropped = dropped
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durable-heartbeat", daemon=True)
        self._last_beat = time.monotonic()
        self.worker_id: UUID

    def start(self, worker_id: UUID) -> None:
        """Starts beating for ``worker_id``, which has just registered."""
        self.worker_id = worker_id
        self._last_beat = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def holds(self) -> bool:
        """Whether the lease surely still holds: whether steps may start and write."""
        limit = settings.LEASE_SECONDS - settings.HEARTBEAT_SECONDS
        return time.monotonic() - self._last_beat < limit

    def _run(self) -> None:
        while not self._stopping.wait(settings.HEARTBEAT_SECONDS):
            try:
                close_old_connections()
                self._beat()
            except DatabaseError as error:
                logger.warning("no heartbeat, the database is away: %s", error)
                connections[settings.DATABASE].close()
            except Exception:
                logger.exception("the heartbeat failed and goes on")
        close_all()

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
