"""What runs for long has a `running` row: with its progress, its logs, and as the way in which a
cancelled step learns that nobody wants it any more.
"""

import asyncio
import threading
import time

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import StepRun
from tests.waiting import until


@pytest.fixture(autouse=True)
def _fast_heartbeat(durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=20, POLL_SECONDS=0.1)


@pytest.mark.parametrize("kind", ["plain", "at_most_once", "async"])
def test_a_long_step_shows_its_progress_and_its_end_takes_the_row_over(workers, kind):
    latch = workers.latch()

    class Long(Workflow):
        if kind == "async":

            @step
            async def only(self):
                self.progress(0.25, "a quarter")
                self.logger.info("begun")
                await asyncio.to_thread(latch.wait, 20)
                return "done"

        else:

            @step(at_most_once=kind == "at_most_once")
            def only(self):
                self.progress(0.25, "a quarter")
                self.logger.info("begun")
                assert latch.wait(20)
                return "done"

    run = Long.start()
    workers.start()
    row = until(lambda: StepRun.objects.filter(execution=run, progress=0.25).first())
    assert (row.status, row.progress_message) == ("running", "a quarter")
    assert [line["message"] for line in row.logs] == ["begun"]
    latch.set()
    assert run.get_result(timeout=20) == "done"
    after = StepRun.objects.get(execution=run)
    assert (after.pk, after.seq, after.status) == (row.pk, 1, "completed")
    assert after.worker_id is not None


@pytest.mark.parametrize("is_async", [False, True])
def test_a_cancelled_step_is_interrupted_and_nothing_of_it_is_recorded(workers, is_async):
    inside, ended = threading.Event(), threading.Event()

    class Loops(Workflow):
        if is_async:

            @step
            async def only(self):
                inside.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

        else:

            @step
            def only(self):
                inside.set()
                try:
                    while True:
                        time.monotonic()
                finally:
                    ended.set()

        @step
        def never(self):
            raise AssertionError("not reached")

    run = Loops.start()
    service = workers.start()
    assert inside.wait(20)
    durable.cancel(run, "enough")
    rows = list(StepRun.objects.filter(execution=run).values_list("status", flat=True))
    assert ended.wait(5)
    until(lambda: not service.pool.runs and not service.pool.active)
    run.refresh_from_db()
    assert (run.status, run.reason) == ("cancelled", "enough")
    assert list(StepRun.objects.filter(execution=run).values_list("status", flat=True)) == rows
    assert set(rows) <= {"cancelled"}


def test_a_step_that_ends_after_the_cancel_is_not_recorded(workers):
    latch, inside = workers.latch(), threading.Event()

    class Held(Workflow):
        @step
        def only(self):
            inside.set()
            assert latch.wait(20)
            return "too late"

    run = Held.start()
    service = workers.start()
    assert inside.wait(20)
    durable.cancel(run)
    latch.set()
    until(lambda: not service.pool.runs)
    run.refresh_from_db()
    assert (run.status, run.result) == ("cancelled", None)
    assert not StepRun.objects.filter(execution=run, status="completed").exists()


def test_a_run_cancelled_and_retried_is_served_by_the_same_worker_again(workers):
    """The first attempt is still in its body when the second begins, and may not end its run."""
    latches, inside = [workers.latch(), workers.latch()], []

    class Held(Workflow):
        @step(at_most_once=True)
        def only(self):
            number = len(inside)
            inside.append(number)
            assert latches[number].wait(20)
            return number

    run = Held.start()
    service = workers.start()
    until(lambda: inside == [0])
    durable.cancel(run)
    durable.retry(run)
    until(lambda: inside == [0, 1])
    latches[0].set()
    until(lambda: service.pool.busy == 1)
    assert run.pk in service.pool.runs
    latches[1].set()
    assert run.get_result(timeout=20) == 1
    statuses = StepRun.objects.filter(execution=run).values_list("seq", "status", "attempt")
    assert list(statuses) == [(1, "cancelled", 1), (2, "completed", 1)]


def test_progress_takes_a_fraction_only(workers):
    class Wrong(Workflow):
        @step
        def only(self):
            for wrong in (-0.1, 1.5, True, "half", None):
                with pytest.raises((TypeError, ValueError), match="progress takes"):
                    self.progress(wrong)
            self.progress(1, "all\0")
            return True

    run = Wrong.start()
    workers.start()
    assert run.get_result(timeout=20) is True
    assert StepRun.objects.get(execution=run).progress_message == "all\\x00"
