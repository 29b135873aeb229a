"""Signals: sent once what they tell of stands in the database."""

import pytest

import durable_django as durable
from durable_django import Workflow, signals, step
from durable_django.models import Execution, StepRun
from tests.waiting import until
from tests.worker.workflows import make_quick


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
