"""The service as a whole: how it learns of work, and how it ends."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import Execution, StepRun, Worker, WorkflowDefinition
from tests.waiting import until
from tests.worker.workflows import make_held, make_quick


def until_idle(service):
    until(lambda: service.pool.leader_waits)


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
    with transaction.atomic():
        gone = quick.start({"n": 2})
        transaction.set_rollback(True)
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
    quick = make_quick()
    workers.start()
    at = timezone.now() + timedelta(seconds=0.3)
    run = quick.start({"n": 1}, scheduled_at=at)
    assert run.status == "scheduled"
    assert run.get_result(timeout=5) == 1
    run.refresh_from_db()
    assert timedelta() <= run.started_at - at < timedelta(seconds=2)


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


def test_the_definitions_are_recorded_when_it_starts(workers):
    quick = make_quick()
    workers.start()
    until(lambda: WorkflowDefinition.objects.filter(name=quick.definition.name).exists())


def test_a_worker_says_which_workflows_it_has(workers):
    quick = make_quick()
    workers.start()
    until(lambda: Worker.objects.exists())
    assert f"{quick.definition.name} v1" in Worker.objects.get().workflows
