"""Spans of real workers: in waves, threads of their own, the event loop, and of two at once."""

from django.contrib.auth.models import Group

import durable_django as durable
from durable_django import Retry, Workflow, call_workflow, foreach, step
from tests.waiting import until


def make_mixed():
    class Child(Workflow):
        class Meta:
            name = "child"

        @step
        def only(self): ...

    class Mixed(Workflow):
        class Meta:
            name = "mixed"

        @step
        def plain(self): ...

        @step(atomic=True)
        def whole(self): ...

        @step(at_most_once=True)
        def once_only(self): ...

        @step
        async def later(self): ...

        with foreach(lambda self: range(5), concurrency=2) as each:

            @step
            def send(self): ...

        called = call_workflow(Child)

    return Mixed


def test_a_run_is_one_trace_whoever_runs_its_steps(workers, spans):
    mixed = make_mixed()
    with spans.caller() as request:
        runs = [mixed.start() for _ in range(4)]
    workers.start(threads=2)
    workers.start(threads=2)
    for run in runs:
        run.get_result(timeout=20)
    until(lambda: len(spans.named("mixed")) == 4)
    assert spans.traces() == {request.get_span_context().trace_id}
    for run in runs:
        mine = [s for s in spans.all if s.attributes.get("durable.execution_id") == str(run.pk)]
        assert sorted(span.name for span in mine) == sorted(
            [
                "start mixed",
                "mixed",
                "mixed.plain",
                "mixed.whole",
                "mixed.once_only",
                "mixed.later",
                "mixed.each",
                *["mixed.send"] * 5,
            ]
        )
    assert spans.parents()["child.only"] == "start child"
    assert spans.parents()["start child"] == "start mixed"


def test_a_retry_of_an_async_step_tells_each_attempt(workers, spans):
    class Flaky(Workflow):
        class Meta:
            name = "flaky"

        @step(retry=Retry(max_attempts=3, backoff="constant", base=0))
        async def only(self):
            if self.attempt < 3:
                raise ValueError(f"attempt {self.attempt}")

    run = Flaky.start()
    workers.start()
    run.get_result(timeout=20)
    until(lambda: spans.named("flaky"))
    told = [
        (s.attributes["durable.attempt"], s.status.description) for s in spans.named("flaky.only")
    ]
    assert told == [(1, "attempt 1"), (2, "attempt 2"), (3, None)]


def test_a_timeout_in_a_body_ends_its_span(workers, spans):
    class Hangs(Workflow):
        class Meta:
            name = "hangs"

        @step(timeout=0.1)
        def only(self):
            while True:
                Group.objects.exists()

    run = Hangs.start()
    workers.start()
    until(lambda: durable.get_execution(run.pk).status == "failed")
    until(lambda: spans.named("hangs.only"))
    until(lambda: spans.named("hangs"))
    assert spans.one("hangs").attributes["durable.status"] == "failed"
    assert spans.one("hangs.only").attributes["durable.status"] == "failed"
