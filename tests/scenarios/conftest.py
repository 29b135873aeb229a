"""Real worker processes, clusters of Django-Q2 and whole hosts of them, on the database of the
test."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from durable_django.models import Worker
from tests.scenarios.clusters import Cluster, Redis
from tests.waiting import WAIT_SECONDS, until

ON_POSTGRESQL = [
    "test_hosts.py",
    "test_postgresql_answers.py",
    "test_postgresql.py",
    "test_postgresql_clocks.py",
]
collect_ignore = [] if connection.vendor == "postgresql" else ON_POSTGRESQL

ROOT = Path(__file__).resolve().parent.parent.parent
OTHER_HOST = ROOT / "tests" / "killing" / "other_host"
QUICK = {"HEARTBEAT_SECONDS": 0.3, "LEASE_SECONDS": 20, "POLL_SECONDS": 0.2}
# With the database as broker. Looks often, says what it does, and has no schedules of its own.
Q_CLUSTER = {
    "name": "shop",
    "orm": "default",
    "timeout": 60,
    "retry": 90,
    "poll": 0.05,
    "bulk": 1,
    "guard_cycle": 0.1,
    "scheduler": False,
    "log_level": "INFO",
    "ALT_CLUSTERS": {},
}


class Fleet:
    """Starts `manage.py durable_worker` and `qcluster`, and sees to it that none is left. What is
    in `q_cluster` is for the Q_CLUSTER of each, what is in `durable` for the DURABLE."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self.environment = environment
        self.directory = directory
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clusters: list[Cluster] = []
        self.hosts: list[Host] = []
        self.q_cluster: dict[str, object] = {}
        self.durable: dict[str, object] = {}

    def start(self, *arguments: str, **durable: object) -> subprocess.Popen[bytes]:
        """One more process; `durable` are settings of its DURABLE."""
        return self._start(["durable_worker", *arguments], self._environment(durable))

    def start_cluster(
        self, workers: int = 2, name: str | None = None, **q_cluster: object
    ) -> Cluster:
        """One more cluster of so many processes; `name` is one of ALT_CLUSTERS."""
        given = {"workers": workers, "queue_limit": workers, **q_cluster}
        environment = self._environment({"EXECUTOR": "django_q"}, **given)
        # As the docs tell to: the processes keep their connections from one run to the next.
        url = environment["DATABASE_URL"]
        environment["DATABASE_URL"] = f"{url}{'&' if '?' in url else '?'}conn_max_age=600"
        if name is not None:
            environment["Q_CLUSTER_NAME"] = name  # its option --name does nothing after a fork
        process = self._start(["qcluster"], environment, process_group=0)
        cluster = Cluster(process, self._log(process), name or "shop")
        self.clusters.append(cluster)
        return cluster

    def start_sweeper(self, **durable: object) -> subprocess.Popen[bytes]:
        """A `durable_worker` that hands over what is ready."""
        return self.start("--executor=django_q", EXECUTOR="django_q", **durable)

    def host(self, name: str, **durable: object) -> "Host":
        """One more machine, with nothing on it so far, or one whose processes have ended anew;
        `durable` are settings that only its processes have."""
        made = Host(name, self)
        made.durable |= durable
        self.hosts.append(made)
        return made

    def _environment(self, durable: dict[str, object], **q_cluster: object) -> dict[str, str]:
        return {
            **self.environment,
            "DURABLE_TESTS_SETTINGS": json.dumps({**QUICK, **self.durable, **durable}),
            "DURABLE_TESTS_Q_CLUSTER": json.dumps({**Q_CLUSTER, **self.q_cluster, **q_cluster}),
        }

    def _start(
        self, command: list[str], environment: dict[str, str], **options: Any
    ) -> subprocess.Popen[bytes]:
        with open(self.directory / f"worker-{len(self.processes)}.log", "wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *command],
                cwd=self.directory,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )
        self.processes.append(process)
        return process

    def _log(self, process: subprocess.Popen[bytes]) -> Path:
        return self.directory / f"worker-{self.processes.index(process)}.log"

    def said(self, process: subprocess.Popen[bytes]) -> str:
        """What the process wrote so far."""
        return self._log(process).read_text(errors="replace")

    def until_serving(self, process: subprocess.Popen[bytes]) -> None:
        """Until its handlers are set and it has told so."""
        until(lambda: "durable worker" in self.said(process) or process.poll() is not None)
        assert process.poll() is None, self.said(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, and reaped: the process is gone for good."""
        process.kill()
        process.wait(WAIT_SECONDS)

    def end(self) -> None:
        fleets: list[Fleet] = [self, *self.hosts]
        processes = [process for fleet in fleets for process in fleet.processes]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WAIT_SECONDS)
        for fleet in fleets:
            for cluster in fleet.clusters:
                cluster.kill()


class Host(Fleet):
    """A machine of its own: its name, its directory, its settings, and process ids that mean
    nothing elsewhere. It has a sweeper and clusters, as a `Fleet` has."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        directory = fleet.directory / f"{name}-{len(fleet.hosts)}"
        directory.mkdir()
        environment = {
            **fleet.environment,
            "PYTHONPATH": str(OTHER_HOST),
            "OTHER_HOST": name,
            "DURABLE_TESTS_DIRECTORY": str(directory),
        }
        super().__init__(environment, directory)
        self.name = name
        self.q_cluster = {**fleet.q_cluster}
        self.durable = {**fleet.durable}

    def rows(self) -> QuerySet[Worker]:
        """Its processes, those that have ended as well."""
        return Worker.objects.filter(hostname=self.name)

    def until_known(self, cluster_processes: int) -> None:
        """Until its sweeper and so many processes of its clusters have their rows."""
        # Of each process an interpreter has to begin, on cores that others use as well.
        until(lambda: self._is_known(cluster_processes) or not self._is_up(), 120)
        assert self._is_up(), self.all_said()

    def _is_known(self, cluster_processes: int) -> bool:
        rows = self.rows().filter(status="alive").values_list("threads", flat=True)
        return Counter(rows) >= Counter({0: 1, 1: cluster_processes})

    def _is_up(self) -> bool:
        return all(process.poll() is None for process in self.processes)

    def die(self) -> None:
        """The machine is gone, with all that ran on it."""
        for process in self.processes:
            process.kill()
        for cluster in self.clusters:
            cluster.kill()
        for process in self.processes:
            process.wait(WAIT_SECONDS)

    def shut_down(self) -> None:
        """All its processes end in good order."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            assert process.wait(60) == 0, self.said(process)

    def all_said(self) -> str:
        """What all its processes wrote so far."""
        return "\n".join(map(self.said, self.processes))


@pytest.fixture
def redis(fleet: Fleet) -> Iterator[Redis]:
    """A Redis server of the test's own, which ends after those that use it."""
    made = Redis()
    try:
        yield made
    finally:
        fleet.end()
        made.end()


@pytest.fixture
def fleet(child_environment: dict[str, str], tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(child_environment, tmp_path)
    try:
        yield made
    finally:
        made.end()
        if os.environ.get("DURABLE_TESTS_VERBOSE"):
            for each in (made, *made.hosts):
                for process in each.processes:
                    print(each.said(process))
