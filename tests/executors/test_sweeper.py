"""The sweeper: what others have not handed over, and what the engine has lost."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import connections

import durable_django as durable
from durable_django import Workflow, sleep_for, step
from durable_django.executors.carrier import Carrier
from durable_django.executors.dispatches import Dispatches
from durable_django.executors.sweeper import Lost, Sweeper
from durable_django.models import Execution, Worker
from durable_django.store import clock, dispatching, leases
from tests.waiting import WAIT_SECONDS, until

from .engines import Engine

pytestmark = pytest.mark.django_db(transaction=True)


class Serving(Engine):
    """An engine with one process, which is a thread here."""

    name = "serving"

    def send(self, cluster, hints):
        super().send(cluster, hints)
        self.has_some.set()

    has_some = threading.Event()


def make_flow():
    class Flow(Workflow):
        @step
        def first(self):
            return 1

        rest = sleep_for(0.01)

        @step
        def last(self):
            return 2

    return Flow


@pytest.fixture
def sweeping(durable_settings):
    """`sweeping(Engine())`: a sweeper that serves, ended with the test."""
    durable_settings(HEARTBEAT_SECONDS=0.1, POLL_SECONDS=0.05)
    begun = []

    def begin(engine, burst=False):
        sweeper = Sweeper(engine, ["default"], burst)
        thread = threading.Thread(target=sweeper.run, daemon=True)
        thread.start()
        begun.append((sweeper, thread))
        return sweeper, thread

    yield begin
    for sweeper, thread in begun:
        sweeper.stop()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


@pytest.fixture
def process():
    """A process of the engine that carries whatever is sent, until the end of the test."""
    engine = Serving()
    ending = threading.Event()
    carrier = Carrier(engine, "default")
    carrier.start()

    def serve():
        while not ending.is_set():
            Serving.has_some.wait(0.05)
            Serving.has_some.clear()
            while Engine.sent and not ending.is_set():
                carrier.carry(Engine.sent.pop(0)[1], 30)
        connections.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield engine
    ending.set()
    thread.join(WAIT_SECONDS)
    carrier.stop()


# -- what it does ------------------------------------------------------------------------------


def test_what_was_ready_before_is_handed_over_and_what_sleeps_is_woken(sweeping, process):
    runs = durable.start_many(make_flow(), [{}] * 3)
    assert Engine.sent == []
    sweeping(process)
    assert [durable.get_result(pk, timeout=20) for pk in runs] == [2, 2, 2]


def test_a_burst_ends_when_nothing_is_ready_due_or_under_way(sweeping, process):
    runs = durable.start_many(make_flow(), [{}] * 3)
    _, thread = sweeping(process, burst=True)
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert {Execution.objects.get(pk=pk).status for pk in runs} <= {"completed", "sleeping"}


def test_it_is_a_worker_that_runs_no_step(sweeping):
    sweeping(Engine())
    row = until(Worker.objects.first)
    assert (row.executor, row.threads, row.queues, row.cluster) == ("engine", 0, ["default"], "")


def test_it_ends_soon_when_it_is_told_to_however_rarely_it_looks(sweeping, durable_settings):
    durable_settings(POLL_SECONDS=1_000)
    sweeper, thread = sweeping(Engine())
    until(Worker.objects.first)
    sweeper.stop()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def test_a_sweeper_that_was_declared_dead_goes_on_under_another_name(sweeping, process):
    sweeper, _ = sweeping(process)
    before = until(lambda: getattr(sweeper, "worker_id", None))
    leases.declare_dead(before, overdue_only=False)
    until(lambda: sweeper.worker_id != before and sweeper.keeper.worker_id == sweeper.worker_id)
    run = make_flow().start()
    assert run.get_result(timeout=20) == 2


def test_what_a_process_held_that_died_is_handed_over_again(sweeping, process):
    dead = a_process("serving")
    run = make_flow().start()
    (hint,) = dispatching.hand_over("default", 1)
    assert dispatching.take(dead, hint, {})[0].id == run.pk
    leases.declare_dead(dead, overdue_only=False)
    sweeping(process)
    assert run.get_result(timeout=20) == 2


# -- what is lost ------------------------------------------------------------------------------


def a_process(executor="engine"):
    return leases.register(
        hostname="there",
        pid=1,
        pid_space="",
        queues=["default"],
        threads=1,
        executor=executor,
        cluster="default",
        package_version="",
    )


@pytest.fixture
def lost(durable_settings):
    """What is looked at for lost hints, with a heartbeat of 5 seconds and leases that hold."""
    durable_settings(HEARTBEAT_SECONDS=5, LEASE_SECONDS=100_000)
    return Lost(Dispatches(Engine()))


def handed_over():
    make_flow().start()
    (hint,) = dispatching.hand_over("default", 1)
    return hint


def wait(seconds):
    clock.advance(timedelta(seconds=seconds))


def test_what_an_idle_process_does_not_take_is_sent_again_after_twice_the_time_each(lost):
    a_process()
    hint = handed_over()
    sent = []
    for second in range(100):
        if lost.look("default"):
            sent.append(second)
        wait(1)
    assert sent == [10, 30, 70]
    assert Engine.sent == [("default", hint)] * 3


def test_what_waits_behind_a_busy_process_is_not_lost(lost):
    worker = a_process()
    dispatching.take(worker, handed_over(), {})
    handed_over()
    wait(1_000)
    assert lost.look("default") == 0
    assert Engine.sent == []


def test_what_a_busy_process_did_not_take_before_later_ones_is_lost(lost, caplog):
    worker = a_process()
    hint = handed_over()
    wait(100)
    make_flow().start(priority=-1)
    (later,) = dispatching.hand_over("default", 1)
    dispatching.take(worker, later, {})
    with caplog.at_level(logging.WARNING, "durable_django"):
        assert lost.look("default") == 1
        assert lost.look("default") == 0
    assert Engine.sent == [("default", hint)]
    assert "after 1 others" in caplog.text


def test_what_was_taken_is_not_lost(lost):
    worker = a_process()
    hint = handed_over()
    wait(1_000)
    dispatching.take(worker, hint, {})
    assert lost.look("default") == 0


def test_where_no_process_lives_it_is_sent_again_for_the_one_that_will(lost, caplog):
    handed_over()
    wait(11)
    with caplog.at_level(logging.WARNING, "durable_django"):
        assert lost.look("default") == 1
    assert "no process of it lives; 1 runs wait" in caplog.text


def test_a_cluster_that_is_back_waits_for_nothing_however_long_it_was_away(lost):
    hint = handed_over()
    for _ in range(12 * 60):
        wait(5)
        lost.look("default")
    Engine.sent.clear()
    a_process()
    waited = 0
    while not lost.look("default"):
        waited += 5
        wait(5)
    assert waited <= 10
    assert Engine.sent == [("default", hint)]


def test_it_is_never_waited_for_longer_than_two_minutes(lost):
    a_process()
    handed_over()
    sent = []
    for second in range(600):
        if lost.look("default"):
            sent.append(second)
        wait(1)
    assert sent == [10, 30, 70, 150, 270, 390, 510]


def test_an_operator_is_told_of_a_cluster_that_takes_nothing(lost, caplog):
    a_process()
    handed_over()
    with caplog.at_level(logging.WARNING, "durable_django"):
        for _ in range(3):
            wait(1_000)
            lost.look("default")
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.WARNING, logging.ERROR]
    assert "restart the cluster" in caplog.text


def test_another_cluster_is_looked_at_by_itself(lost, durable_settings):
    durable_settings(QUEUES={"heavy": {"cluster": "big"}})
    a_process()
    handed_over()
    wait(1_000)
    assert lost.look("big") == 0
    assert lost.look("default") == 1
