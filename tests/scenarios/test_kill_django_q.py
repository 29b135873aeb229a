"""Processes of a cluster of Django-Q2 are killed, its messages wiped, repeated and turned round;
nothing is lost, nothing completed twice."""

import os
import random
import re
import signal
from collections import Counter

import pytest
from django_q.models import OrmQ

import durable_django as durable
from durable_django.models import StepRun, Worker
from tests.killing.models import Effect
from tests.killing.workflows import Poison, Survives, Waits
from tests.waiting import until

from .mixed_runs import Stream
from .test_kill import check_that_nothing_is_lost, effects, not_ended
from .test_processes import go, inside

pytestmark = pytest.mark.kill


@pytest.fixture(params=["orm", "redis"])
def wipe(request, fleet):
    """Whatever lies in the broker is gone. The fleet uses that broker."""
    if request.param == "orm":
        return OrmQ.objects.all().delete
    server = request.getfixturevalue("redis")
    fleet.q_cluster = server.q_cluster()
    return server.client.flushall


def test_busy_processes_that_are_killed_lose_nothing(fleet):
    draw = random.Random(1)
    fleet.start_sweeper()
    cluster = fleet.start_cluster(3)
    runs = Stream(3)
    for _ in range(8):
        runs.until_further(draw.randint(1, 20))
        which = draw.randrange(3)
        runs.until(lambda which=which: cluster.kill_busy(which))
    runs.until_ended()
    assert runs.check()["completed"] >= 4
    assert cluster.process.poll() is None, cluster.said()


def test_a_cluster_that_is_killed_as_a_whole_and_started_again_loses_nothing(fleet, wipe):
    sweeper = fleet.start_sweeper()
    cluster = fleet.start_cluster()
    runs = Stream(2)
    for _ in range(2):
        runs.until_further(30)
        cluster.kill()
        cluster = fleet.start_cluster()
    runs.until_ended()
    assert runs.check()["completed"] >= 2
    assert sweeper.poll() is None, fleet.said(sweeper)


def test_a_cluster_whose_guard_is_killed_and_one_beside_it_lose_nothing(fleet):
    fleet.start_sweeper()
    cluster = fleet.start_cluster()
    runs = Stream(2)
    runs.until_further(20)
    cluster.kill_sentinel()
    fleet.start_cluster()
    runs.until_ended()
    assert runs.check() == runs.all_completed()


def test_clusters_that_end_in_good_order_while_runs_go_on_interrupt_none(fleet):
    fleet.start_sweeper()
    cluster = fleet.start_cluster()
    runs = Stream(2)
    for _ in range(2):
        cluster.until_known()
        runs.until_further(30)
        cluster.process.terminate()
        assert cluster.process.wait(60) == 0, cluster.said()
        cluster = fleet.start_cluster()
    runs.until_ended()
    assert runs.check() == runs.all_completed()
    assert not Worker.objects.filter(status="dead").exists()
    assert Worker.objects.filter(status="stopped").count() == 4


def test_what_a_broker_lost_is_sent_again(fleet, wipe):
    fleet.start_sweeper()
    fleet.start_cluster()
    runs = Stream(2)
    for _ in range(4):
        runs.until_further(20)
        wipe()
    runs.until_ended()
    assert runs.check() == runs.all_completed()


def test_runs_wait_for_a_broker_that_is_down_and_go_on_when_it_is_back(fleet, redis):
    fleet.q_cluster = redis.q_cluster()
    sweeper = fleet.start_sweeper()
    fleet.start_cluster()
    runs = Stream(2)
    runs.until_further(20)
    redis.kill()
    runs.until(lambda: "could not be handed over" in fleet.said(sweeper) and not_ended())
    redis.start()
    runs.until_ended()
    assert runs.check() == runs.all_completed()


def test_what_comes_twice_and_the_newest_first_is_run_once(fleet):
    """By processes that are replaced after every few runs, too."""
    fleet.q_cluster = {"broker_class": "tests.killing.brokers.Twice", "bulk": 4}
    fleet.start_sweeper()
    cluster = fleet.start_cluster(3, recycle=40)
    runs = Stream(3)
    runs.until(Worker.objects.filter(status="stopped").exists)
    runs.until_ended()
    assert runs.check() == runs.all_completed()
    until(lambda: set(deliveries(cluster).values()) == {2})
    assert not Worker.objects.filter(status="dead").exists()


def deliveries(cluster) -> Counter[str]:
    """How often each message was begun, by its name."""
    return Counter(re.findall(r"processing (\S+)", cluster.said()))


def test_a_run_that_outlasts_the_patience_of_the_broker_is_delivered_again_and_run_once(fleet):
    fleet.q_cluster = {"retry": 1, "timeout": 1}
    fleet.start_sweeper()
    cluster = fleet.start_cluster()
    run = Waits.start()
    until(lambda: inside(run))
    until(lambda: cluster.said().count("processing") >= 2)
    go()
    assert run.get_result(timeout=20)
    assert inside(run) == 1
    assert list(run.steps.values_list("name", "status")) == [
        ("wait", "completed"),
        ("after", "completed"),
    ]


def test_a_frozen_process_cannot_write_after_its_lease_was_taken(fleet):
    fleet.durable = {"LEASE_SECONDS": 1.5}
    fleet.start_sweeper()
    cluster = fleet.start_cluster()
    run = Waits.start()
    until(lambda: inside(run) == 1)
    frozen = cluster.freeze_busy()
    until(lambda: inside(run) == 2)
    go()
    assert frozen not in run.get_result(timeout=20)
    before = list(StepRun.objects.filter(execution=run).values())
    os.kill(frozen, signal.SIGCONT)
    rows = Worker.objects.filter(pid=frozen).order_by("id").values_list("status", flat=True)
    until(lambda: list(rows.all()) == ["dead", "alive"])
    ids = durable.start_many(Survives, [{"n": n} for n in range(8)])
    until(lambda: not not_ended())
    assert check_that_nothing_is_lost(ids) == Counter(completed=8)
    assert list(StepRun.objects.filter(execution=run).values()) == before


def test_a_run_that_kills_its_process_ends_and_spares_those_beside_it(fleet):
    fleet.durable = {"MAX_RECOVERIES": 2}
    fleet.start_sweeper()
    cluster = fleet.start_cluster()
    poison = Poison.start()
    ids = durable.start_many(Survives, [{"n": n} for n in range(10)])
    until(lambda: not not_ended(), 60)
    poison.refresh_from_db()
    assert (poison.status, poison.error["type"]) == ("failed", "WorkerLost")
    # Once in a wave, where no start is committed, and then MAX_RECOVERIES times.
    assert effects()[poison.pk, "kill"] in (2, 3)
    assert check_that_nothing_is_lost(ids) == Counter(completed=10)
    assert cluster.process.poll() is None, cluster.said()


def test_idle_processes_that_are_killed_stop_a_cluster_and_the_sweeper_says_so(fleet):
    """One of them reads the queue that they share, and dies with its lock: Python's queues do not
    survive that, and neither does the cluster."""
    sweeper = fleet.start_sweeper()
    cluster = fleet.start_cluster()
    cluster.until_known()
    assert cluster.kill_all_idle() == 2
    ids = durable.start_many(Survives, [{"n": n} for n in range(6)])
    until(lambda: "restart the cluster" in fleet.said(sweeper) or not not_ended(), 60)
    if not_ended():
        cluster.kill()
        fleet.start_cluster()
    until(lambda: not not_ended(), 60)
    assert check_that_nothing_is_lost(ids) == Counter(completed=6)
    assert not Effect.objects.exclude(run__in=ids).exists()
