"""Waves: many runs side by side, each with its own outputs, context and place in the queue."""

import itertools
from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.models import Execution, StepRun
from tests.waiting import until


class Count:
    """Kept out of the class bodies: how often something happened, from any thread."""

    def __init__(self):
        self.seen = []

    def __call__(self, what):
        self.seen.append(what)


def test_many_runs_end_with_their_own_outputs_and_contexts(workers):
    class Sum(Workflow):
        @step
        def first(self):
            self.context["n"] = self.input["n"]
            self.context.append("trail", "first")
            return self.input["n"] * 2

        @step
        def second(self):
            self.context["trail"].append("second")
            self.context.increment("n", 1000)
            return self.outputs["first"] + 1

        @step
        def third(self):
            return {"sum": self.outputs["first"] + self.outputs["second"], "n": self.context["n"]}

    ids = durable.start_many(Sum, [{"n": n} for n in range(200)])
    workers.wait(workers.start(burst=True))

    runs = {run.pk: run for run in Execution.objects.all()}
    for n, pk in enumerate(ids):
        run = runs[pk]
        assert run.status == "completed"
        assert run.result == {"sum": 4 * n + 1, "n": n + 1000}
        assert run.context == {"n": n + 1000, "trail": ["first", "second"]}
        assert run.outputs == {"first": 2 * n, "second": 2 * n + 1, "third": run.result}
    steps = StepRun.objects.filter(execution_id=ids[7]).values_list("seq", "name", "status")
    assert list(steps) == [
        (1, "first", "completed"),
        (2, "second", "completed"),
        (3, "third", "completed"),
    ]
    assert StepRun.objects.count() == 600


def test_a_wave_is_committed_by_few_transactions(workers, django_db_blocker):
    committed = Count()

    class Five(Workflow):
        @step
        def one(self): ...

        @step
        def two(self): ...

        @step
        def three(self): ...

    durable.start_many(Five, [{}] * 100)
    service = workers.start(burst=True)
    write = service.leader.committer.write

    def counted(worker_id, checkpoints, taking=None):
        committed(len(checkpoints))
        return write(worker_id, checkpoints, taking)

    service.leader.committer.write = counted
    workers.wait(service)
    assert Execution.objects.filter(status="completed").count() == 100
    assert len(committed.seen) < 100


def test_a_run_of_200_steps_is_served_from_its_snapshots(workers):
    body = "\n    @step\n    def step_{}(self):\n        return self.context.increment('n')\n"
    names = {"Workflow": Workflow, "step": step, "__name__": __name__}
    exec("class Long(Workflow):" + "".join(body.format(n) for n in range(200)), names)

    run = names["Long"].start()
    workers.wait(workers.start(burst=True))
    run.refresh_from_db()
    assert (run.status, run.result, run.context) == ("completed", 200, {"n": 200})


def test_higher_priority_goes_first_then_age(workers):
    ran = Count()

    class Ordered(Workflow):
        @step
        def only(self):
            ran(self.input["name"])

    for name, priority in [("old", 0), ("high", 5), ("low", -5), ("young", 0), ("higher", 6)]:
        Ordered.start({"name": name}, priority=priority)
    workers.wait(workers.start(threads=1, burst=True))
    assert ran.seen == ["higher", "high", "old", "young", "low"]


def test_queues_are_served_in_the_order_of_the_command_line(workers):
    ran = Count()

    class Queued(Workflow):
        @step
        def only(self):
            ran(self.input["name"])

    for name, queue in [("a", "late"), ("b", "soon"), ("c", "late"), ("d", "soon")]:
        Queued.start({"name": name}, queue=queue)
    unserved = Queued.start({"name": "never"}, queue="unserved")
    workers.wait(workers.start(threads=1, queues=["soon", "late"], burst=True))
    assert ran.seen == ["b", "d", "a", "c"]
    unserved.refresh_from_db()
    assert unserved.status == "pending"


def test_a_retry_comes_after_its_delay_and_the_count_is_durable(workers):
    class Flaky(Workflow):
        @step(retry=Retry(max_attempts=3, backoff="constant", base=0.2))
        def only(self):
            if self.attempt < 3:
                raise ValueError(f"attempt {self.attempt}")
            return self.attempt

    run = Flaky.start()
    workers.start()
    assert run.get_result(timeout=20) == 3
    rows = list(StepRun.objects.filter(execution=run))
    assert [(row.attempt, row.status) for row in rows] == [
        (1, "failed"),
        (2, "failed"),
        (3, "completed"),
    ]
    assert rows[0].error["message"] == "attempt 1"
    for before, after in itertools.pairwise(rows):
        pause = after.started_at - before.finished_at
        assert timedelta(seconds=0.2) <= pause < timedelta(seconds=1)


def test_an_attempt_that_failed_leaves_nothing_in_the_context(workers):
    class Flaky(Workflow):
        @step
        def begin(self):
            self.context["list"] = []

        @step(retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        def only(self):
            self.context["list"].append(self.attempt)
            self.context.increment("n")
            if self.attempt == 1:
                raise ValueError

    run = Flaky.start()
    workers.start()
    run.get_result(timeout=20)
    run.refresh_from_db()
    assert run.context == {"list": [2], "n": 1}


def test_a_failed_run_tells_which_step_and_why(workers):
    class Failing(Workflow):
        @step
        def fine(self):
            self.context["kept"] = True
            return 1

        @step
        def breaks(self):
            self.context["lost"] = True
            raise LookupError("no such thing")

        @step
        def never(self):
            raise AssertionError("not reached")

    run = Failing.start()
    workers.start()
    with pytest.raises(durable.ExecutionFailed, match="LookupError: no such thing"):
        run.get_result(timeout=20)
    run.refresh_from_db()
    assert run.status == "failed"
    assert run.error["type"] == "LookupError"
    assert run.error["node"] == "breaks"
    assert 'raise LookupError("no such thing")' in run.error["traceback"]
    assert "durable_django/worker" not in run.error["traceback"]
    assert run.context == {"kept": True}
    assert run.outputs == {"fine": 1}


def test_a_retried_run_goes_on_from_the_node_that_failed(workers):
    ran = Count()
    broken = workers.latch()

    class Repaired(Workflow):
        @step
        def first(self):
            ran("first")
            return 1

        @step
        def second(self):
            ran("second")
            if not broken.is_set():
                raise RuntimeError("broken")
            return self.outputs["first"] + self.attempt

    run = Repaired.start()
    workers.start()
    until(lambda: durable.get_execution(run).status == "failed")
    broken.set()
    durable.retry(run)
    assert run.get_result(timeout=20) == 2
    assert ran.seen == ["first", "second", "second"]


def test_finish_ends_the_whole_run_with_its_value(workers):
    class Early(Workflow):
        @step
        def only(self):
            self.context["seen"] = True
            self.finish({"early": True})

        @step
        def never(self):
            raise AssertionError("not reached")

    run = Early.start()
    workers.start()
    assert run.get_result(timeout=20) == {"early": True}
    run.refresh_from_db()
    assert run.context == {"seen": True}
    assert StepRun.objects.filter(execution=run).count() == 1


def test_start_within_a_step_is_served_as_well(workers):
    class Child(Workflow):
        @step
        def only(self):
            return self.input["n"] + 1

    class Parent(Workflow):
        @step
        def only(self):
            return str(Child.start({"n": self.input["n"]}).pk)

    run = Parent.start({"n": 1})
    workers.start()
    child = durable.get_execution(run.get_result(timeout=20))
    assert child.get_result(timeout=20) == 2
