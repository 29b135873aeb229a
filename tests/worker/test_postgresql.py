"""What only PostgreSQL has: deadlocks, connections that a server ends, writers side by side.

Collected on PostgreSQL only; see conftest.py.
"""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

import durable_django as durable
from durable_django import Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun
from durable_django.store.transactions import lock_execution
from durable_django.worker import apart
from durable_django.worker import leader as leading
from tests.store.rows import OpenTransaction
from tests.waiting import until


def names():
    return sorted(Group.objects.values_list("name", flat=True))


def terminate(pid):
    """Ends a server connection, from another one."""
    import psycopg

    params = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        params.pop(name, None)
    with psycopg.connect(**params, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_cancelled_atomic_step_does_not_commit(workers):
    inside, latch = threading.Event(), workers.latch()

    class Held(Workflow):
        @step(atomic=True)
        def only(self):
            inside.set()
            assert latch.wait(20)
            Group.objects.create(name="too late")

    service = workers.start()
    run = Held.start()
    assert inside.wait(20)
    durable.cancel(run)
    latch.set()
    until(lambda: not service.pool.runs)
    assert names() == []
    assert not StepRun.objects.filter(execution=run).exists()
    assert durable.get_execution(run).status == "cancelled"


def test_a_deadlock_repeats_the_step_and_counts_no_attempt(workers):
    both = threading.Barrier(2, timeout=20)
    bodies = []
    Group.objects.create(name="a")
    Group.objects.create(name="b")

    class Crossing(Workflow):
        @step(atomic=True)
        def only(self):
            bodies.append(self.input["order"])
            first, second = self.input["order"]
            Group.objects.select_for_update().get(name=first)
            if len(bodies) <= 2:
                both.wait()
            Group.objects.select_for_update().get(name=second)
            return self.attempt

    runs = [Crossing.start({"order": order}) for order in (["a", "b"], ["b", "a"])]
    workers.start()
    assert [run.get_result(timeout=20) for run in runs] == [1, 1]
    assert len(bodies) > 2
    assert StepRun.objects.count() == 2


@pytest.mark.parametrize("before", [True, False], ids=["idle", "in the body"])
def test_a_connection_that_died_repeats_the_step_and_counts_no_attempt(workers, before):
    bodies = []

    class Dies(Workflow):
        @step(atomic=True)
        def first(self):
            Group.objects.create(name="first")

        @step(atomic=True)
        def second(self):
            bodies.append(1)
            if len(bodies) == 1 and not before:
                pid = connection.connection.info.backend_pid
                terminate(pid)
            return self.attempt

    run = Dies.start()
    service = workers.start(threads=1)
    if before:
        with transaction.atomic():
            pass
    assert run.get_result(timeout=20) == 1
    assert service.pool.runs == {}
    assert names() == ["first"]


def test_a_commit_whose_answer_was_lost_is_not_made_twice(workers, monkeypatch):
    """The connection dies right after the commit went through: the row is there, so it counts."""
    begin = apart.worker_transaction
    lost = []

    class Losing:
        def __init__(self, worker_id):
            self.inner = begin(worker_id)

        def __enter__(self):
            return self.inner.__enter__()

        def __exit__(self, *error):
            result = self.inner.__exit__(*error)
            if not lost and error[0] is None:
                lost.append(1)
                terminate(connection.connection.info.backend_pid)
                connection.cursor().execute("SELECT 1")
            return result

    class Once(Workflow):
        @step(atomic=True)
        def only(self):
            Group.objects.create(name=f"body {len(lost)}")
            return self.attempt

    monkeypatch.setattr(apart, "worker_transaction", Losing)
    run = Once.start()
    workers.start()
    assert run.get_result(timeout=20) == 1
    assert names() == ["body 0"]
    assert lost == [1]


def test_an_atomic_step_that_cannot_be_interrupted_does_not_commit(workers):
    latch = workers.latch()

    class Blocks(Workflow):
        @step(timeout=0.1, atomic=True)
        def only(self):
            latch.wait(20)
            Group.objects.create(name="too late")
            return "too late"

    run = Blocks.start()
    service = workers.start(threads=1)
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=20)
    latch.set()
    until(lambda: service.pool.busy == 0 and not service.pool.active)
    row = StepRun.objects.get(execution=run)
    assert (row.status, row.output) == ("timed_out", None)
    assert names() == []


def test_an_atomic_step_that_ignores_its_interrupt_cannot_commit(workers):
    latch, ended = workers.latch(), []

    class Ignores(Workflow):
        @step(timeout=0.1, atomic=True)
        def only(self):
            try:
                Group.objects.create(name="too late")
                latch.wait(20)
                for _ in range(1000):
                    Group.objects.exists()
            except BaseException:
                pass
            ended.append(1)
            return "too late"

    run = Ignores.start()
    service = workers.start(threads=1)
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=20)
    latch.set()
    until(lambda: ended)
    until(lambda: not service.pool.active)
    assert StepRun.objects.get(execution=run).status == "timed_out"
    assert names() == []


def test_a_listener_whose_connection_died_listens_again(workers, durable_settings, monkeypatch):
    monkeypatch.setattr("durable_django.worker.listener.RECONNECT_SECONDS", 0.05)
    durable_settings(POLL_SECONDS=30)

    class Quick(Workflow):
        @step
        def only(self): ...

    def listening():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND query LIKE 'LISTEN %'"
            )
            return [pid for (pid,) in cursor.fetchall()]

    service = workers.start()
    (before,) = until(listening)
    terminate(before)
    until(lambda: listening() not in ([], [before]))
    until(lambda: service.pool.leader_waits)
    Quick.start().get_result(timeout=5)


def test_what_somebody_has_locked_when_it_is_handed_back_is_given_back_later(
    workers, durable_settings, monkeypatch
):
    # race: locked-at-hand-back
    durable_settings(POLL_SECONDS=0.1)
    latch = workers.latch()

    class Slow(Workflow):
        @step
        def only(self):
            assert latch.wait(20)
            return self.input["n"]

    release, gave_back = leading.release, []

    def release_beside_somebody(worker_id, leases):
        if not leases or gave_back:
            return release(worker_id, leases)
        with OpenTransaction(lambda: [lock_execution(pk) for pk in leases]):
            gave_back.append(release(worker_id, leases))
        return gave_back[0]

    monkeypatch.setattr(leading, "release", release_beside_somebody)
    ids = durable.start_many(Slow, [{"n": n} for n in range(2)])
    workers.start(threads=1)
    until(lambda: gave_back)
    latch.set()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == [0, 1]
    assert gave_back == [0]
