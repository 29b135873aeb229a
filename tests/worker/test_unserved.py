"""What a worker cannot serve: code it does not have, rows it cannot read, nodes that are gone."""

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution
from tests.waiting import until
from tests.worker.workflows import make_quick


def test_an_unknown_workflow_is_put_back_and_reported_once(workers, said):
    with registry.isolate():
        quick = make_quick()
        runs = [quick.start() for _ in range(3)]
        old = Execution.objects.get(pk=runs[0].pk).lease
    with said() as records:
        service = workers.start(threads=1)
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
        with pytest.raises(ExecutionFailed, match=r"DefinitionChanged.*old_name"):
            run.get_result(timeout=20)
        second.stop()
        workers.wait(second)
    make("old_name")
    workers.start()
    durable.retry(run)
    assert run.get_result(timeout=20) == 2
