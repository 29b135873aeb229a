"""The workflow's own timeout: it ends a run wherever that stands."""

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun
from durable_django.store import clock
from tests.waiting import until
from tests.worker.workflows import make_held, make_quick


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

    run = Sleeps.start(timeout=durable.minutes(10))
    workers.start()
    until(lambda: durable.get_execution(run).status == "sleeping")
    clock.advance(durable.minutes(10))
    try:
        with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
            run.get_result(timeout=20)
    finally:
        clock.reset()


def test_a_workflow_timeout_ends_a_run_nobody_serves(workers):
    run = make_quick().start(timeout=0.2, queue="nobodys")
    workers.start()
    with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
        run.get_result(timeout=5)
    assert not StepRun.objects.exists()
