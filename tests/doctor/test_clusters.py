"""Clusters that carry the runs: not there, taking nothing, or without a durable_worker."""

import pytest

from durable_django import doctor
from durable_django.models import Execution, Queue, Worker
from durable_django.store import dispatching
from tests.admin.rows import make_run, now

from .sick import later, staffed


@pytest.fixture(autouse=True)
def _django_q(settings):
    settings.DURABLE = {
        "EXECUTOR": "django_q",
        "QUEUES": {"heavy": {"cluster": "big"}, "huge": {"cluster": "big"}},
        # Long ones, so that no test depends on how fast it is.
        "HEARTBEAT_SECONDS": 60,
        "LEASE_SECONDS": 600,
    }
    settings.Q_CLUSTER = {"name": "default"}


def all_found():
    return {
        each.key: each for each in doctor.examine() if each.code not in ("check", "clocks_apart")
    }


def sweeper(**fields):
    queues = ["default", "heavy", "huge"]
    return staffed(**{"threads": 0, "executor": "django_q", "queues": queues, **fields})


def process(cluster="default", queues=("default",), **fields):
    return staffed(threads=1, executor="django_q", cluster=cluster, queues=list(queues), **fields)


def handed_over(queue="default", **ago):
    """A run that was handed over so long ago."""
    make_run(queue=queue, ready_at=later(minutes=-12))
    dispatching.hand_over(queue, 100)
    Execution.objects.filter(queue=queue).update(dispatched_at=later(**ago))


def test_a_healthy_fleet_is_well():
    sweeper()
    process()
    process("big", ["heavy", "huge"])
    Worker.objects.update(started_at=later(minutes=-12))
    handed_over()
    handed_over("heavy")
    make_run(queue="huge", ready_at=later(minutes=-10))
    assert all_found() == {}


def test_a_cluster_of_which_no_process_lives_is_one_finding_for_all_its_queues():
    sweeper()
    process()
    for queue in ("heavy", "heavy", "huge"):
        make_run(queue=queue, ready_at=later(minutes=-3))
    found = all_found()
    assert list(found) == ["cluster_gone:big"]
    finding = found["cluster_gone:big"]
    assert (finding.severity, finding.number.number) == ("error", 3)
    assert finding.todo == "Start one: Q_CLUSTER_NAME=big manage.py qcluster"
    assert [place.id for place in finding.where] == ["heavy", "huge"]
    process("big", ["heavy", "huge"])
    assert all_found() == {}


def test_a_cluster_of_an_unknown_engine_has_the_time_of_two_heartbeats_to_be_known(settings):
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "tests.executors.engines.Engine"}
    sweeper(executor="engine")
    run = make_run(ready_at=later(minutes=-1))
    assert all_found() == {}
    Execution.objects.filter(pk=run.pk).update(ready_at=later(minutes=-3))
    found = all_found()["cluster_gone:default"]
    assert (found.todo, found.what) == (
        "Start one.",
        "1 wait in its queues, and nobody takes any of them.",
    )


def test_threads_that_serve_its_queues_do_without_a_cluster():
    staffed(queues=["default"])
    make_run(ready_at=later(minutes=-3))
    assert all_found() == {}


def test_where_nobody_lives_the_cluster_is_missed_as_well():
    make_run(ready_at=later(minutes=-3))
    assert set(all_found()) == {"no_worker", "cluster_gone:default"}


def test_clusters_alone_wake_nothing():
    process()
    assert all_found() == {}  # there is nothing to do
    make_run(queue="default")
    found = all_found()
    assert list(found) == ["no_sweeper"]
    assert found["no_sweeper"].severity == "error"
    staffed(threads=0, executor="django_q")
    assert "no_sweeper" not in all_found()


def test_a_sweeper_alone_keeps_but_serves_nobody():
    sweeper()
    make_run(ready_at=later(minutes=-3))
    assert list(all_found()) == ["cluster_gone:default"]


def stuck(**fields):
    """A sweeper, two idle processes, and a run that was sent again in vain; one process."""
    sweeper()
    processes = [process(), process()]
    Worker.objects.filter(pk__in=[each.pk for each in processes]).update(
        **{"started_at": later(minutes=-12), **fields}
    )
    handed_over(minutes=-2)
    return processes[0]


def test_a_cluster_that_takes_nothing_though_all_of_it_is_idle_is_stuck():
    stuck()
    finding = all_found()["cluster_stuck:default"]
    assert (finding.severity, finding.number.number, finding.fix) == ("error", 1, None)
    assert finding.what.startswith("1 are handed over to it, the oldest ready for 12 min")
    assert finding.what.endswith("All of its processes are idle: 2.")
    assert "restart the whole cluster" in finding.todo
    Worker.objects.filter(cluster="").update(heartbeat_at=later(minutes=-20))
    assert "cluster_stuck:default" not in all_found()  # nobody has sent it again


@pytest.mark.parametrize("reason", ["busy", "paused", "full", "taken", "fresh", "just sent"])
def test_what_has_a_reason_not_to_be_taken_is_not_stuck(reason):
    worker = stuck()
    if reason == "busy":
        make_run("running", worker=worker)
    elif reason == "paused":
        Queue.objects.create(name="default", created_at=now(), paused_at=later(hours=-1))
    elif reason == "full":
        Queue.objects.create(name="default", created_at=now(), concurrency_limit=1)
        make_run("running", worker=staffed(threads=1))
    elif reason == "taken":
        Execution.objects.update(status="running", worker=worker, lease=1)
    elif reason == "fresh":
        Execution.objects.update(ready_at=later(minutes=-3))
    else:
        Execution.objects.update(dispatched_at=later())
    assert all_found() == {}


def test_a_cluster_that_has_just_begun_has_time_to_take_what_lies_there():
    stuck(started_at=later(minutes=-2))
    assert all_found() == {}


def test_a_queue_that_no_setting_names_is_to_be_named():
    sweeper()
    process()
    make_run(queue="mail", ready_at=later(minutes=-1))
    finding = all_found()["queue_unserved:mail"]
    assert finding.todo == (
        "Name it in QUEUES, then restart the cluster default and durable_worker."
    )


def test_a_queue_that_is_long_behind_wants_more_processes():
    sweeper()
    process()
    make_run(ready_at=later(minutes=-16))
    assert all_found()["queue_late:default"].todo == (
        "Start more processes of the cluster default."
    )
