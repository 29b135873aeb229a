"""The teller: sends signals whose receivers may take long (they write e-mails) beside the work.

One thread, begun with the first of them. What it has not told when the process dies is not told.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from .hygiene import close_all, close_old_connections

logger = logging.getLogger("durable_django.worker")

STOP_SECONDS = 5.0


class Teller:
    """Calls what it is given, one after another, in a thread of its own."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def tell(self, call: Callable[[], None]) -> None:
        """Leaves a call to the thread; returns at once."""
        self._calls.put(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="durable-teller", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread when it has told what is left, or after some seconds."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread.join(timeout=STOP_SECONDS)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                close_old_connections()
                call()
            except Exception:
                logger.exception("a signal could not be sent")
        close_all()
