"""Traces of what goes on from a run: members, children, retries, reruns, many at once."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import durable_django as durable
from durable_django import (
    Every,
    Workflow,
    call_workflow,
    foreach,
    hours,
    parallel,
    step,
    testing,
)
from durable_django.models import Execution
from tests.tracing import make_two

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone():
    with testing.isolate_registry():
        yield
    testing.reset()


def test_members_are_in_the_trace_of_their_run(spans):
    class Fans(Workflow):
        class Meta:
            name = "fans"

        with parallel() as both:

            @step
            def left(self): ...

            with foreach(lambda self: [1, 2]) as each:

                @step
                def item_of(self): ...

    run = testing.run(Fans)
    assert run.status == "completed"
    assert len(spans.traces()) == 1
    assert len(spans.named("fans.item_of")) == 2
    assert {s.attributes["durable.execution_id"] for s in spans.named("fans.item_of")} == {
        str(run.pk)
    }
    assert spans.parents()["fans.item_of"] == "start fans"
    assert len(spans.named("fans")) == 1
    contexts = set(run.tree.values_list("trace_context", flat=True))
    assert contexts == {run.trace_context}


@pytest.mark.parametrize("key", [None, "k"])
def test_what_a_run_calls_or_starts_is_in_its_trace(spans, key):
    two = make_two()

    class Parent(Workflow):
        class Meta:
            name = "parent"

        called = call_workflow(two)

        @step
        def asks(self):
            return self.call_workflow(two)

        @step
        async def starts(self):
            await self.astart_workflow(two, idempotency_key=key)

    with spans.caller():
        run = testing.run(Parent)
    assert run.status == "completed"
    assert len(spans.traces()) == 1
    starts = spans.named("start two")
    names = {span.context.span_id: span.name for span in spans.all}
    assert sorted(names[span.parent.span_id] for span in starts) == [
        "parent.asks",
        "parent.starts",
        "start parent",
    ]
    children = Execution.objects.filter(workflow_name="two")
    assert {row.trace_context[36:52] for row in children} == {
        f"{span.context.span_id:016x}" for span in starts
    }
    assert len(spans.named("two")) == 3


def test_a_retried_run_stays_in_its_trace(spans):
    attempts = []

    class Fails(Workflow):
        class Meta:
            name = "fails"

        @step
        def only(self):
            attempts.append(self.attempt)
            if len(attempts) == 1:
                raise ValueError

    with spans.caller():
        run = testing.run(Fails)
    durable.retry(run.pk)
    testing.drain()
    assert len(spans.traces()) == 1
    assert [s.attributes["durable.status"] for s in spans.named("fails")] == ["failed", "completed"]


def test_a_rerun_has_a_trace_of_its_own_linked_to_that_of_the_original(spans):
    class Fans(Workflow):
        class Meta:
            name = "fans"

        with foreach(lambda self: [1, 2]) as each:

            @step
            def item_of(self): ...

        @step
        def last(self): ...

    with spans.caller("first"):
        run = testing.run(Fans)
    with spans.caller("second"):
        again = durable.rerun_from(run.pk, "last")
    testing.drain()
    before, after = spans.named("start fans")
    (link,) = after.links
    assert link.context.span_id == before.context.span_id
    assert after.context.trace_id == spans.one("second").context.trace_id
    assert after.attributes["durable.original"] == str(run.pk)
    assert not before.links
    contexts = set(again.tree.values_list("trace_context", flat=True))
    assert contexts == {again.trace_context} != {run.trace_context}


def test_many_started_at_once_share_one_start(spans):
    with spans.caller():
        ids = durable.start_many(make_two(), [{}, {}, {}])
    testing.drain()
    assert spans.one("start two").attributes["durable.count"] == 3
    rows = Execution.objects.filter(pk__in=ids)
    assert len(set(rows.values_list("trace_context", flat=True))) == 1
    assert len(spans.named("two.first")) == 3


def test_a_second_start_with_the_same_key_says_that_it_made_nothing(spans):
    two = make_two()
    run = two.start(idempotency_key="k", by="ada")
    assert two.start(idempotency_key="k").pk == run.pk
    told = [span.attributes for span in spans.named("start two")]
    assert [each["durable.created"] for each in told] == [True, False]
    assert {each["durable.execution_id"] for each in told} == {str(run.pk)}


def test_a_start_that_is_refused_tells_why(spans):
    with pytest.raises(TypeError):
        make_two().start(by=object())
    span = spans.one("start two")
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].attributes["exception.type"] == "TypeError"


def test_what_is_not_sampled_is_not_told_but_stays_one_trace(monkeypatch):
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(sampler=ALWAYS_OFF))
    run = testing.run(make_two())
    assert int(run.trace_context[-2:], 16) & 1 == 0
    assert run.status == "completed"


def test_a_schedule_starts_a_trace_for_each_tick(spans):
    class Ticks(Workflow):
        class Meta:
            name = "ticks"
            schedules = [Every(hours(1))]

        @step
        def only(self): ...

    durable.sync_schedules()
    for _ in range(2):
        testing.advance(hours(1))
        testing.drain()
    starts = spans.named("start ticks")
    assert len(starts) == len(spans.traces()) == len(spans.named("ticks.only")) == 2
    assert [span.parent for span in starts] == [None, None]
