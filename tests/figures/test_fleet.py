"""The fleet: what waits in which queue, who serves it, what is in hand."""

import importlib
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.figures import Capped, fleet
from durable_django.models import Queue
from tests.admin.rows import make_fork, make_run, make_worker, now

reading = importlib.import_module("durable_django.figures.fleet")
pytestmark = pytest.mark.django_db


def queues(**arguments):
    return {queue.name: queue for queue in fleet(**arguments).queues}


def test_an_empty_database_has_no_fleet():
    with CaptureQueriesContext(connection) as asked:
        found = fleet()
    assert (found.queues, found.workers, found.alive) == ((), (), 0)
    assert len(asked) == 4


def test_a_queue_tells_how_much_waits_and_since_when():
    old = now() - timedelta(minutes=7)
    make_run(ready_at=old)
    make_run(priority=5)
    make_run("sleeping")
    make_run("completed")
    make_fork(make_run("waiting"), ["pending", "held_back", "completed"])
    default = queues()["default"]
    assert (default.waiting, default.oldest_at) == (Capped(3), old)
    assert default.is_unserved


def test_a_rollback_that_is_ready_waits_too():
    make_run("compensating", queue="a")
    make_run("compensating", queue="b", wake_at=now(), due_at=now())
    assert sorted(queues()) == ["a"]


def test_queues_that_nobody_has_heard_of_are_found_by_what_waits_in_them():
    names = ["a", "b b", "ü", "zz'"]
    for name in names:
        make_run(queue=name)
        make_run(queue=name)
    found = queues()
    assert sorted(found) == sorted(names)
    assert {queue.waiting for queue in found.values()} == {Capped(2)}
    assert {queue.has_row for queue in found.values()} == {False}


def test_more_than_a_limit_is_not_counted(monkeypatch):
    for name in ("_READY", "_READY_WITHOUT_LATERAL"):
        statement = getattr(reading, name)
        monkeypatch.setattr(reading, name, statement.replace("LIMIT 10001", "LIMIT 3"))
    monkeypatch.setattr(reading, "COUNTED_MAX", 2)
    for _ in range(5):
        make_run()
    assert queues()["default"].waiting == Capped(2, True)


def test_decisions_about_a_queue_are_told():
    at = now()
    Queue.objects.create(name="mail", created_at=at, paused_at=at, concurrency_limit=3)
    mail = queues()["mail"]
    assert (mail.paused_at, mail.limit, mail.has_row) == (at, 3, True)
    assert not mail.is_unserved  # nothing waits in it


def test_workers_and_what_they_hold_are_told_by_queue():
    busy = make_worker(queues=["a", "b"], threads=4)
    idle = make_worker(queues=["b"], threads=2)
    for queue in ("a", "a", "b"):
        make_run("running", worker=busy, queue=queue)
    found = fleet()
    assert {worker.id: worker.held for worker in found.workers} == {busy.pk: 3, idle.pk: 0}
    a, b = found.queues
    assert (a.running, a.workers, a.threads) == (2, 1, 4)
    assert (b.running, b.workers, b.threads) == (1, 2, 6)


def test_a_worker_that_is_silent_serves_nothing():
    make_worker(heartbeat_at=now() - timedelta(minutes=5))
    make_worker(status="stopped")
    make_worker(status="dead")
    make_run()
    found = fleet()
    assert [worker.is_overdue for worker in found.workers] == [True]
    assert found.alive == 0
    assert found.queues[0].is_unserved


def test_a_sweeper_serves_nothing_and_keeps():
    make_worker(threads=0, executor="django_q", workflows=["a v1"])
    make_run()
    found = fleet()
    assert (found.alive, found.is_kept) == (1, True)
    default = found.queues[0]
    assert (default.workers, default.threads, default.is_unserved) == (0, 0, True)
    assert found.lacks([("b", 1)]) == []  # it runs none of it


def test_processes_of_a_cluster_serve_and_do_not_keep():
    mine = make_worker(threads=1, executor="django_q", cluster="heavy")
    make_worker(threads=1, executor="celery", cluster="heavy")
    make_worker(threads=1, executor="django_q", cluster="default")
    late = now() - timedelta(minutes=5)
    make_worker(threads=1, executor="django_q", cluster="heavy", heartbeat_at=late)
    make_worker(heartbeat_at=late)
    make_run()
    found = fleet()
    assert not found.is_kept
    assert (found.queues[0].workers, found.queues[0].threads) == (3, 3)
    assert [each.id for each in found.processes_of("django_q", "heavy")] == [mine.pk]


def test_code_that_no_worker_has_is_told():
    make_worker(workflows=["tests.order v1", "tests.refund v2"])
    make_worker(workflows=["tests.order v2"], heartbeat_at=now() - timedelta(minutes=5))
    code = [("tests.order", 1), ("tests.order", 2), ("tests.refund", 2)]
    assert fleet().lacks(code) == [("tests.order", 2)]


@pytest.mark.parametrize("workers", [[], [{"workflows": []}, {"workflows": ["a v1"]}]])
def test_nothing_is_said_to_be_missing_where_it_is_not_known(workers):
    for fields in workers:
        make_worker(**fields)
    assert fleet().lacks([("tests.order", 1)]) == []


def test_what_waits_is_found_by_its_index(large_table):
    make_run()
    is_postgresql = connection.vendor == "postgresql"
    statement = reading._READY if is_postgresql else reading._READY_WITHOUT_LATERAL
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'' if is_postgresql else 'QUERY PLAN '}{statement}")
        plan = [str(row) for row in cursor.fetchall()]
    reads = [line for line in plan if "durable_" in line or "SCAN e" in line]
    assert len(reads) >= 2  # that of the recursion is not told by PostgreSQL
    assert [line for line in reads if "durable_execution_ready" not in line] == []
