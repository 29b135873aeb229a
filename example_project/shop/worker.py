"""A `durable_worker` beside the command that needs one, in a process of its own, as in production.

It knows the worker only as a command line: SIGTERM lets it finish the steps that are running.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

STOP_SECONDS_MAX = 30


def end_on_sigterm() -> None:
    """Lets SIGTERM end this process as Ctrl-C does, so that what it started is stopped too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def worker(log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that runs as long as the block, writing into the file `log`; `environment` is added
    to that of this process."""
    manage = Path(settings.PROJECT).parent / "manage.py"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, str(manage), "durable_worker"],
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            # Not in the terminal's group: Ctrl-C reaches the command, which then stops the worker.
            start_new_session=True,
        )
        try:
            yield running
        finally:
            stop(running)


def stop(running: subprocess.Popen[bytes]) -> None:
    """Ask a process to finish, and insist when it does not."""
    running.terminate()
    try:
        running.wait(timeout=STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
