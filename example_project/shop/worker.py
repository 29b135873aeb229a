"""A `durable_worker` beside the command that needs one, in a process of its own, as in production.

It knows the worker only as a command line: SIGTERM lets it finish the steps that are running.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

STOP_SECONDS_MAX = 30


def end_on_sigterm() -> None:
    """Lets SIGTERM end this process as Ctrl-C does, so that what it started is stopped too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def worker(log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that runs as long as the block, writing into the file `log`; `environment` is added
    to that of this process. With EXECUTOR=django_q there is a cluster, too, that runs the steps."""
    with log.open("wb") as output, ExitStack() as running:
        if settings.DURABLE.get("EXECUTOR") == "django_q":
            running.enter_context(_command("qcluster", output, environment))
        yield running.enter_context(_command("durable_worker", output, environment))


@contextmanager
def _command(
    name: str, output: IO[bytes], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    manage = Path(settings.PROJECT).parent / "manage.py"
    running = subprocess.Popen(
        [sys.executable, str(manage), name],
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
