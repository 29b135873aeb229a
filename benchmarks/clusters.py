"""Clusters of Django-Q2 for a measurement, and the Redis server that one of the brokers is.

Started as an operator starts them, ended with all of their processes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from durable_django.models import Worker

from .workers import ROOT, START_SECONDS_MAX, STOP_SECONDS_MAX

VARIABLE = "DURABLE_BENCHMARK_Q_CLUSTER"


def told(workers: int, broker: dict[str, Any]) -> dict[str, str]:
    """The environment of the processes of a cluster with so many, by this broker."""
    given = {
        "name": "benchmark",
        "workers": workers,
        "queue_limit": workers,
        "bulk": 1,
        "poll": 0.01,
        "retry": 120,
        "timeout": 90,
        "recycle": 1_000_000,
        "log_level": "ERROR",
        "scheduler": False,
        **broker,
    }
    return {VARIABLE: json.dumps(given)}


def migrate(environment: dict[str, str]) -> None:
    """Makes the tables of Django-Q2."""
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"]
    subprocess.run(command, env={**os.environ, **environment}, cwd=ROOT, check=True)


@contextmanager
def cluster(workers: int, environment: dict[str, str]) -> Iterator[None]:
    """``manage.py qcluster`` and the ``durable_worker`` beside it, once all of them are known."""
    with (
        _process("qcluster", environment),
        _process("durable_worker", environment),
    ):
        deadline = time.monotonic() + START_SECONDS_MAX
        while Worker.objects.filter(status="alive").count() < workers + 1:
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster did not register")
            time.sleep(0.02)
        yield


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server that keeps nothing, as an URL. RuntimeError if none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("no redis-server was found: apt install redis-server")
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as directory:
        socket = Path(directory) / "socket"
        running = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", directory],
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not socket.exists():
                if running.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("Redis did not start")
                time.sleep(0.02)
            yield f"unix://{socket}"
        finally:
            running.terminate()
            running.wait(STOP_SECONDS_MAX)


@contextmanager
def _process(command: str, environment: dict[str, str]) -> Iterator[None]:
    running = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), command],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(running.pid, signal.SIGKILL)  # whatever of it is left
        except ProcessLookupError:
            pass
        running.wait()
