"""Worker processes that are told to stop, frozen, replaced."""

import os
import signal
import time

from django.db import connection

import durable_django as durable
from durable_django.models import Execution, StepRun, Worker
from tests.killing.models import Effect
from tests.killing.workflows import Survives, Waits
from tests.waiting import until

from .clusters import may_write


def inside(run) -> int:
    return Effect.objects.filter(run=run.pk, node="inside").count()


def go() -> None:
    Effect.objects.create(run=Execution.objects.first().pk, node="go")


def test_sigterm_drains_and_leaves_nothing_running(fleet):
    durable.start_many(Survives, [{"n": n} for n in range(300)])
    waiting = Waits.start(priority=5)
    process = fleet.start()
    until(lambda: inside(waiting) and Effect.objects.filter(node="atomic").exists())
    process.terminate()
    until(lambda: Execution.objects.filter(status="running").count() == 1)
    assert process.poll() is None
    go()
    begun = time.monotonic()
    assert process.wait(10) == 0, fleet.said(process)
    assert time.monotonic() - begun < 5
    assert not Execution.objects.filter(status="running").exists()
    assert not Execution.objects.filter(suspect=True).exists()
    assert Worker.objects.get().status == "stopped"
    waiting.refresh_from_db()
    assert (waiting.status, list(waiting.outputs)) == ("pending", ["wait"])


def test_a_second_sigterm_stops_at_once_and_another_worker_takes_over(fleet):
    run = Waits.start()
    process = fleet.start()
    until(lambda: inside(run))
    process.terminate()
    told = time.monotonic() + 0.6  # two signals at once are one: a terminal tells the whole group
    until(lambda: time.monotonic() > told)
    assert process.poll() is None
    process.terminate()
    assert process.wait(5) == 128 + signal.SIGTERM
    go()
    fleet.start()
    assert run.get_result(timeout=20)
    assert inside(run) == 2


def test_one_signal_that_comes_twice_is_no_second_one(fleet):
    run = Waits.start()
    process = fleet.start()
    until(lambda: inside(run))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    go()
    assert process.wait(10) == 0, fleet.said(process)


def test_a_supervisor_replaces_a_killed_child_and_ends_its_children(fleet):
    supervisor = fleet.start("--processes=2", "--threads=2")
    alive = Worker.objects.filter(status="alive")
    until(lambda: alive.count() == 2)
    first = alive.order_by("id").first()
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: alive.count() == 2 and Worker.objects.count() == 3)
    assert Worker.objects.get(pk=first.pk).status == "dead"
    children = list(alive.values_list("pid", flat=True))
    ids = durable.start_many(Survives, [{"n": n} for n in range(10)])
    for pk in ids:
        durable.get_result(pk, timeout=20)
    supervisor.terminate()
    assert supervisor.wait(15) == 0, fleet.said(supervisor)
    assert not alive.exists()
    for pid in children:
        assert not os.path.exists(f"/proc/{pid}")


def test_a_supervisor_told_to_stop_while_it_starts_ends(fleet):
    supervisor = fleet.start("--processes=2")
    until(lambda: children_of(supervisor.pid))
    supervisor.terminate()
    assert supervisor.wait(15) == 0, fleet.said(supervisor)
    assert children_of(supervisor.pid) == []


def children_of(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def test_a_burst_of_two_processes_ends_when_nothing_is_ready(fleet):
    ids = durable.start_many(Waits, [{}] * 2)
    Effect.objects.create(run=ids[0], node="go")
    supervisor = fleet.start("--processes=2", "--burst")
    assert supervisor.wait(30) == 0, fleet.said(supervisor)
    assert Execution.objects.filter(status="completed").count() == 2


def freeze(process) -> None:
    """SIGSTOP, but not while it holds SQLite's only write lock."""
    while True:
        process.send_signal(signal.SIGSTOP)
        if connection.vendor != "sqlite" or may_write():
            return
        process.send_signal(signal.SIGCONT)


def test_a_frozen_worker_cannot_write_after_its_lease_was_taken(fleet):
    fast = {"LEASE_SECONDS": 1.5, "HEARTBEAT_SECONDS": 0.3}
    run = Waits.start()
    frozen = fleet.start("--queues=default,frozen", **fast)
    until(lambda: inside(run) == 1)
    freeze(frozen)
    other = fleet.start("--queues=default", **fast)
    until(lambda: inside(run) == 2)
    go()
    assert run.get_result(timeout=20) == [other.pid, other.pid]
    before = list(StepRun.objects.filter(execution=run).values())
    frozen.send_signal(signal.SIGCONT)
    # When it serves again, it has seen that it was declared dead, and dropped what it held.
    again = Waits.start(queue="frozen")
    assert again.get_result(timeout=20) == [frozen.pid, frozen.pid]
    run.refresh_from_db()
    assert run.result == [other.pid, other.pid]
    assert list(StepRun.objects.filter(execution=run).values()) == before
    statuses = Worker.objects.filter(pid=frozen.pid).order_by("id").values_list("status", flat=True)
    assert list(statuses) == ["dead", "alive"]
