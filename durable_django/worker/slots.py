"""The threads of the pool, and how a body running in one is interrupted."""

from __future__ import annotations

import ctypes
import threading
import time

from ..exceptions import AttemptAbandoned
from .attempt import Attempt


class Slot:
    """One thread. ``attempt`` is what it runs now, ``since`` when that began (monotonic)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread: threading.Thread | None = None
        self.attempt: Attempt | None = None
        self.since = 0.0
        self.stuck = False
        self._lock = threading.Lock()
        self._in_user_code = False
        self._interrupted = False

    def enter(self, attempt: Attempt) -> None:
        """User code begins."""
        self.attempt = attempt
        self.since = time.monotonic()
        attempt.interrupt = self.interrupt
        self._interrupted = False
        self._in_user_code = True

    def leave(self) -> None:
        """User code has ended; an interrupt that has not been raised yet is taken back."""
        with self._lock:
            self._in_user_code = False
            if self._interrupted and self.thread and self.thread.ident:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident), None)
            self.attempt = None

    def was_interrupted(self) -> bool:
        """Whether the body that ran last was interrupted: its connections may be in any state."""
        return self._interrupted

    def interrupt(self, attempt: Attempt) -> None:
        """Raises AttemptAbandoned in the thread, at the next bytecode of its user code. A thread
        that sleeps or runs C code goes on until that ends."""
        with self._lock:
            # It may have ended meanwhile, and the thread be inside another run's step.
            if self.attempt is attempt and self._in_user_code and self.thread and self.thread.ident:
                self._interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.thread.ident), ctypes.py_object(AttemptAbandoned)
                )
