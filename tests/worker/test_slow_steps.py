"""Slow steps: they hold a thread each, and nobody else."""

import asyncio
import threading
import time

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import Execution, StepRun
from tests.waiting import until


@pytest.fixture
def held(workers):
    """A workflow whose only step waits for its latch, and a barrier's worth of who is inside."""

    class Held(Workflow):
        inside = []
        latch = workers.latch()

        @step
        def hold(self):
            self.inside.append(self.input.get("n"))
            assert self.latch.wait(20)
            return "held"

    return Held


class Quick:
    """Made by the tests: three steps that end at once."""

    @staticmethod
    def make():
        class Quick(Workflow):
            @step
            def one(self):
                return 1

            @step
            def two(self):
                return self.outputs["one"] + 1

            @step
            def three(self):
                return self.outputs["two"] + 1

        return Quick


def completed(ids):
    return Execution.objects.filter(pk__in=ids, status="completed").count()


def test_a_slow_step_delays_no_other_runs_checkpoint(workers, held):
    quick = Quick.make()
    workers.start(threads=2)
    slow = held.start()
    until(lambda: held.inside)
    ids = durable.start_many(quick, [{}] * 50)
    until(lambda: completed(ids) == 50)
    assert durable.get_execution(slow).status == "running"
    held.latch.set()
    assert slow.get_result(timeout=20) == "held"


def test_a_step_nobody_knew_to_be_slow_does_not_hold_its_wave(workers, held):
    quick = Quick.make()
    ids = durable.start_many(quick, [{}] * 20)
    slow = held.start()
    more = durable.start_many(quick, [{}] * 20)
    workers.start(threads=2)
    until(lambda: completed(ids + more) == 40)
    assert durable.get_execution(slow).status == "running"


def test_eight_slow_steps_run_at_the_same_time_on_eight_threads(workers):
    together = threading.Barrier(8)

    class Meeting(Workflow):
        @step
        def meet(self):
            return together.wait(20)

    ids = durable.start_many(Meeting, [{}] * 8)
    workers.start(threads=8)
    assert sorted(durable.get_result(pk, timeout=20) for pk in ids) == list(range(8))


def test_no_more_steps_run_at_once_than_there_are_threads(workers, held):
    durable.start_many(held, [{"n": n} for n in range(6)])
    service = workers.start(threads=2)
    until(lambda: len(held.inside) == 2)
    until(lambda: service.leader.pool.leader_waits)
    assert len(held.inside) == 2
    held.latch.set()
    until(lambda: Execution.objects.filter(status="completed").count() == 6)


def test_checkpoints_go_on_while_every_thread_is_held(workers):
    """Threads are counted so that one is always left to commit."""
    latch, inside = workers.latch(), []

    class Known(Workflow):
        @step(at_most_once=True)
        def hold(self):
            inside.append("known")
            assert latch.wait(20)

    class Unknown(Workflow):
        @step
        def hold(self):
            inside.append("unknown")
            assert latch.wait(20)

    class Async(Workflow):
        @step
        async def quick(self):
            assert await asyncio.to_thread(free.wait, 20)
            return "done"

    free = workers.latch()
    service = workers.start(threads=1)
    run = Async.start()
    until(lambda: service.pool.loop.running)
    for workflow in (Known, Unknown) * 5:
        workflow.start()
    until(lambda: inside)
    free.set()
    assert run.get_result(timeout=5) == "done"
    assert len(inside) == 1


def test_the_leader_sleeps_while_every_thread_is_held(workers, held):
    quick = Quick.make()
    service = workers.start(threads=1)
    held.start()
    until(lambda: held.inside)
    quick.start()
    until(lambda: service.pool.fast or durable.list_executions(workflow=quick).get().is_final)
    leads = []
    look_after = service.leader._look_after

    def counted():
        leads.append(time.monotonic())
        look_after()

    service.leader._look_after = counted
    until(lambda: service.pool.leader_waits)
    before = len(leads)
    threading.Event().wait(0.25)
    assert len(leads) - before < 50


@pytest.mark.parametrize("kind", ["plain", "at_most_once"])
def test_what_waits_longer_than_poll_seconds_is_handed_to_another_worker(
    workers, held, durable_settings, kind
):
    durable_settings(POLL_SECONDS=0.2)

    class Next(Workflow):
        @step(at_most_once=kind == "at_most_once")
        def only(self):
            return threading.current_thread()._name

    service = workers.start(threads=1)
    held.start()
    until(lambda: held.inside)
    waiting = Next.start()
    until(lambda: durable.get_execution(waiting).status == "running")
    until(lambda: waiting.pk in service.pool.runs)
    other = workers.start(threads=1)
    waiting.get_result(timeout=5)
    assert StepRun.objects.get(execution=waiting).worker_id == other.pool.worker_id


def test_what_is_handed_back_is_left_to_others_for_a_while(workers, held, durable_settings):
    durable_settings(POLL_SECONDS=0.2)

    class Next(Workflow):
        @step(at_most_once=True)
        def only(self): ...

    workers.start(threads=1)
    held.start()
    until(lambda: held.inside)
    waiting = Next.start()
    until(lambda: durable.get_execution(waiting).status == "running")
    until(lambda: durable.get_execution(waiting).status == "pending", 5)


def test_a_run_cancelled_while_it_waits_for_a_thread_does_not_start(workers, held):
    started = []

    class Next(Workflow):
        @step(atomic=True)
        def only(self):
            started.append(self.execution_id)

    service = workers.start(threads=1)
    held.start()
    until(lambda: held.inside)
    waiting = Next.start()
    until(lambda: durable.get_execution(waiting).status == "running")
    durable.cancel(waiting)
    waited = time.monotonic() + 0.06
    until(lambda: time.monotonic() > waited)
    held.latch.set()
    until(lambda: not service.pool.runs)
    assert started == []
    assert durable.get_execution(waiting).status == "cancelled"
    assert not StepRun.objects.filter(execution=waiting).exists()
