"""The service as a whole: how it learns of work, how it ends, what it tells."""

import threading
import time

import pytest
from django.db import transaction

import durable_django as durable
from durable_django import Workflow, signals, step
from durable_django.definition import registry
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution, StepRun, Worker, WorkflowDefinition
from tests.waiting import until


def make_quick():
    class Quick(Workflow):
        @step
        def only(self):
            return self.input.get("n")

    return Quick


def make_held(workers):
    class Held(Workflow):
        latch, inside = workers.latch(), []

        @step
        def first(self):
            self.inside.append(self.execution_id)
            assert self.latch.wait(20)
            return "first"

        @step
        def second(self):
            return "second"

    return Held


def until_idle(service):
    until(lambda: service.pool.leader_waits)


# -- how it learns of work -------------------------------------------------------------------


def test_a_start_is_picked_up_at_once_however_long_the_poll(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    quick = make_quick()
    service = workers.start()
    until(lambda: Worker.objects.exists())
    quick.start({"n": 0}).get_result(timeout=20)
    for n in range(5):
        until_idle(service)
        begun = time.monotonic()
        assert quick.start({"n": n}).get_result(timeout=5) == n
        assert time.monotonic() - begun < 2


def test_a_start_is_picked_up_when_its_transaction_commits(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    quick = make_quick()
    service = workers.start()
    quick.start().get_result(timeout=20)
    until_idle(service)
    with transaction.atomic():
        run = quick.start({"n": 1})
    assert run.get_result(timeout=5) == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        gone = quick.start({"n": 2})
        1 / 0  # noqa: B018
    with pytest.raises(durable.ExecutionNotFound):
        durable.get_execution(gone)


def test_without_a_listener_polling_finds_the_work(workers, durable_settings, monkeypatch):
    durable_settings(POLL_SECONDS=0.1)
    monkeypatch.setattr("durable_django.worker.listener.Listener._run", lambda self: None)
    quick = make_quick()
    service = workers.start()
    until(lambda: service.pool.slots)
    until_idle(service)
    assert quick.start({"n": 3}).get_result(timeout=5) == 3


def test_what_is_scheduled_begins_when_it_is_due(workers, durable_settings):
    from datetime import timedelta

    from django.utils import timezone

    quick = make_quick()
    workers.start()
    at = timezone.now() + timedelta(seconds=0.3)
    run = quick.start({"n": 1}, scheduled_at=at)
    assert run.status == "scheduled"
    assert run.get_result(timeout=5) == 1
    run.refresh_from_db()
    assert timedelta() <= run.started_at - at < timedelta(seconds=2)


# -- how it ends -----------------------------------------------------------------------------


def test_burst_ends_when_nothing_is_ready(workers):
    quick = make_quick()
    durable.start_many(quick, [{}] * 10)
    service = workers.start(burst=True)
    workers.wait(service)
    assert Execution.objects.filter(status="completed").count() == 10
    assert Worker.objects.get().status == "stopped"


def test_burst_waits_for_what_runs(workers):
    held = make_held(workers)
    run = held.start()
    service = workers.start(burst=True)
    until(lambda: held.inside)
    held.latch.set()
    workers.wait(service)
    assert durable.get_execution(run).status == "completed"


@pytest.mark.parametrize("is_async", [False, True])
def test_stop_ends_the_running_step_and_hands_the_rest_back(workers, is_async):
    import asyncio

    latch, inside = workers.latch(), []

    class Held(Workflow):
        if is_async:

            @step
            async def first(self):
                inside.append(1)
                await asyncio.to_thread(latch.wait, 20)
                return "first"
        else:

            @step
            def first(self):
                inside.append(1)
                assert latch.wait(20)
                return "first"

        @step
        async def second(self):
            return "second"

        @step
        def third(self):
            return "third"

    quick = make_quick()
    run = Held.start()
    service = workers.start(threads=1)
    until(lambda: inside)
    rest = durable.start_many(quick, [{}] * 5)
    service.stop()
    until(lambda: service.pool.stopping)
    latch.set()
    workers.wait(service)
    run.refresh_from_db()
    assert (run.status, run.outputs) == ("pending", {"first": "first"})
    assert not Execution.objects.filter(status="running").exists()
    assert Worker.objects.get().status == "stopped"
    other = workers.start()
    assert run.get_result(timeout=20) == "third"
    for pk in rest:
        durable.get_result(pk, timeout=20)
    run.refresh_from_db()
    assert not run.suspect
    workers_of = dict(StepRun.objects.filter(execution=run).values_list("name", "worker_id"))
    assert workers_of["first"] == service.pool.worker_id
    assert workers_of["third"] == other.pool.worker_id


def test_a_stop_before_it_has_begun_is_a_stop(workers):
    service = workers.start()
    service.stop()
    workers.wait(service)
    assert list(Worker.objects.values_list("status", flat=True)) == ["stopped"]


def test_a_stopped_service_leaves_no_thread_and_no_connection(workers):
    before = set(threading.enumerate())
    service = workers.start()
    make_quick().start().get_result(timeout=20)
    service.stop()
    workers.wait(service)
    until(lambda: set(threading.enumerate()) <= before)


# -- what it cannot serve --------------------------------------------------------------------


def test_an_unknown_workflow_is_put_back_and_reported_once(workers, said):
    with registry.isolate():
        quick = make_quick()
        runs = [quick.start() for _ in range(3)]
        old = Execution.objects.get(pk=runs[0].pk).lease
    with said() as records:
        service = workers.start()
        until(lambda: Execution.objects.filter(status="sleeping").count() == 3)
        until(lambda: not service.pool.runs)
    reported = [record.getMessage() for record in records if "put back" in record.getMessage()]
    assert len(reported) == 1
    assert "worker.Quick" in reported[0]
    run = Execution.objects.get(pk=runs[0].pk)
    assert run.lease > old
    assert run.wake_at is not None
    assert run.error is None


def test_a_run_put_back_goes_on_when_its_code_is_there(workers, monkeypatch):
    monkeypatch.setattr("durable_django.worker.leader.UNKNOWN_WORKFLOW_SECONDS", 0.2)

    def make(number):
        class Two(Workflow):
            class Meta:
                name = "two"

            @step
            def first(self):
                self.context["first"] = number
                return number

            @step
            def second(self):
                return [self.outputs["first"], number]

        return Two

    with registry.isolate():
        run = make(1).start()
    workers.start()
    until(lambda: durable.get_execution(run).status == "sleeping")
    make(2)
    assert run.get_result(timeout=20) == [2, 2]


def test_an_unreadable_row_fails_and_nothing_else(workers):
    quick = make_quick()
    broken, fine = quick.start(), quick.start({"n": 1})
    Execution.objects.filter(pk=broken.pk).update(snapshot="{no json", snapshot_seq=3, lease=4)
    workers.start()
    assert fine.get_result(timeout=20) == 1
    with pytest.raises(ExecutionFailed):
        broken.get_result(timeout=20)


def test_an_unreadable_input_fails_the_step_that_reads_it(workers):
    quick = make_quick()
    broken = quick.start()
    Execution.objects.filter(pk=broken.pk).update(input_text='{"$":["nonsense"]}')
    workers.start()
    with pytest.raises(ExecutionFailed):
        broken.get_result(timeout=20)
    assert quick.start({"n": 2}).get_result(timeout=20) == 2


def test_a_node_that_is_gone_stops_the_run_until_it_is_back(workers):
    broken = workers.latch()

    def make(name):
        def last(self):
            if not broken.is_set():
                raise RuntimeError
            return self.outputs["first"] + 1

        body = "class Changing(Workflow):\n    class Meta:\n        name = 'changing'\n"
        body += "    @step\n    def first(self):\n        return 1\n"
        body += f"    @step\n    def {name}(self):\n        return last(self)\n"
        names = {"Workflow": Workflow, "step": step, "last": last, "__name__": __name__}
        exec(body, names)
        return names["Changing"]

    with registry.isolate():
        run = make("old_name").start()
        first = workers.start()
        with pytest.raises(ExecutionFailed, match="RuntimeError"):
            run.get_result(timeout=20)
        first.stop()
        workers.wait(first)
    broken.set()
    with registry.isolate():
        make("new_name")
        second = workers.start()
        durable.retry(run)
        with pytest.raises(ExecutionFailed, match="DefinitionChanged.*old_name"):
            run.get_result(timeout=20)
        second.stop()
        workers.wait(second)
    make("old_name")
    workers.start()
    durable.retry(run)
    assert run.get_result(timeout=20) == 2


def test_the_definitions_are_recorded_when_it_starts(workers):
    quick = make_quick()
    workers.start()
    until(lambda: WorkflowDefinition.objects.filter(name=quick.definition.name).exists())


# -- workflow timeouts -----------------------------------------------------------------------


def test_a_workflow_timeout_ends_a_run_that_is_running(workers):
    held = make_held(workers)
    run = held.start(timeout=0.2)
    service = workers.start()
    with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
        run.get_result(timeout=5)
    held.latch.set()
    until(lambda: not service.pool.runs)
    assert not StepRun.objects.filter(execution=run, status="completed").exists()


def test_a_workflow_timeout_ends_a_run_that_sleeps(workers):
    class Sleeps(Workflow):
        @step(retry=durable.Retry(max_attempts=2, backoff="constant", base=1000))
        def only(self):
            raise ValueError

    run = Sleeps.start(timeout=0.3)
    workers.start()
    until(lambda: durable.get_execution(run).status == "sleeping")
    with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
        run.get_result(timeout=5)


def test_a_workflow_timeout_ends_a_run_nobody_serves(workers):
    run = make_quick().start(timeout=0.2, queue="nobodys")
    workers.start()
    with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
        run.get_result(timeout=5)
    assert not StepRun.objects.exists()


# -- signals ---------------------------------------------------------------------------------


@pytest.fixture
def heard():
    """What the signals told, and whether it stood in the database by then."""
    told = []

    def started(sender, execution_id, **rest):
        told.append(("started", sender, Execution.objects.filter(pk=execution_id).exists()))

    def ended(sender, execution_id, node, status, attempt, **rest):
        rows = StepRun.objects.filter(execution_id=execution_id, name=node, attempt=attempt)
        told.append((node, status, rows.get().status))
        raise RuntimeError("a receiver that fails changes nothing")

    def finished(sender, execution_id, status, **rest):
        told.append(("finished", status, Execution.objects.get(pk=execution_id).status))

    signals.execution_started.connect(started)
    signals.step_finished.connect(ended)
    signals.execution_finished.connect(finished)
    yield told
    signals.execution_started.disconnect(started)
    signals.step_finished.disconnect(ended)
    signals.execution_finished.disconnect(finished)


def test_signals_come_after_the_commit(workers, heard):
    class Two(Workflow):
        @step
        def plain(self): ...

        @step(atomic=True)
        def atomic(self): ...

    run = Two.start()
    workers.start()
    run.get_result(timeout=20)
    until(lambda: len(heard) == 4)
    assert heard == [
        ("started", "worker.Two", True),
        ("plain", "completed", "completed"),
        ("atomic", "completed", "completed"),
        ("finished", "completed", "completed"),
    ]


def test_a_cancel_and_a_timeout_finish_a_run_as_well(workers, heard):
    quick = make_quick()
    durable.cancel(quick.start(queue="nobodys"))
    quick.start(queue="nobodys", timeout=0.1)
    workers.start()
    until(lambda: len(heard) == 4)
    assert sorted(heard)[:2] == [
        ("finished", "cancelled", "cancelled"),
        ("finished", "failed", "failed"),
    ]
