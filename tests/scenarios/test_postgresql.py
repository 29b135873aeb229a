"""Workers whose connections the server ends, again and again. Collected on PostgreSQL only."""

from collections import Counter

import pytest
from django.db import connection

import durable_django as durable
from durable_django.models import Execution, StepRun
from tests.killing.models import Effect
from tests.killing.workflows import Computes
from tests.waiting import until

NODES = ["plain", "atomic", "single", "later", "last"]


def end_all_connections() -> int:
    """Ends every connection to this database but the test's own; how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def not_ended() -> int:
    return Execution.objects.filter(finished_at__isnull=True).count()


def cut_off(fleet, *, runs: int, workers: int, times: int) -> None:
    ids = durable.start_many(Computes, [{"n": n} for n in range(runs)])
    processes = [fleet.start("--threads=4") for _ in range(workers)]
    until(lambda: StepRun.objects.exists(), 60)
    ended = 0
    for _ in range(times):
        left = StepRun.objects.count() + 4 * runs // times
        until(lambda left=left: StepRun.objects.count() >= left or not not_ended(), 60)
        ended += end_all_connections()
    assert ended > times * workers
    until(lambda: not not_ended(), 60)
    effects = Counter(Effect.objects.values_list("run", flat=True))
    for n, pk in enumerate(ids):
        run = durable.get_execution(pk)
        rows = list(StepRun.objects.filter(execution=pk).order_by("seq"))
        assert run.status == "completed", (run.error["traceback"], [str(r) for r in rows])
        assert run.result == n + 4
        assert [row.name for row in rows if row.status == "completed"] == NODES
        # Only a body's own statement may fail with its connection; it is tried again.
        assert {row.name for row in rows if row.status != "completed"} <= {"atomic"}
        assert effects[pk] == 1
    for process in processes:
        assert process.poll() is None, fleet.said(process)
        process.terminate()
        assert process.wait(20) == 0, fleet.said(process)
    assert not Execution.objects.filter(status="running").exists()


def test_connections_that_are_ended_lose_nothing(fleet):
    cut_off(fleet, runs=100, workers=1, times=5)


@pytest.mark.kill
def test_connections_that_are_ended_again_and_again_lose_nothing(fleet):
    cut_off(fleet, runs=1000, workers=2, times=40)
