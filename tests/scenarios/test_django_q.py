"""Runs that are carried by a real cluster of Django-Q2, and a `durable_worker` that sweeps."""

from collections import Counter

import pytest
from django_q.models import OrmQ, Task

import durable_django as durable
from durable_django.executors.dispatches import install
from durable_django.executors.django_q import DjangoQ
from durable_django.models import StepRun, Worker
from durable_django.store import wakeup
from tests.killing.carried import Endless, Overtime, Stands
from tests.killing.models import Effect
from tests.killing.workflows import Survives, Turns, Waits
from tests.waiting import until

from .mixed_runs import MixedRuns
from .test_kill import check_that_nothing_is_lost, not_ended
from .test_kill_control_flow import check_turns


def who_ran() -> set[tuple[str, str]]:
    """(executor, cluster) of the processes in which steps ran."""
    ids = StepRun.objects.exclude(worker_id=None).values_list("worker_id", flat=True)
    return set(Worker.objects.filter(pk__in=ids).values_list("executor", "cluster"))


def tell_of_mixed_runs(fleet):
    fleet.start_sweeper()
    fleet.start_cluster()
    runs = MixedRuns(1)
    runs.until_ended()
    assert runs.check() == Counter(completed=3)
    assert who_ran() == {("django_q", "shop")}
    assert not Task.objects.exists(), "Django-Q2 keeps no results"


def test_runs_of_every_kind_are_carried_by_a_cluster_with_the_database_as_its_broker(fleet):
    tell_of_mixed_runs(fleet)
    until(lambda: not OrmQ.objects.exists())


@pytest.mark.slow
def test_runs_of_every_kind_are_carried_by_a_cluster_with_redis_as_its_broker(fleet, redis):
    fleet.q_cluster = redis.q_cluster()
    tell_of_mixed_runs(fleet)
    assert not OrmQ.objects.exists()
    # All that was sent comes.
    until(lambda: redis.client.keys("django_q:shop:q") == [])


def test_what_a_process_starts_it_hands_over_itself_and_the_cluster_sees_it_through(
    fleet, monkeypatch
):
    monkeypatch.setattr(wakeup, "announce", None)
    cluster = fleet.start_cluster()
    cluster.until_known()
    install(DjangoQ())
    # Twice as many as have room; nothing of them waits for a time, which takes a sweeper.
    ids = durable.start_many(Turns, [{}] * 8)
    until(lambda: not not_ended())
    for pk in ids:
        check_turns(pk)
    assert not Worker.objects.filter(threads=0).exists()
    cluster.process.terminate()
    assert cluster.process.wait(60) == 0, cluster.said()
    assert set(Worker.objects.values_list("status", flat=True)) == {"stopped"}


def test_time_limits_and_whoever_cancels_or_pauses_reach_a_run_in_a_process_of_a_cluster(fleet):
    fleet.start_sweeper()
    fleet.start_cluster(4)
    overtime, endless = Overtime.start(), Endless.start()
    until(lambda: overtime.refresh_from_db() or overtime.is_final)
    assert (overtime.status, overtime.error["type"]) == ("failed", "StepTimeout")
    until(lambda: endless.refresh_from_db() or endless.is_final)
    assert (endless.status, endless.error["type"]) == ("failed", "WorkflowTimeout")
    cancelled, paused = Waits.start(), Waits.start()
    until(lambda: Effect.objects.filter(node="inside").count() == 2)
    assert durable.cancel(cancelled).status == "cancelled"
    assert durable.pause(paused).status == "running"
    Effect.objects.create(run=paused.pk, node="go")
    until(lambda: durable.get_execution(paused).status == "paused")
    assert list(paused.steps.values_list("name", "status")) == [("wait", "completed")]
    durable.resume(paused)
    assert paused.get_result(timeout=20)
    assert not cancelled.steps.filter(name="after").exists()
    assert Effect.objects.filter(node="inside").count() == 2


def test_the_runs_of_a_queue_are_carried_by_the_cluster_of_that_queue(fleet, settings):
    fleet.q_cluster = {"ALT_CLUSTERS": {"heavy": {"workers": 1}}}
    fleet.durable = {"QUEUES": {"heavy": {"cluster": "heavy"}}}
    settings.DURABLE = {**settings.DURABLE, **fleet.durable}
    fleet.start_sweeper()
    fleet.start_cluster(1)
    fleet.start_cluster(name="heavy")
    light = durable.start_many(Survives, [{"n": n} for n in range(4)])
    heavy = durable.start_many(Survives, [{"n": n} for n in range(4)], queue="heavy")
    until(lambda: not not_ended())
    for ids, cluster in ((light, "shop"), (heavy, "heavy")):
        assert check_that_nothing_is_lost(ids) == Counter(completed=4)
        steps = StepRun.objects.filter(execution_id__in=ids)
        workers = Worker.objects.filter(pk__in=steps.values("worker_id"))
        assert list(workers.values_list("cluster", flat=True)) == [cluster]


@pytest.mark.slow
def test_a_process_whose_threads_are_stuck_in_steps_ends_and_another_takes_its_place(fleet):
    fleet.start_sweeper()
    cluster = fleet.start_cluster(1)
    cluster.until_known(1)
    first = cluster.rows().get().pid
    stuck = [Stands.start(), Stands.start()]
    for run in stuck:
        until(lambda run=run: durable.get_execution(run).is_final)
        assert durable.get_execution(run).error["type"] == "StepTimeout"
    ids = durable.start_many(Survives, [{"n": 0}])
    until(lambda: not not_ended(), 60)
    assert check_that_nothing_is_lost(ids) == Counter(completed=1)
    assert first not in cluster.rows().values_list("pid", flat=True)
