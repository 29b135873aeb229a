"""`durable status`: how everything is, and whether a monitor should ring."""

from datetime import timedelta

import pytest

from durable_django import api_queues, minutes
from durable_django.models import Execution, Worker
from durable_django.store import clock
from durable_django.terminal.status import DEPTH_MAX

from .workflows import make_claim, make_order


@pytest.fixture
def Order(durable):
    return make_order()


@pytest.fixture
def make_worker(db):
    def make(queues=("default",), silent=timedelta(0), **fields):
        now = clock.now()
        given = {"hostname": "host", "pid": 7, "threads": 4, "status": "alive", **fields}
        return Worker.objects.create(
            queues=list(queues), started_at=now, heartbeat_at=now - silent, **given
        )

    return make


def codes(said):
    return [problem["code"] for problem in said.json["problems"]]


def test_an_empty_database_has_no_worker(terminal):
    said = terminal("status")
    assert said.code == 0
    assert said.lines[:2] == ["Workers    0 alive", "Runs       none"]
    assert "! No worker is alive" in said.out
    assert terminal("status", "--check").code == 1
    assert codes(terminal("status", "--json")) == ["no_worker"]


def test_all_is_well_where_somebody_works(terminal, make_worker):
    make_worker()
    said = terminal("status", "--check")
    assert (said.code, said.lines[-1]) == (0, "All is well.")
    assert "Workers    1 alive with 4 threads" in said.out


def test_a_worker_that_is_silent_is_not_alive(terminal, make_worker):
    make_worker(silent=minutes(5))
    said = terminal("status", "--check")
    assert said.code == 1
    assert "Workers    0 alive, 1 overdue" in said.out


def test_runs_are_counted_by_status(terminal, Order, durable, make_worker):
    make_worker()
    durable.run(Order)
    durable.run(make_claim())
    Order.start()
    told = terminal("status", "--json").json
    numbers = {status: found["number"] for status, found in told["runs"].items()}
    assert (numbers["completed"], numbers["waiting"], numbers["pending"]) == (1, 1, 1)
    assert told["pending_inputs"] == {"number": 1, "more": False}
    said = terminal("status")
    assert "1 ○ pending, 1 ⧖ waiting, 1 ✓ completed" in said.out
    assert "1 pending (manage.py durable pending)" in said.out


def test_a_queue_that_is_too_old_fails_the_check(terminal, Order, make_worker):
    make_worker()
    run = Order.start()
    assert terminal("status", "--check").code == 0
    Execution.objects.filter(pk=run.pk).update(ready_at=clock.now() - minutes(6))
    said = terminal("status", "--check")
    assert said.code == 1
    assert "! Queue default: the oldest has been ready for 6 min" in said.out
    assert terminal("status", "--check", "--max-age", "10m").code == 0
    assert codes(terminal("status", "--json")) == ["too_old"]
    api_queues.pause_queue("default")
    assert terminal("status", "--check").code == 0


def test_only_the_queues_that_are_named_are_checked(terminal, Order, make_worker, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"mail": {}, "reports": {}}}
    make_worker(queues=["default", "mail"])
    run = Order.start()
    Execution.objects.filter(pk=run.pk).update(ready_at=clock.now() - minutes(6))
    for words, code in [(["mail"], 0), (["reports"], 0), (["mail", "--queue", "default"], 1)]:
        assert terminal("status", "--check", "--queue", *words).code == code


@pytest.mark.parametrize("words", [["--check"], ["--check", "--json"], []])
def test_a_queue_that_nobody_has_is_not_well(terminal, make_worker, words):
    make_worker(queues=["default", "mail"])
    said = terminal("status", "--queue", "mial", *words)
    assert (said.code, said.out) == (3, "")
    assert "no queue is called" in said.err
    assert "did you mean" in said.err
    assert terminal("status", "--queue", "default", *words).code == 0


def test_a_queue_that_is_too_deep_fails_the_check(terminal, Order, make_worker):
    make_worker()
    for _ in range(3):
        Order.start()
    assert terminal("status", "--check", "--max-depth", "3").code == 0
    said = terminal("status", "--check", "--max-depth", "2")
    assert said.code == 1
    assert "! Queue default: 3 wait in it, more than 2." in said.out


def test_a_queue_that_nobody_serves_fails_the_check(terminal, Order, make_worker, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"slow": {}}}
    make_worker()
    Order.start(queue="slow")
    said = terminal("status", "--check")
    assert said.code == 1
    assert "no worker serves it, and 1 wait in it" in said.out
    assert codes(terminal("status", "--json")) == ["unserved"]


@pytest.mark.parametrize(
    "words", [["--max-age", "soon"], ["--max-depth", "-1"], ["--max-depth", "10000"]]
)
def test_thresholds_that_make_no_sense_are_wrong_usage(terminal, words):
    assert terminal("status", "--check", *words).code == 2


def test_what_is_counted_covers_the_threshold():
    from durable_django.figures import COUNTED_MAX

    assert DEPTH_MAX < COUNTED_MAX


def test_what_clusters_lack_fails_the_check(terminal, Order, make_worker, settings):
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "django_q"}
    settings.Q_CLUSTER = {"name": "shop"}
    Order.start()
    sweeper = make_worker(threads=0, executor="django_q")
    said = terminal("status", "--check")
    assert "Workers    1 alive\n" in said.out
    assert "! Queue default: no process of cluster shop serves it, and 1 wait in it." in said.out
    make_worker(threads=1, executor="django_q", cluster="shop")
    assert terminal("status", "--check").code == 0
    Worker.objects.filter(pk=sweeper.pk).update(status="stopped")
    assert codes(terminal("status", "--json")) == ["no_sweeper"]
