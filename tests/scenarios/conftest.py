"""Real worker processes on the database of the test."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.waiting import WAIT_SECONDS, until

ON_POSTGRESQL = ["test_postgresql_answers.py", "test_postgresql.py", "test_postgresql_clocks.py"]
collect_ignore = [] if connection.vendor == "postgresql" else ON_POSTGRESQL

ROOT = Path(__file__).resolve().parent.parent.parent


class Fleet:
    """Starts `manage.py durable_worker` and sees to it that none is left."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self.environment = environment
        self.directory = directory
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, **durable: object) -> subprocess.Popen[bytes]:
        """One more process; `durable` are settings of its DURABLE."""
        settings = {"HEARTBEAT_SECONDS": 0.3, "LEASE_SECONDS": 20, "POLL_SECONDS": 0.2, **durable}
        log = self.directory / f"worker-{len(self.processes)}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "durable_worker", *arguments],
                cwd=ROOT,
                env={**self.environment, "DURABLE_TESTS_SETTINGS": json.dumps(settings)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def said(self, process: subprocess.Popen[bytes]) -> str:
        """What the process wrote so far."""
        number = self.processes.index(process)
        return (self.directory / f"worker-{number}.log").read_text(errors="replace")

    def until_serving(self, process: subprocess.Popen[bytes]) -> None:
        """Until its handlers are set and it has told so."""
        until(lambda: "durable worker" in self.said(process) or process.poll() is not None)
        assert process.poll() is None, self.said(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, and reaped: the process is gone for good."""
        process.kill()
        process.wait(WAIT_SECONDS)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WAIT_SECONDS)


@pytest.fixture
def fleet(child_environment: dict[str, str], tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(child_environment, tmp_path)
    try:
        yield made
    finally:
        made.end()
        if os.environ.get("DURABLE_TESTS_VERBOSE"):
            for process in made.processes:
                print(made.said(process))
