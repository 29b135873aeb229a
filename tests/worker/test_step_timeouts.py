"""A step's timeout: a verdict about the record, and an interrupt where that can reach."""

import time

import pytest
from django.contrib.auth.models import Group

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun
from tests.waiting import until

# An interrupt may come where Python ignores what is raised, and is then raised again.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# Within 0.05 s on a machine that has nothing else to do.
SOON_SECONDS = 1.5
ONCE_MORE = Retry(max_attempts=2, backoff="constant", base=0.01)


def rows_of(run):
    return list(StepRun.objects.filter(execution=run).order_by("seq"))


@pytest.mark.parametrize("atomic", [False, True])
def test_a_looping_thread_is_interrupted_and_the_next_attempt_runs(workers, atomic):
    ends = []

    class Loops(Workflow):
        @step(timeout=0.1, retry=ONCE_MORE, atomic=atomic)
        def only(self):
            Group.objects.create(name=f"attempt {self.attempt}")
            if self.attempt == 2:
                return Group.objects.count()
            try:
                while True:
                    Group.objects.exists()
            finally:
                ends.append(time.monotonic())

    run = Loops.start()
    service = workers.start(threads=1)
    assert run.get_result(timeout=20) == (1 if atomic else 2)
    first, second = rows_of(run)
    assert (first.status, second.status) == ("timed_out", "completed")
    assert first.error["type"] == "StepTimeout"
    assert "within its timeout of 0.1 seconds" in first.error["message"]
    assert 0.1 <= first.duration_seconds < SOON_SECONDS
    until(lambda: ends)
    assert len(ends) == 1
    until(lambda: service.pool.busy == 0)


def test_a_thread_blocked_in_c_is_written_off_and_its_result_discarded(workers):
    latch, ends = workers.latch(), []

    class Blocks(Workflow):
        @step(timeout=0.1)
        def only(self):
            latch.wait(20)
            ends.append(1)
            self.context["late"] = True
            return "too late"

    run = Blocks.start()
    service = workers.start(threads=1)
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=5)
    assert not ends
    latch.set()
    until(lambda: service.pool.busy == 0 and not service.pool.active)
    (row,) = rows_of(run)
    assert (row.status, row.output) == ("timed_out", None)
    assert row.duration_seconds < SOON_SECONDS
    assert durable.get_execution(run).context == {}


def test_a_step_that_ends_at_its_timeout_disturbs_no_other_run(workers):
    class Close(Workflow):
        @step(timeout=0.05)
        def only(self):
            until_then = self.input["until"]
            begun = time.monotonic()
            while time.monotonic() - begun < until_then:
                pass

    class Innocent(Workflow):
        @step
        def only(self):
            return sum(range(1000))

    innocent, close = [], []
    service = workers.start(threads=2)
    for n in range(10):
        close.append(Close.start({"until": 0.045 + n * 0.001}))
        innocent += [Innocent.start() for _ in range(5)]
        for run in innocent[-5:]:
            assert run.get_result(timeout=20) == 499500
    for run in close:
        until(lambda run=run: run.refresh_from_db() or run.is_final)
        assert run.status == "completed" or run.error["type"] == "StepTimeout"
    alive = [slot for slot in service.pool.slots if slot.thread.is_alive()]
    assert len(alive) == service.pool.threads + 1


def test_a_thread_stuck_beyond_its_timeout_is_replaced(workers, monkeypatch):
    monkeypatch.setattr("durable_django.worker.watch.STUCK_SECONDS", 0.1)
    latch = workers.latch()

    class Stuck(Workflow):
        @step(timeout=0.05)
        def only(self):
            latch.wait(20)

    class Slow(Workflow):
        @step(at_most_once=True)
        def only(self):
            return "done"

    service = workers.start(threads=1)
    Stuck.start()
    until(lambda: any(slot.stuck for slot in service.pool.slots))
    assert Slow.start().get_result(timeout=20) == "done"
    latch.set()
    until(lambda: not any(slot.stuck for slot in service.pool.slots))
    until(lambda: service.pool.busy == 0)
    assert Slow.start().get_result(timeout=20) == "done"
    assert len(service.pool.slots) == 2


def test_threads_that_came_back_do_not_count_as_stuck(workers, monkeypatch):
    monkeypatch.setattr("durable_django.worker.watch.STUCK_SECONDS", 0.05)
    latches = [workers.latch() for _ in range(4)]

    class Stuck(Workflow):
        @step(timeout=0.01)
        def only(self):
            latches[self.input["n"]].wait(20)

    service = workers.start(threads=1)
    for n, latch in enumerate(latches):
        Stuck.start({"n": n})
        until(lambda: any(slot.stuck for slot in service.pool.slots))
        latch.set()
        until(lambda: not any(slot.stuck for slot in service.pool.slots))
    assert not service.watch.too_many_stuck


def test_a_process_with_too_many_stuck_threads_ends(workers, monkeypatch):
    monkeypatch.setattr("durable_django.worker.watch.STUCK_SECONDS", 0.05)
    latch = workers.latch()

    class Stuck(Workflow):
        @step(timeout=0.01)
        def only(self):
            latch.wait(20)

    service = workers.start(threads=1)
    Stuck.start()
    Stuck.start()
    until(lambda: service.watch.too_many_stuck)
    latch.set()
    workers.wait(service)


def test_logging_goes_on_after_a_logging_step_was_interrupted(workers):
    over = []  # so that a thread that could not be interrupted ends with the test

    class Chatty(Workflow):
        @step(timeout=0.02)
        def only(self):
            while not over:
                self.logger.info("again")

    class After(Workflow):
        @step
        def only(self):
            self.logger.info("still here")

    workers.start(threads=2)
    try:
        for _ in range(10):
            run = Chatty.start()
            until(lambda run=run: run.refresh_from_db() or run.is_final)
        After.start().get_result(timeout=20)
    finally:
        over.append(True)


def test_an_interrupt_that_a_destructor_swallows_is_raised_again(workers, monkeypatch):
    """Python ignores what a destructor raises, so that the body would go on for ever."""
    monkeypatch.setattr("durable_django.worker.slots.AGAIN_SECONDS", 0.05)
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: swallowed.append(1))
    swallowed, over = [], []

    class Swallows:
        def __del__(self):
            while not swallowed and not over:
                sum(range(100))

    class Goes(Workflow):
        @step(timeout=0.05)
        def only(self):
            thing = Swallows()
            del thing
            while not over:
                sum(range(100))

    service = workers.start(threads=1)
    run = Goes.start()
    try:
        with pytest.raises(ExecutionFailed, match="StepTimeout"):
            run.get_result(timeout=20)
        until(lambda: not any(slot.attempt for slot in service.pool.slots))
    finally:
        over.append(True)
    assert swallowed
