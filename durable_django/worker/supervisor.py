"""The supervisor: a parent that starts worker processes, watches them and replaces those that end.

It starts fresh interpreters instead of forking, opens no database connection and runs no step.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from types import FrameType

from django.utils.autoreload import get_child_arguments

logger = logging.getLogger("durable_django.worker")

# Environment of a child: its supervisor's process id, so that it ends when that one is gone.
SUPERVISOR = "DURABLE_SUPERVISOR"

TICK_SECONDS = 0.2
# A child that ends sooner than this after its start is replaced ever more slowly.
HEALTHY_SECONDS = 10.0
PAUSE_SECONDS_MAX = 30.0


class Supervisor:
    """Keeps ``count`` worker processes up; with ``burst`` it waits for all of them to end."""

    def __init__(self, count: int, burst: bool) -> None:
        self._count = count
        self._burst = burst
        self._stopping = False
        self._children: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._failures = 0
        self._not_before = 0.0

    def run(self) -> int:
        """Returns the exit code, 0 unless a child of a burst failed."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        worst = 0
        for number in range(self._count):
            self._start(number)
        while self._children:
            time.sleep(TICK_SECONDS)
            for number, (child, since) in list(self._children.items()):
                code = child.poll()
                if code is None:
                    continue
                del self._children[number]
                if self._stopping and code in (-signal.SIGTERM, -signal.SIGINT):
                    continue  # told to stop before it had begun
                if self._burst or self._stopping:
                    worst = max(worst, abs(code))
                else:
                    self._replace(number, code, since)
            self._start_missing()
        return worst

    def _start(self, number: int) -> None:
        environment = {**os.environ, SUPERVISOR: str(os.getpid())}
        child = subprocess.Popen(_child_arguments(), env=environment)
        self._children[number] = (child, time.monotonic())
        if self._stopping:  # the signal came while it was being started
            child.terminate()

    def _replace(self, number: int, code: int, since: float) -> None:
        healthy = time.monotonic() - since > HEALTHY_SECONDS
        self._failures = 0 if healthy else self._failures + 1
        pause = min(0.5 * 2**self._failures, PAUSE_SECONDS_MAX) if self._failures else 0.0
        self._not_before = time.monotonic() + pause
        logger.error("worker process %d ended with %d; another in %g s", number, code, pause)
        if not self._children:
            self._start_missing(wait=True)

    def _start_missing(self, wait: bool = False) -> None:
        if self._burst or self._stopping:
            return
        while wait and time.monotonic() < self._not_before and not self._stopping:
            time.sleep(TICK_SECONDS)
        if time.monotonic() < self._not_before or self._stopping:
            return
        for number in range(self._count):
            if number not in self._children:
                self._start(number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Passed on to every child; twice means at once, there as here."""
        self._stopping = True
        for child, _ in self._children.values():
            if child.poll() is None:
                child.send_signal(number)


def is_orphan() -> bool:
    """Whether this process was started by a supervisor that has ended without stopping it."""
    supervisor = os.environ.get(SUPERVISOR)
    return supervisor is not None and os.getppid() != int(supervisor)


def _child_arguments() -> list[str]:
    """This command line with one process."""
    arguments = get_child_arguments()
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--processes":
            skip = True
        elif not argument.startswith("--processes="):
            kept.append(argument)
    return [*kept, "--processes=1"]
