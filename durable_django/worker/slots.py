"""The threads of the pool, and how a body running in one is interrupted."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from types import FrameType

from ..exceptions import AttemptAbandoned
from .attempt import Attempt

# How long a body that was interrupted may go on before it is interrupted again.
AGAIN_SECONDS = 1.0
# Modules that take locks shared by all threads with Python code between taking one and the `try`
# that gives it back: an exception there would leave it taken for ever. Interrupted at random, a
# step that logged all the time stopped the whole process within thirty interrupts.
HOLDS_LOCKS = frozenset({"threading", "queue", "contextlib", "importlib._bootstrap"})
# An interrupt is lost there.
SWALLOWS = frozenset({"_weakrefset", "weakref"})
# Of logging only the functions that do so: a step that logs all the time is nowhere else for long.
LOGGING_LOCKS = frozenset(
    {
        *("_acquireLock", "_releaseLock", "acquire", "release", "createLock", "handle", "flush"),
        *("close", "getLogger", "isEnabledFor", "setLevel", "addHandler", "removeHandler"),
        *("_clear_cache", "_fixupParents", "_fixupChildren", "addLevelName", "setLoggerClass"),
    }
)


def _is_no_place(frame: FrameType) -> bool:
    """Whether an exception at this point of a thread may leave a shared lock taken, or be lost."""
    module = frame.f_globals.get("__name__")
    if module == "logging":
        return frame.f_code.co_name in LOGGING_LOCKS
    return module in HOLDS_LOCKS or module in SWALLOWS


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
        self.since = time.monotonic()
        self.attempt = attempt
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

    def interrupt(self, attempt: Attempt) -> bool:
        """Raises AttemptAbandoned in the thread, at the next bytecode of its user code. A thread
        that sleeps or runs C code goes on until that ends. True: it has left that code. False: not
        yet, or not now; try again."""
        with self._lock:
            ident = self.thread.ident if self.thread else None
            # It may have ended meanwhile, and the thread be inside another run's step.
            if self.attempt is not attempt or not self._in_user_code or ident is None:
                return True
            # Raised in a destructor, or in the callback of a weak reference, it is swallowed, since
            # Python ignores what those raise. While a body cleans up, it is not raised again.
            now = time.monotonic()
            if attempt.interrupted_at is not None and now < attempt.interrupted_at + AGAIN_SECONDS:
                return False
            frame = sys._current_frames().get(ident)
            if frame is not None and _is_no_place(frame):
                return False
            self._interrupted = True
            attempt.interrupted_at = now
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(ident), ctypes.py_object(AttemptAbandoned)
            )
            return False
