"""Log capture: what a step logs or prints is kept on its StepRun.

Installed while a worker runs. Where no attempt runs, nothing is kept and nothing changes.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ..conf import settings
from ..engine import values
from ..engine.current import current_attempt
from ..store import clock

STEP_LOGGER = "durable_django.step"


class CaptureHandler(logging.Handler):
    """Adds each record of at least ``LOG_LEVEL`` to the attempt that wrote it."""

    def emit(self, record: logging.LogRecord) -> None:
        attempt = current_attempt.get()
        if attempt is None:
            return
        try:
            message = self.format(record)
        except Exception:  # a record whose arguments do not fit its message
            message = f"{values.visible(record.msg)} {values.visible(record.args)}"
        attempt.logs.add(clock.at(time.monotonic()), record.levelname, record.name, message)


class CapturedStream:
    """Stands for ``sys.stdout``: what a step prints goes to its log, line by line, and on to the
    real stream."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        attempt = current_attempt.get()
        if attempt is not None:
            attempt.logs.write(clock.at(time.monotonic()), self._name, text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _OldThreshold(logging.Filter):
    """Keeps the root's handlers as quiet as they were before its level was lowered."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= self._level:
            return True
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger.parent is not None:
            if logger.level and logger.name != STEP_LOGGER:
                return True  # its own level let it through before, too
            logger = logger.parent
        return False


class LastResort(logging.StreamHandler[TextIO]):
    """Says what nobody else would: Python does so itself only where no handler at all is found, and
    the one that captures would be one."""

    def emit(self, record: logging.LogRecord) -> None:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(not isinstance(h, CaptureHandler | LastResort) for h in logger.handlers):
                return
            logger = logger.parent if logger.propagate else None
        super().emit(record)


@contextmanager
def capturing() -> Iterator[None]:
    """Captures in this process until the block ends; inside another one it does nothing."""
    root = logging.getLogger()
    if any(isinstance(handler, CaptureHandler) for handler in root.handlers):
        yield
        return
    level = logging.getLevelName(settings.LOG_LEVEL.upper())
    before = root.level
    threshold = _OldThreshold(before)
    quieted = list(root.handlers) if level < before else []
    for each in quieted:
        each.addFilter(threshold)
    root.setLevel(min(level, before))
    handler = CaptureHandler(level)
    handler.setFormatter(logging.Formatter("%(message)s"))
    last_resort = LastResort(sys.stderr)
    last_resort.setLevel(logging.WARNING)
    root.addHandler(handler)
    root.addHandler(last_resort)
    streams = sys.stdout, sys.stderr
    ours = CapturedStream(sys.stdout, "stdout"), CapturedStream(sys.stderr, "stderr")
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        # Somebody may have put another stream in place meanwhile, and keeps it.
        sys.stdout = streams[0] if sys.stdout is ours[0] else sys.stdout
        sys.stderr = streams[1] if sys.stderr is ours[1] else sys.stderr
        root.removeHandler(handler)
        root.removeHandler(last_resort)
        root.setLevel(before)
        for each in quieted:
            each.removeFilter(threshold)
