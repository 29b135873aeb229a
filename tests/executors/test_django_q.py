"""Django-Q2: what is sent, and what its processes do with it. Real clusters: tests/scenarios."""

import socket

import pytest
from django.db import transaction
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_spawn

from durable_django import Workflow, step
from durable_django.executors import carrier as carriers
from durable_django.executors import django_q
from durable_django.executors.django_q import DjangoQ, announce_processes, carry_task
from durable_django.models import Execution, Worker
from durable_django.store.dispatching import Hint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    post_spawn.disconnect(dispatch_uid="durable_django.executors.django_q")
    if carriers._carrier is not None:
        carriers._carrier.stop()
        carriers._carrier = None


@pytest.fixture
def orm(monkeypatch):
    """The database as the broker, whatever the settings say."""
    monkeypatch.setattr(Conf, "ORM", "default")
    monkeypatch.setattr(Conf, "BROKER_CLASS", None)


def make_flow():
    class Flow(Workflow):
        @step
        def only(self):
            return 1

    return Flow


def tasks():
    return [(row.key, row.task) for row in OrmQ.objects.order_by("id")]


def test_a_hint_is_a_task_that_keeps_nothing_and_never_fails(orm, installed):
    installed(DjangoQ)
    run = make_flow().start()
    ((cluster, task),) = tasks()
    assert cluster == DjangoQ().default_cluster
    assert (task["func"], task["args"], task["kwargs"]) == (
        "durable_django.executors.django_q.carry_task",
        (str(run.pk), 0),
        {},
    )
    wanted = {"save": False, "ack_failure": True, "timeout": -1, "sync": False, "cached": False}
    assert {name: task[name] for name in wanted} == wanted


def test_with_the_database_as_broker_it_belongs_into_the_transaction(orm, installed):
    installed(DjangoQ)
    with transaction.atomic():
        make_flow().start()
        assert OrmQ.objects.count() == 1
        transaction.set_rollback(True)
    assert OrmQ.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ORM", "default", True),
        ("ORM", "other", False),
        ("ORM", None, False),
        ("BROKER_CLASS", "a.Class", False),
        ("SQS", {}, False),
        ("IRON_MQ", {"token": 1}, False),
    ],
)
def test_any_other_broker_is_told_after_the_commit(orm, monkeypatch, name, value, expected):
    monkeypatch.setattr(Conf, name, value)
    assert DjangoQ().is_transactional() is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "shop"}, "shop"),
        ({"name": "shop", "cluster_name": "fast"}, "fast"),
        ({}, "default"),
        (None, "default"),
        (["shop"], "default"),
    ],
)
def test_the_default_cluster_is_the_one_without_a_name(settings, given, expected):
    settings.Q_CLUSTER = given
    assert DjangoQ().default_cluster == expected


def test_a_queue_of_another_cluster_goes_there(orm, installed, durable_settings):
    durable_settings(QUEUES={"heavy": {"cluster": "big"}})
    installed(DjangoQ)
    make_flow().start(queue="heavy")
    assert [cluster for cluster, _ in tasks()] == ["big"]


def test_a_broker_is_kept_but_not_across_a_fork(orm, monkeypatch):
    engine = DjangoQ()
    first = engine._broker("shop")
    assert engine._broker("shop") is first
    assert engine._broker("big") is not first
    monkeypatch.setattr(django_q.os, "getpid", lambda: -1)
    assert engine._broker("shop") is not first
    assert len(engine._brokers) == 1


@pytest.fixture
def redis_of_settings(monkeypatch):
    """`redis_of_settings(socket_timeout=60)`: what Q_CLUSTER says of a Redis that is not there."""

    def say(**options):
        monkeypatch.setattr(Conf, "ORM", None)
        monkeypatch.setattr(Conf, "BROKER_CLASS", None)
        monkeypatch.setattr(Conf, "REDIS", {"host": "127.0.0.1", "port": 1, **options})

    return say


@pytest.mark.parametrize(("given", "expected"), [({}, 5), ({"socket_timeout": 60}, 60)])
def test_a_redis_that_hangs_is_not_waited_for_for_ever(redis_of_settings, given, expected):
    redis_of_settings(**given)
    pool = DjangoQ()._broker("shop").connection.connection_pool
    assert pool.connection_kwargs["socket_timeout"] == expected
    assert pool.connection_kwargs["socket_connect_timeout"] == 5


def test_whoever_starts_a_run_goes_on_when_redis_does_not_answer(
    redis_of_settings, installed, monkeypatch, caplog
):
    monkeypatch.setattr(django_q, "REDIS_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redis_of_settings(port=silent.getsockname()[1])
        installed(DjangoQ)
        run = make_flow().start()
    assert "could not be handed over" in caplog.text
    assert Execution.objects.get(pk=run.pk).dispatched_lease is None


def test_a_task_drives_its_run(orm, monkeypatch):
    monkeypatch.setattr(Conf, "CLUSTER_NAME", DjangoQ().default_cluster)
    run = make_flow().start()
    carry_task(str(run.pk), 0)
    carry_task(str(run.pk), 0)
    run.refresh_from_db()
    assert (run.status, run.result) == ("completed", 1)
    assert Worker.objects.get().cluster == DjangoQ().default_cluster


@pytest.mark.parametrize(
    ("retry", "expected"), [(120, 30), (20, 10), (0, 30), (None, 30), ("60", 30), (-5, 30)]
)
def test_it_is_driven_for_no_longer_than_the_broker_waits(monkeypatch, retry, expected):
    given = []
    monkeypatch.setattr(Conf, "RETRY", retry)
    monkeypatch.setattr(django_q, "carry", lambda *args, **options: given.append(options))
    carry_task("id", 0)
    assert [options["seconds"] for options in given] == [expected]


def test_a_process_is_known_as_soon_as_it_begins(orm, monkeypatch):
    monkeypatch.setattr(Conf, "CLUSTER_NAME", "shop")
    announce_processes()
    post_spawn.send(sender="django_q", proc_name="Process-1")
    row = Worker.objects.get()
    assert (row.executor, row.cluster, row.threads, row.status) == ("django_q", "shop", 1, "alive")


def test_a_process_of_a_cluster_that_carries_nothing_is_no_worker(orm, monkeypatch):
    announce_processes()
    monkeypatch.setattr(Conf, "CLUSTER_NAME", "mail")
    post_spawn.send(sender="django_q", proc_name="one")
    assert not Worker.objects.exists()


def test_whoever_runs_a_task_at_once_is_no_process_of_a_cluster(orm, monkeypatch):
    monkeypatch.setattr(Conf, "SYNC", True)
    announce_processes()
    post_spawn.send(sender="django_q", proc_name="MainProcess")
    assert Worker.objects.count() == 0


def test_a_process_that_cannot_be_known_now_begins_all_the_same(orm, monkeypatch, caplog):
    def refused(executor, cluster):
        raise ConnectionError("no database")

    monkeypatch.setattr(django_q, "carrier_of", refused)
    announce_processes()
    post_spawn.send(sender="django_q", proc_name="Process-1")
    assert "not known before its first task" in caplog.text


def test_hints_may_be_many(orm):
    engine = DjangoQ()
    ids = [run.pk for run in (make_flow().start(), make_flow().start())]
    engine.send("shop", [Hint(pk, 3) for pk in ids])
    assert [task["args"] for _, task in tasks()] == [(str(pk), 3) for pk in ids]
