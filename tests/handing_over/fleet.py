"""The processes that the tests with real workers get here: for each `durable_worker` a cluster of
Django-Q2 of two processes, and the sweeper that hands over to it; killed, both are.
"""

import subprocess
from pathlib import Path
from typing import Any

from durable_django.models import Execution
from tests.handing_over import CHOICE
from tests.scenarios.clusters import Cluster
from tests.scenarios.conftest import Fleet
from tests.waiting import WAIT_SECONDS, until

START_SECONDS = 60


class Pair:
    """A cluster and a sweeper, with what tests ask of one process."""

    def __init__(self, cluster: Cluster, sweeper: "subprocess.Popen[bytes]") -> None:
        self.cluster = cluster
        self.sweeper = sweeper
        self.pid = cluster.process.pid

    def poll(self) -> int | None:
        found = [self.cluster.process.poll(), self.sweeper.poll()]
        return next((status for status in found if status is not None), None)

    def terminate(self) -> None:
        self.sweeper.terminate()
        self.cluster.process.terminate()

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        return self.cluster.process.wait(seconds) or self.sweeper.wait(seconds)

    def kill(self) -> None:
        self.sweeper.kill()
        self.sweeper.wait(WAIT_SECONDS)
        self.cluster.kill()


class HandedOver(Fleet):
    """A fleet whose workers are pairs."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        super().__init__(environment, directory)
        self.q_cluster = dict(CHOICE)

    def start(self, *arguments: str, **durable: object) -> Any:
        if "--executor=django_q" in arguments:
            return super().start(*arguments, **durable)
        given = [each for each in arguments if not each.startswith("--threads=")]
        assert not given, f"a cluster knows no {given}"
        before, self.durable = self.durable, {**self.durable, **durable}
        try:
            made = Pair(self.start_cluster(), self.start_sweeper())
        finally:
            self.durable = before
        # What is there is begun at any moment; but what comes later is to be served within seconds,
        # while seven processes take a while to begin.
        if not Execution.objects.exists():
            until(
                lambda: made.cluster.rows().count() >= 2 or made.poll() is not None, START_SECONDS
            )
            assert made.poll() is None, self.said(made)
        return made

    def until_serving(self, process: Any) -> None:
        super().until_serving(process.sweeper)
        process.cluster.until_known()

    def said(self, process: Any) -> str:
        if isinstance(process, Pair):
            return process.cluster.said() + super().said(process.sweeper)
        return super().said(process)
