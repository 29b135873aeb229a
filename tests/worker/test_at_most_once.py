"""At-most-once steps: the start is committed before the body."""

import pytest

from durable_django import Retry, Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution, StepRun, Worker
from durable_django.store import leases
from tests.waiting import until


def test_its_start_is_committed_before_its_body(workers):
    seen = []

    class Once(Workflow):
        @step(at_most_once=True)
        def only(self):
            seen.append(StepRun.objects.get(execution=self.execution_id).status)
            return self.attempt

    run = Once.start()
    workers.start()
    assert run.get_result(timeout=20) == 1
    assert seen == ["running"]
    row = StepRun.objects.get(execution=run)
    assert (row.status, row.attempt, row.seq) == ("completed", 1, 1)


def test_an_exception_it_raises_is_retried(workers):
    class Once(Workflow):
        @step(at_most_once=True, retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        def only(self):
            if self.attempt == 1:
                raise ConnectionError
            return self.attempt

    run = Once.start()
    workers.start()
    assert run.get_result(timeout=20) == 2


def test_its_timeout_is_not_retried(workers):
    latch = workers.latch()

    class Once(Workflow):
        @step(at_most_once=True, timeout=0.05, retry=Retry(max_attempts=5))
        def only(self):
            latch.wait(20)

    run = Once.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=20)
    assert StepRun.objects.get(execution=run).status == "timed_out"


@pytest.mark.parametrize("is_async", [False, True])
def test_it_is_interrupted_for_good_when_its_worker_dies_inside(
    workers, durable_settings, is_async
):
    """The worker is declared dead while the body runs: what it does later counts no more."""
    latch, bodies = workers.latch(), []

    class Once(Workflow):
        if is_async:

            @step(at_most_once=True, retry=Retry(max_attempts=5))
            async def only(self):
                import asyncio

                bodies.append(1)
                await asyncio.to_thread(latch.wait, 20)

        else:

            @step(at_most_once=True, retry=Retry(max_attempts=5))
            def only(self):
                bodies.append(1)
                latch.wait(20)

    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=20, POLL_SECONDS=0.1)
    run = Once.start()
    service = workers.start()
    until(lambda: bodies)
    assert leases.declare_dead(service.pool.worker_id, overdue_only=False)
    with pytest.raises(ExecutionFailed, match="StepInterrupted"):
        run.get_result(timeout=20)
    latch.set()
    until(lambda: not service.pool.active and not service.pool.loop.running)
    assert bodies == [1]
    row = StepRun.objects.get(execution=run)
    assert (row.status, row.attempt) == ("failed", 1)
    assert Worker.objects.filter(status="alive").count() == 1


def test_a_start_whose_lease_is_lost_does_not_run_the_body(workers, monkeypatch):
    from durable_django.worker import pool

    bodies = []

    class Once(Workflow):
        @step(at_most_once=True)
        def only(self):
            bodies.append(1)

    commit_start = pool.commit_start

    def too_late(worker_id, attempt):
        Execution.objects.filter(pk=attempt.run.id).update(lease=99)
        return commit_start(worker_id, attempt)

    monkeypatch.setattr(pool, "commit_start", too_late)
    run = Once.start()
    service = workers.start()
    until(lambda: Execution.objects.filter(pk=run.pk, lease=99).exists())
    until(lambda: not service.pool.runs)
    assert bodies == []
    assert not StepRun.objects.exists()
