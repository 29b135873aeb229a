"""The event loop that runs ``async def`` steps, in a thread of its own.

Each step has its own ThreadSensitiveContext, so that ``sync_to_async`` code of two steps (their
ORM queries) does not queue behind one thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async

from .attempt import Attempt, run_body_async
from .conclusion import Conclusion, conclude
from .hygiene import close_all

logger = logging.getLogger("durable_django.worker")


class AsyncLoop:
    """Runs attempts and tells ``ended(attempt, conclusion)``; None: it was given up, or the
    engine failed."""

    def __init__(self, ended: Callable[[Attempt, Conclusion | None], None]) -> None:
        self._ended = ended
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self.running: dict[Attempt, asyncio.Task[None] | None] = {}

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="durable-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, when no attempt runs any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(timeout=5)

    def submit(self, attempt: Attempt) -> None:
        """Begins an attempt; returns at once. From any thread."""
        self.running[attempt] = None  # from now on, so that whoever counts them counts right
        self._loop.call_soon_threadsafe(self._begin, attempt)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _begin(self, attempt: Attempt) -> None:
        if attempt.settled:  # given up before it began
            del self.running[attempt]
            self._ended(attempt, None)
            return
        attempt.begun = time.monotonic()
        task = self._loop.create_task(self._serve(attempt))
        self.running[attempt] = task

        def interrupt(attempt: Attempt) -> bool:
            self._loop.call_soon_threadsafe(task.cancel)
            return True

        attempt.interrupt = interrupt

    async def _serve(self, attempt: Attempt) -> None:
        conclusion = None
        try:
            async with ThreadSensitiveContext() as context:
                outcome = await run_body_async(attempt)
                if context in SyncToAsync.context_to_thread_executor:
                    # The step used its thread, which ends with the context: not so its connections.
                    await sync_to_async(close_all)()
            if attempt.settle():
                attempt.settled_here = True
                conclusion = conclude(attempt, outcome)
        except Exception:
            logger.exception("execution %s: a step could not be concluded", attempt.run.id)
        finally:
            self.running.pop(attempt, None)
            self._ended(attempt, conclusion)
