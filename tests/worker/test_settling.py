"""What goes wrong when the outcome of a step is settled, and what becomes of the others then."""

import logging

import durable_django as durable
from durable_django import Workflow, step
from durable_django.models import Execution
from durable_django.worker.run import Run


def test_a_fault_in_going_on_with_one_run_keeps_no_run_held(workers, monkeypatch, caplog):
    class Two(Workflow):
        class Meta:
            name = "tests.two"

        @step
        def one(self):
            return self.input["number"]

        @step
        def two(self):
            return self.outputs["one"] + 1

    faults = []
    go_on = Run.go_on

    def faulty(run, *args):
        if not faults:
            faults.append(run.id)
            raise RuntimeError("a fault of our own")
        return go_on(run, *args)

    monkeypatch.setattr(Run, "go_on", faulty)
    ids = durable.start_many(Two, [{"number": number} for number in range(20)])
    caplog.set_level(logging.ERROR, "durable_django.worker")
    workers.wait(workers.start(burst=True))
    runs = Execution.objects.filter(pk__in=ids).order_by("id")
    assert [run.status for run in runs] == ["completed"] * 20
    assert [run.result for run in runs] == list(range(1, 21))
    assert faults
    assert str(faults[0]) in caplog.text
