# ruff: noqa: SIM117
"""Paused and limited queues on real threads: what is held, what is left, and when it goes on."""

import threading

import pytest

import durable_django as durable
from durable_django import Workflow, foreach, step
from durable_django.models import Execution, Queue
from tests.waiting import until
from tests.worker.workflows import make_held, make_quick


def until_idle(service):
    until(lambda: service.pool.leader_waits)


def make_gauged():
    """Runs that count how many of them are inside at once, in `Gauged.most`."""

    class Gauged(Workflow):
        lock, inside, most = threading.Lock(), [], []
        pause = threading.Event()

        @step
        def work(self):
            with self.lock:
                self.inside.append(self.execution_id)
                self.most.append(len(self.inside))
            self.pause.wait(0.01)
            with self.lock:
                self.inside.remove(self.execution_id)

    return Gauged


def test_a_worker_makes_the_rows_of_its_queues(workers):
    workers.start(queues=["high", "default"])
    until(lambda: Queue.objects.count() == 2)
    assert list(Queue.objects.values_list("name", flat=True)) == ["default", "high"]


def test_a_paused_queue_is_left_alone_and_taken_up_at_once_when_it_is_resumed(
    workers, durable_settings
):
    durable_settings(POLL_SECONDS=30)
    quick = make_quick()
    durable.pause_queue("default")
    service = workers.start(queues=["default", "low"])
    paused, other = quick.start({"n": 1}), quick.start({"n": 2}, queue="low")
    assert other.get_result(timeout=20) == 2
    until_idle(service)
    assert durable.get_execution(paused).status == "pending"
    durable.resume_queue("default")
    assert paused.get_result(timeout=10) == 1


def test_a_pause_is_seen_within_a_poll_by_a_worker_that_is_busy(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.05)
    quick = make_quick()
    service = workers.start()
    quick.start().get_result(timeout=20)
    durable.pause_queue("default")
    until(lambda: quick.start() and "default" in service.leader.gates.known)
    late = durable.start_many(quick, [{}] * 3)
    until_idle(service)
    assert {durable.get_execution(run).status for run in late} == {"pending"}


def test_what_runs_while_its_queue_is_paused_goes_on_to_its_end(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.05)
    held = make_held(workers)
    service = workers.start()
    run = held.start()
    until(lambda: held.inside)
    durable.pause_queue("default")
    until(lambda: held.start() and "default" in service.leader.gates.known)
    late = held.start()
    held.latch.set()
    assert run.get_result(timeout=20) == "second"
    assert durable.get_execution(late).status == "pending"


def test_two_services_together_run_no_more_than_the_limit(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.05)
    gauged = make_gauged()
    durable.limit_queue("default", 3)
    for _ in range(2):
        workers.start(threads=8)
    runs = durable.start_many(gauged, [{}] * 40)
    for run in runs:
        durable.get_result(run, timeout=20)
    assert max(gauged.most) <= 3
    assert len(gauged.most) == 40


def test_members_of_a_foreach_count_one_each(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.05)
    lock, inside, most = threading.Lock(), [], []
    pause = threading.Event()

    class Sending(Workflow):
        with foreach(lambda self: range(30), concurrency=5) as sending:

            @step
            def send(self):
                with lock:
                    inside.append(self.index)
                    most.append(len(inside))
                pause.wait(0.003)
                with lock:
                    inside.remove(self.index)

    durable.limit_queue("default", 2)
    workers.start(threads=8)
    Sending.start().get_result(timeout=20)
    assert max(most) <= 2
    assert len(most) == 30


def test_a_place_that_becomes_free_is_taken_at_once(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    quick = make_quick()
    durable.limit_queue("default", 1)
    service = workers.start()
    until_idle(service)
    runs = durable.start_many(quick, [{"n": n} for n in range(10)])
    assert [durable.get_result(run, timeout=10) for run in runs] == list(range(10))


def test_a_raised_limit_is_used_at_once(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    held = make_held(workers)
    durable.limit_queue("default", 1)
    service = workers.start()
    until_idle(service)
    durable.start_many(held, [{}] * 3)
    until(lambda: len(held.inside) == 1)
    until_idle(service)
    assert Execution.objects.filter(worker__isnull=False).count() == 1
    durable.limit_queue("default", 3)
    until(lambda: len(held.inside) == 3)


def test_a_full_queue_starves_no_other(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    held, quick = make_held(workers), make_quick()
    durable.limit_queue("default", 1)
    workers.start(threads=2, queues=["default", "low"])
    durable.start_many(held, [{}] * 20)
    until(lambda: held.inside)
    for n in range(5):
        assert quick.start({"n": n}, queue="low").get_result(timeout=10) == n
    assert len(held.inside) == 1


def test_a_burst_ends_with_a_paused_queue_full_of_runs(workers):
    quick = make_quick()
    durable.pause_queue("default")
    runs = durable.start_many(quick, [{}] * 3)
    other = quick.start({"n": 1}, queue="low")
    workers.wait(workers.start(queues=["default", "low"], burst=True))
    assert other.get_result(timeout=0.1) == 1
    assert {durable.get_execution(run).status for run in runs} == {"pending"}


def test_a_burst_comes_through_a_limited_queue(workers):
    quick = make_quick()
    durable.limit_queue("default", 2)
    runs = durable.start_many(quick, [{"n": n} for n in range(20)])
    workers.wait(workers.start(burst=True))
    assert {durable.get_execution(run).status for run in runs} == {"completed"}


@pytest.mark.parametrize("places", [1, 4])
def test_a_limit_counts_what_is_parked_for_nothing(workers, durable_settings, places):
    """A run that waits is held by nobody: a limit of one is enough for a parent and its members."""
    durable_settings(POLL_SECONDS=0.05)

    class Nested(Workflow):
        with foreach(lambda self: range(3)) as outer:
            with foreach(lambda self: range(3)) as inner:

                @step
                def leaf(self):
                    return self.index

    durable.limit_queue("default", places)
    workers.start()
    assert [list(inner) for inner in Nested.start().get_result(timeout=20)] == [[0, 1, 2]] * 3
