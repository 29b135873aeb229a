"""Leases: a run belongs to one worker at a time, and a worker that lost it writes nothing."""

import threading
import time

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import Execution, StepRun, Worker
from durable_django.store import leases
from tests.waiting import until


def test_what_lost_its_lease_is_dropped(workers):
    latch, inside, after = workers.latch(), threading.Event(), []

    class Held(Workflow):
        @step
        def first(self):
            inside.set()
            assert latch.wait(20)

        @step
        def second(self):
            after.append(1)

    run = Held.start()
    service = workers.start()
    assert inside.wait(20)
    Execution.objects.filter(pk=run.pk).update(lease=50)
    latch.set()
    until(lambda: not service.pool.runs)
    assert after == []
    assert not StepRun.objects.exists()


def test_a_worker_declared_dead_drops_all_and_registers_anew(workers, durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=20, POLL_SECONDS=0.1)
    latch, inside, ends = workers.latch(), [], []

    class Held(Workflow):
        @step
        def first(self):
            inside.append(1)
            if len(inside) == 1:
                assert latch.wait(20)
            return len(inside)

        @step
        def second(self):
            ends.append(self.outputs["first"])
            return self.outputs["first"]

    run = Held.start()
    service = workers.start()
    until(lambda: inside)
    before = service.pool.worker_id
    assert leases.declare_dead(before, overdue_only=False)
    assert run.get_result(timeout=20) == 2
    latch.set()
    until(lambda: not service.pool.active and service.pool.busy == 0)
    until(lambda: not service.pool.runs)
    assert ends == [2]
    until(lambda: service.pool.worker_id != before)
    rows = StepRun.objects.filter(execution=run).values_list("seq", "name", "output_text")
    assert list(rows) == [(1, "first", "2"), (2, "second", "2")]
    assert dict(Worker.objects.values_list("id", "status")) == {
        before: "dead",
        service.pool.worker_id: "alive",
    }


def test_no_step_starts_while_the_heartbeat_fails(workers, durable_settings, monkeypatch):
    durable_settings(HEARTBEAT_SECONDS=0.05, LEASE_SECONDS=0.3, POLL_SECONDS=0.1)
    fails = threading.Event()
    beat = leases.beat
    ran = []

    def failing(worker_id):
        if fails.is_set():
            raise RuntimeError("no network")
        return beat(worker_id)

    class Quick(Workflow):
        @step
        def only(self):
            ran.append(self.execution_id)

    monkeypatch.setattr(leases, "beat", failing)
    service = workers.start(threads=1)
    Quick.start().get_result(timeout=20)
    fails.set()
    until(lambda: not service.heartbeat.holds())
    leads = []
    look_after = service.leader._look_after
    service.leader._look_after = lambda: (leads.append(1), look_after())[1]
    run = Quick.start()
    ended = time.monotonic() + 0.3
    until(lambda: time.monotonic() > ended)
    assert len(ran) == 1
    assert len(leads) < 100
    fails.clear()
    run.get_result(timeout=20)
    assert len(ran) == 2


def test_a_run_claimed_before_the_heartbeat_failed_is_given_back(
    workers, durable_settings, monkeypatch
):
    durable_settings(POLL_SECONDS=0.1)
    latch, inside = workers.latch(), threading.Event()

    class Two(Workflow):
        @step
        def first(self):
            inside.set()
            assert latch.wait(20)

        @step
        def second(self):
            return "done"

    run = Two.start()
    service = workers.start()
    assert inside.wait(20)
    holds = service.pool.may_start
    service.pool.may_start = lambda: False
    latch.set()
    until(lambda: not service.pool.runs)
    assert durable.get_execution(run).status == "running"
    service.pool.may_start = holds
    assert run.get_result(timeout=20) == "done"
    assert StepRun.objects.filter(execution=run).count() == 2


def test_another_worker_takes_over_what_an_overdue_one_held(workers, durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=0.5, POLL_SECONDS=0.1)

    class Quick(Workflow):
        @step
        def first(self):
            return "first"

        @step
        def second(self):
            return [self.outputs["first"], "second"]

    run = Quick.start()
    gone = leases.register(
        hostname="elsewhere",
        pid=1,
        pid_space="another machine",
        queues=["default"],
        threads=1,
        executor="threads",
        package_version="",
    )
    from durable_django.store.claiming import claim

    (claimed,) = claim(gone, ["default"], 1)
    assert claimed.id == run.pk
    workers.start()
    assert run.get_result(timeout=20) == ["first", "second"]
    assert Worker.objects.get(pk=gone).status == "dead"
    run.refresh_from_db()
    assert not run.suspect


def test_workers_without_a_known_process_space_are_not_judged_by_their_pid(transactional_db):
    """On a host without /proc every worker's space is unknown, also those of other hosts."""
    options = {"queues": [], "threads": 1, "executor": "threads", "package_version": ""}
    one = leases.register(hostname="a", pid=2**22 + 1, pid_space="", **options)
    two = leases.register(hostname="b", pid=1, pid_space="", **options)
    assert leases.alive_beside(two, "") == []
    assert leases.alive_beside(one, "") == []


def test_a_worker_whose_process_is_gone_is_found_before_its_lease_ends(workers, durable_settings):
    import subprocess
    import sys

    from durable_django.store.claiming import claim
    from durable_django.worker.presence import pid_space

    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=300, POLL_SECONDS=0.1)

    class Quick(Workflow):
        @step
        def only(self):
            return "done"

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    gone = leases.register(
        hostname="here",
        pid=child.pid,
        pid_space=pid_space(),
        queues=["default"],
        threads=1,
        executor="threads",
        package_version="",
    )
    run = Quick.start()
    assert [each.id for each in claim(gone, ["default"], 1)] == [run.pk]
    workers.start()
    assert run.get_result(timeout=20) == "done"


def test_many_suspects_are_served_one_after_another_and_nothing_is_stuck(workers, durable_settings):
    """A suspect runs alone in its process, but others need not wait for it."""
    durable_settings(HEARTBEAT_SECONDS=0.1, POLL_SECONDS=0.1)
    latch, inside, most = workers.latch(), [], []

    class Suspect(Workflow):
        @step
        def only(self):
            inside.append(1)
            most.append(len(inside))
            if self.input["n"] == 0:
                assert latch.wait(20)
            inside.pop()
            return self.input["n"]

    class Other(Workflow):
        @step(at_most_once=True)
        def only(self):
            return "other"

    ids = durable.start_many(Suspect, [{"n": n} for n in range(20)])
    Execution.objects.filter(pk__in=ids).update(suspect=True)
    workers.start()
    until(lambda: inside)
    assert Other.start().get_result(timeout=20) == "other"
    latch.set()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == list(range(20))
    assert max(most) == 1
    assert not Execution.objects.filter(suspect=True).exists()
