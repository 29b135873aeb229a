"""`durable queues`: what waits, who serves it, and what an operator decides about it."""

from datetime import datetime, timedelta

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import AuditEntry, Queue, Worker
from durable_django.store import clock


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"
            queue = "orders"

        @step
        def charge(self):
            return 1

    return Order


def worker(**given):
    now = clock.now()
    columns = {"hostname": "box", "pid": 7, "queues": ["orders"], "threads": 8}
    return Worker.objects.create(**{**columns, "started_at": now, "heartbeat_at": now, **given})


def listed(terminal, *words):
    return {queue["name"]: queue for queue in terminal("queues", *words, "--json").json["queues"]}


def test_each_queue_is_told_with_what_waits_in_it_and_who_serves_it(terminal, Order):
    worker()
    durable.start_many(Order, [{}, {}])
    orders = listed(terminal)["orders"]
    assert list(orders) == [
        "name", "state", "paused_at", "waiting", "waiting_is_capped", "oldest_at", "running",
        "concurrency_limit", "workers", "threads",
    ]  # fmt: skip
    assert (orders["state"], orders["waiting"], orders["waiting_is_capped"]) == ("open", 2, False)
    assert (orders["workers"], orders["threads"], orders["running"]) == (1, 8, 0)
    assert datetime.fromisoformat(orders["oldest_at"]).utcoffset() == timedelta(0)


def test_a_queue_that_nobody_serves_is_told_to_be_so(terminal, Order):
    Order.start()
    assert listed(terminal)["orders"]["state"] == "unserved"
    said = terminal("queues")
    row = next(line for line in said.lines if line.startswith("orders"))
    assert "no worker" in row


def test_the_table_fits_a_narrow_screen(terminal, Order):
    worker()
    Order.start()
    durable.pause_queue("orders")
    said = terminal("queues", width=60)
    assert max(map(len, said.lines)) <= 60
    assert "paused" in said.out
    assert said.lines[0].split()[0] == "QUEUE"


def test_one_queue_may_be_asked_for(terminal, Order):
    Order.start()
    assert list(listed(terminal, "list", "orders")) == ["orders"]
    said = terminal("queues", "list", "order")
    assert (said.code, 'did you mean "orders"?' in said.err) == (3, True)


def test_a_queue_is_paused_and_resumed(terminal, Order):
    said = terminal("queues", "pause", "orders", "--reason", "provider down", "--by", "ada")
    assert (said.code, said.out) == (
        0, "Queue orders is paused. What workers hold already goes on.\n",
    )  # fmt: skip
    assert Queue.objects.get(name="orders").is_paused
    assert terminal("queues", "pause", "orders").code == 1
    told = terminal("queues", "resume", "orders", "--json").json
    assert (told["name"], told["state"], told["paused_at"]) == ("orders", "open", None)
    assert [(each.verb, each.by, each.reason) for each in AuditEntry.objects.order_by("id")][
        :1
    ] == [("pause", "ada", "provider down")]


def test_a_queue_is_limited_and_let_go(terminal, Order):
    assert terminal("queues", "limit", "orders", "2", "--json").json["concurrency_limit"] == 2
    assert Queue.objects.get(name="orders").concurrency_limit == 2
    said = terminal("queues", "limit", "orders", "none")
    assert (said.out, Queue.objects.get(name="orders").concurrency_limit) == (
        "Queue orders has no limit.\n", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pause"], 2, "pause which queue?"),
        (["pause", "order"], 3, 'did you mean "orders"?'),
        (["pause", "orders", "3"], 2, "takes no limit"),
        (["resume", "orders"], 1, "is not paused"),
        (["limit", "orders"], 2, "which limit?"),
        (["limit", "orders", "many"], 2, "the limit is a number, or none"),
        (["limit", "orders", "0"], 2, "limit is between 1"),
        (["limit", "orders", "-1"], 2, "-1"),
        (["halt", "orders"], 2, "halt"),
    ],
)
def test_what_is_wrong_is_named_and_decides_nothing(terminal, Order, words, code, told, capsys):
    said = terminal("queues", *words)
    assert (said.code, told in said.err + capsys.readouterr().err) == (code, True)
    assert not AuditEntry.objects.exists()


def test_workers_that_are_alive_are_listed_with_what_they_hold(terminal, Order):
    now = clock.now()
    alive = worker(workflows=["take_order v1"])
    silent = worker(pid=8, heartbeat_at=now - timedelta(hours=1))
    worker(pid=9, status="dead")
    run = Order.start()
    held = {"worker_id": alive.pk, "lease": 1, "status": "running"}
    type(run).objects.filter(pk=run.pk).update(**held)
    told = terminal("workers", "--json").json["workers"]
    assert [(each["pid"], each["held"], each["is_overdue"]) for each in told] == [
        (8, 0, True),
        (7, 1, False),
    ]
    assert told[0]["id"] == str(silent.pk)
    assert list(told[0]) == [
        "id", "hostname", "pid", "status", "is_overdue", "queues", "workflows", "threads", "held",
        "executor", "cluster", "package_version", "started_at", "heartbeat_at", "stopped_at",
    ]  # fmt: skip
    said = terminal("workers", width=80)
    assert "⚠ overdue" in said.lines[1]
    assert "● alive" in said.lines[2]
    assert max(map(len, said.lines)) <= 80


def test_workers_of_a_cluster_are_listed_with_it(terminal):
    worker(threads=0, executor="django_q")
    worker(pid=8, threads=1, executor="django_q", cluster="heavy")
    told = terminal("workers", "--json").json["workers"]
    assert [(each["executor"], each["cluster"], each["threads"]) for each in told] == [
        ("django_q", "heavy", 1),
        ("django_q", "", 0),
    ]
    head, process, sweeper = terminal("workers", width=140).lines
    assert head.split()[:6] == ["WORKER", "STATE", "QUEUES", "EXECUTOR", "HOLDS", "THREADS"]
    assert "django_q heavy      0        1  " in process
    assert "django_q            0           " in sweeper


def test_those_that_stopped_or_serve_another_queue_are_listed_when_asked(terminal):
    worker(status="stopped", stopped_at=clock.now())
    worker(pid=8, queues=["slow"])
    assert [each["pid"] for each in terminal("workers", "--all", "--json").json["workers"]] == [
        8,
        7,
    ]
    told = terminal("workers", "--all", "--queue", "orders", "--json").json["workers"]
    assert [(each["pid"], each["status"]) for each in told] == [(7, "stopped")]
    assert len(terminal("workers", "--all", "--limit", "1", "--json").json["workers"]) == 1


def test_where_no_worker_is_alive_it_says_how_to_start_one(terminal):
    worker(status="dead")
    said = terminal("workers")
    assert (said.code, said.out) == (0, "No worker is alive. Start one: manage.py durable_worker\n")
    said = terminal("workers", "--all", "--queue", "default")
    assert said.out.startswith("There is no worker that serves default.")
