"""Rounds: a thread that does one thing once a heartbeat, whatever comes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from .hygiene import close_all, close_old_connections

logger = logging.getLogger("durable_django.worker")


class Rounds:
    """Calls ``do`` every ``HEARTBEAT_SECONDS``, on a connection of its own; ``name`` says what it
    is, in logs."""

    def __init__(self, name: str, do: Callable[[], None]) -> None:
        self._name = name
        self._do = do
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"durable-{name}", daemon=True)

    def start(self) -> None:
        """Starts the thread; the first round comes a heartbeat later."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.wait(settings.HEARTBEAT_SECONDS):
            try:
                close_old_connections()
                self._do()
            except DatabaseError as error:
                logger.warning("no %s, the database is away: %s", self._name, error)
                connections[settings.DATABASE].close()
            except Exception:
                logger.exception("the %s failed and goes on", self._name)
        close_all()
