"""Why, asked of real runs that a cluster carries: what is read of it, in how few queries."""

import pytest

from durable_django import Workflow, api_queues, step
from durable_django.api import get_execution
from durable_django.models import Execution, Worker
from durable_django.store import clock, dispatching, leases
from durable_django.store.claiming import claim
from durable_django.why import read_facts, why

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _django_q(settings):
    settings.DURABLE = {
        **settings.DURABLE,
        "EXECUTOR": "django_q",
        "QUEUES": {"heavy": {"cluster": "big ones"}},
    }
    settings.Q_CLUSTER = {"name": "default"}


@pytest.fixture
def Plain(durable):
    class Plain(Workflow):
        @step
        def only(self): ...

    return Plain


@pytest.fixture
def run(Plain):
    return Plain.start()


def register(threads=1, cluster="default"):
    return leases.register(
        hostname="box",
        pid=1,
        pid_space="",
        queues=["default"],
        threads=threads,
        executor="django_q",
        package_version="",
        cluster=cluster,
    )


def codes(run):
    return [reason.code for reason in why(get_execution(run))]


def test_a_run_is_followed_into_the_cluster(run):
    sweeper = register(threads=0, cluster="")
    (reason,) = why(get_execution(run))
    assert (reason.code, reason.detail["start"]) == ("no_process", "manage.py qcluster")
    register(cluster="big ones")  # another one, even if its row names the queue
    assert read_facts(get_execution(run)).cluster.processes == 0
    process, _busy = register(), register()
    assert codes(run) == ["not_handed_over"]
    (hint,) = dispatching.hand_over("default", 5)
    (reason,) = why(get_execution(run))
    assert (reason.code, reason.detail) == (
        "handed_over",
        {"cluster": "default", "processes": 2, "idle": 2},
    )
    leases.stop(sweeper)
    assert codes(run) == ["handed_over"]
    assert dispatching.take(process, hint, {})[0] is not None
    assert codes(run) == ["held"]


def test_processes_that_hold_something_are_not_idle(Plain, run):
    register(threads=0, cluster="")
    process = register()
    register()
    claim(process, ["default"], 1)
    other = Plain.start()
    assert read_facts(get_execution(other)).cluster.idle == 0  # counted where it is handed over
    dispatching.hand_over("default", 5)
    assert read_facts(get_execution(other)).cluster.idle == 1


def test_a_hint_of_an_older_turn_does_not_count(run):
    register(threads=0, cluster="")
    register()
    dispatching.hand_over("default", 5)
    Execution.objects.filter(pk=run.pk).update(lease=3)
    assert codes(run) == ["not_handed_over"]


def test_a_sweeper_serves_no_queue(run, settings):
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "threads"}
    register(threads=0, cluster="")
    assert codes(run) == ["no_worker"]
    worker = register(cluster="")
    assert codes(run) == ["ready"]
    Worker.objects.filter(pk=worker).update(cluster="default")
    assert read_facts(get_execution(run)).queue.is_kept
    Worker.objects.filter(threads=0).delete()
    assert not read_facts(get_execution(run)).queue.is_kept


def test_what_it_costs_stays_small(run, django_assert_max_num_queries):
    register(threads=0, cluster="")
    register()
    dispatching.hand_over("default", 5)
    api_queues.limit_queue("default", 3)
    found, now = get_execution(run), clock.now()
    with django_assert_max_num_queries(5):
        assert [reason.code for reason in why(found, now=now)] == ["handed_over"]


def test_an_executor_that_cannot_be_loaded_has_no_clusters(run, settings):
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "nowhere.Engine"}
    assert codes(run) == ["no_worker"]
