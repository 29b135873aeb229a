"""Three hosts with settings of their own share one PostgreSQL and one Redis, each with a cluster of
Django-Q2 and a `durable_worker`: one dies, or each gets a deploy; nothing is lost.

Collected on PostgreSQL only: no two hosts share a SQLite file. To each other they are machines of
their own (`tests/killing/other_host`): none may look whether a process of another is there.
"""

from collections import Counter

import pytest

import durable_django as durable
from durable_django import Every, seconds
from durable_django.models import Execution, ScheduleTick, StepRun, Wait, Worker
from durable_django.store import clock
from tests.killing.waits import Clocked, Naps
from tests.killing.workflows import Survives
from tests.waiting import until

from .mixed_runs import Stream
from .test_kill import check_that_nothing_is_lost, not_ended

pytestmark = pytest.mark.kill

# A live host that comes too late for it is taken for dead. That costs it what it has in hand, and
# nothing else.
LEASE = {"LEASE_SECONDS": 3}


@pytest.fixture
def place(fleet, redis, settings):
    """Where the hosts stand, on one Redis and with the queues that all of them know."""
    fleet.q_cluster = {**redis.q_cluster(), "ALT_CLUSTERS": {"heavy": {"workers": 1}}}
    fleet.durable = {"QUEUES": {"heavy": {"cluster": "heavy"}}}
    settings.DURABLE = {**settings.DURABLE, **fleet.durable}
    return fleet


def start(place, name, *, workers, is_heavy=False, **durable):
    """A host with a sweeper, its part of the common cluster, and one for the queue "heavy"."""
    host = place.host(name, **durable)
    host.start_sweeper()
    host.start_cluster(workers)
    if is_heavy:
        host.start_cluster(1, name="heavy")
    return host


def start_three(place, **durable):
    """Once they are known; no two have the same settings."""
    hosts = [
        start(place, "a", workers=1, HEARTBEAT_SECONDS=0.2, **durable),
        start(place, "b", workers=2, HEARTBEAT_SECONDS=0.3, **durable),
        start(place, "c", workers=1, is_heavy=True, HEARTBEAT_SECONDS=0.4, **durable),
    ]
    for host, processes in zip(hosts, (1, 2, 2), strict=True):
        host.until_known(processes)
    return hosts


def start_heavy():
    return durable.start_many(Survives, [{"n": n} for n in range(4)], queue="heavy")


def hosts_of(steps):
    """The names of those that ran them."""
    return set(steps.filter(worker__isnull=False).values_list("worker__hostname", flat=True))


def check_heavy(ids, host):
    """Only one host has a cluster for them; how they ended."""
    ended = check_that_nothing_is_lost(ids)
    assert hosts_of(StepRun.objects.filter(execution_id__in=ids)) == {host.name}
    return ended


def until_dead(host):
    until(lambda: set(host.rows().values_list("status", flat=True)) == {"dead"}, 60)


def test_a_host_that_dies_in_the_middle_of_work_loses_nothing(place):
    a, b, c = start_three(place, **LEASE)
    runs, heavy = Stream(3), start_heavy()
    runs.until(lambda: hosts_of(StepRun.objects.all()) == {"a", "b", "c"})
    # One of its processes has a run in hand for certain.
    runs.until(b.clusters[0].try_to_freeze_busy)
    b.die()
    runs.until_ended()
    assert runs.check()["completed"] >= 5
    check_heavy(heavy, c)
    until_dead(b)
    said = a.all_said() + c.all_said()
    assert "is overdue: declared dead" in said
    assert "took back" in said
    assert "is gone: declared dead" not in said, "a process id of another machine means nothing"


def test_timers_retries_and_schedules_go_on_when_the_host_dies_whose_sweeper_is_the_oldest(place):
    a = start(place, "a", workers=1, **LEASE)
    a.until_known(1)
    for host in [start(place, name, workers=1, **LEASE) for name in "bc"]:
        host.until_known(1)
    assert Worker.objects.filter(threads=0).earliest("started_at").hostname == "a"
    every = Every(1, name="killed", overlap="allow", input={"n": 1})
    schedule = durable.create_schedule("killing.plain_child", every)
    ticks = ScheduleTick.objects.filter(schedule=schedule).order_by("at")
    until(lambda: ticks.filter(outcome="started").count() >= 2, 60)
    clocked = durable.start_many(Clocked, [{"seconds": 0.5 + n / 10} for n in range(20)])
    for n in range(1, 20, 2):
        durable.send_event(clocked[n], "go", n)
    naps = durable.start_many(Naps, [{"seconds": 2}] * 5)
    until(lambda: Wait.objects.filter(execution__in=naps).count() == 5)
    a.die()
    died_at = clock.now()
    until(lambda: ticks.filter(at__gt=died_at).count() >= 3, 60)
    durable.disable_schedule(schedule)
    until(lambda: not not_ended(), 60)
    for n, pk in enumerate(clocked):
        run = durable.get_execution(pk)
        first = n if n % 2 else "late"
        assert run.result == [first, "late", 0.5 + n / 10, "late"], run.error
        assert [row.status for row in run.steps.filter(name="first")] == ["failed", "completed"]
    times = list(ticks.values_list("at", flat=True))
    assert times == [schedule.next_at + n * seconds(1) for n in range(len(times))]
    fired = Execution.objects.filter(kind="workflow", workflow_name="killing.plain_child")
    assert sorted(fired.values_list("scheduled_at", flat=True)) == times
    assert set(Execution.objects.values_list("status", flat=True)) <= {"completed", "cancelled"}
    assert not Execution.objects.filter(worker__isnull=False).exists()
    until_dead(a)


def test_a_deploy_with_other_settings_host_by_host_interrupts_no_run(place):
    before = [
        start(place, "a", workers=2, HEARTBEAT_SECONDS=0.2),
        start(place, "c", workers=1, is_heavy=True, HEARTBEAT_SECONDS=0.4),
    ]
    for host in before:
        host.until_known(2)
    known = Worker.objects.count()
    runs, heavy, after = Stream(1), [], []
    for old in before:
        heavy.append(start_heavy())
        runs.until_further(10)
        old.shut_down()
        is_heavy = old.name == "c"
        new = start(place, old.name, workers=1, is_heavy=is_heavy, HEARTBEAT_SECONDS=0.5)
        new.until_known(1 + is_heavy)
        after.append(new)
    heavy.append(start_heavy())
    ran = StepRun.objects.filter(worker__status="alive", worker__isnull=False)
    runs.until(lambda: hosts_of(ran.all()) == {"a", "c"})
    runs.until_ended()
    assert runs.check() == runs.all_completed()
    for ids in heavy:
        assert check_heavy(ids, before[-1]) == Counter(completed=4)
    status = Counter(Worker.objects.values_list("status", flat=True))
    assert status == {"stopped": known, "alive": 2 + 3}
    assert not Execution.objects.filter(recoveries__gt=0).exists()
    assert not [host for host in before + after if "took back" in host.all_said()]
