"""Traces: what the trace of who started a run sees of it; and that no tracer harms a run."""

import importlib.util
import logging
import sys
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import durable_django as durable
from durable_django import Retry, Workflow, sleep_for, step, testing, tracing
from durable_django.context import get_input
from durable_django.models import Execution
from durable_django.store import clock
from tests.tracing import make_two

pytestmark = pytest.mark.django_db

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(tracing, "_is_fault_told", False)
    with testing.isolate_registry():
        yield
    testing.reset()


# Without a trace


def test_without_a_provider_nothing_is_kept_and_nothing_told():
    run = testing.run(make_two())
    assert (run.status, run.trace_context) == ("completed", "")
    assert not tracing.is_on()
    assert not tracing.is_traced("")


def test_without_opentelemetry_a_run_that_was_traced_elsewhere_goes_on(monkeypatch, spans):
    run = make_two().start()
    assert run.trace_context
    monkeypatch.setattr(tracing, "INSTALLED", False)
    testing.drain()
    run.refresh_from_db()
    assert run.status == "completed"
    assert spans.names == ["start two"]
    assert make_two().start().trace_context == ""


def test_without_the_package_nothing_is_missed(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    spec = importlib.util.spec_from_file_location("durable_django.alone", tracing.__file__)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert not alone.INSTALLED
    assert not alone.is_on()
    assert not alone.is_traced(PARENT)
    with alone.starting("x") as span:
        span.tell(count=1)
        assert span.kept == alone.current() == ""
    alone.run_ended("x", PARENT, "failed", None, clock.now(), {})


# A run in the trace of who started it


def test_a_run_is_told_in_the_trace_of_its_caller(spans):
    with spans.caller():
        run = testing.run(make_two(), tags=["a"])
    assert run.status == "completed"
    assert spans.parents() == {
        "start two": "request",
        "two.first": "start two",
        "two.second": "start two",
        "two": "start two",
        "request": None,
    }
    assert len(spans.traces()) == 1
    assert spans.one("start two").kind is SpanKind.PRODUCER
    assert spans.one("start two").attributes == {
        "durable.workflow": "two",
        "durable.execution_id": str(run.pk),
        "durable.created": True,
    }
    assert spans.one("two.first").attributes == {
        "durable.execution_id": str(run.pk),
        "durable.workflow": "two",
        "durable.version": 1,
        "durable.node": "first",
        "durable.path": "first",
        "durable.attempt": 1,
        "durable.status": "completed",
    }
    assert spans.one("two").attributes == {
        "durable.execution_id": str(run.pk),
        "durable.workflow": "two",
        "durable.version": 1,
        "durable.queue": "default",
        "durable.status": "completed",
    }


def test_the_trace_of_a_start_is_kept_with_the_run(spans):
    run = make_two().start()
    context = spans.one("start two").context
    assert run.trace_context[:52] == f"00-{context.trace_id:032x}-{context.span_id:016x}"
    assert Execution.objects.get(pk=run.pk).trace_context == run.trace_context


def test_a_context_from_elsewhere_is_handed_on_with_its_state_without_a_provider():
    """Only the API is installed; what came in with a request goes out with what a step calls."""
    seen = []

    class Looks(Workflow):
        @step
        def look(self):
            seen.append(tracing.current())

    kept = f"{PARENT} one=1,two=2"
    token = tracing.contexts.attach(tracing._context_of(kept))
    try:
        run = Looks.start()
    finally:
        tracing.contexts.detach(token)
    assert run.trace_context == kept
    testing.drain()
    assert seen == [kept]


@pytest.mark.parametrize(
    "kept", ["", "nonsense", "00-00-00-00", f"{PARENT} ;;=,", PARENT + "x", " "]
)
def test_whatever_stands_in_a_row_a_run_goes_on(spans, kept):
    run = make_two().start()
    Execution.objects.filter(pk=run.pk).update(trace_context=kept)
    testing.drain()
    run.refresh_from_db()
    assert run.status == "completed"
    assert len(spans.named("two.first")) == 1


def test_the_body_of_a_step_runs_inside_its_span(spans):
    class Calls(Workflow):
        class Meta:
            name = "calls"

        @step
        def plain(self):
            with spans.caller("select 1"):
                get_input()

        @step
        async def later(self):
            with spans.caller("select 2"):
                get_input()

        @step(atomic=True)
        def whole(self):
            with spans.caller("select 3"):
                get_input()

    testing.run(Calls)
    parents = spans.parents()
    assert [parents[f"select {n}"] for n in (1, 2, 3)] == [
        "calls.plain",
        "calls.later",
        "calls.whole",
    ]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_callers_own_span_is_current_again_after_a_run(spans):
    with spans.caller() as request:
        testing.run(make_two())
        assert trace.get_current_span() is request


def test_each_attempt_has_a_span_and_a_failed_one_tells_its_error(spans):
    class Flaky(Workflow):
        class Meta:
            name = "flaky"

        @step(retry=Retry(max_attempts=2, backoff="constant", base=1))
        def only(self):
            if self.attempt == 1:
                raise ValueError("not now")

    run = Flaky.start()
    testing.drain()
    testing.advance(2)
    testing.drain()
    failed, completed = spans.named("flaky.only")
    assert [s.attributes["durable.attempt"] for s in (failed, completed)] == [1, 2]
    assert [s.attributes["durable.status"] for s in (failed, completed)] == ["failed", "completed"]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == "not now"
    (event,) = failed.events
    assert (event.name, event.attributes["exception.type"]) == ("exception", "ValueError")
    assert "raise ValueError" in event.attributes["exception.stacktrace"]
    assert completed.status.status_code is StatusCode.UNSET
    assert failed.parent.span_id == completed.parent.span_id
    assert spans.one("flaky").attributes["durable.execution_id"] == str(run.pk)


def test_the_span_of_a_run_begins_and_ends_when_it_did(spans):
    class Sleeps(Workflow):
        class Meta:
            name = "sleeps"

        nap = sleep_for(3_600)

        @step
        def awake(self): ...

    run = Sleeps.start()
    testing.drain()
    testing.advance(timedelta(hours=2))
    testing.drain()
    run.refresh_from_db()
    span = spans.one("sleeps")
    assert span.start_time == round(run.started_at.timestamp() * 1_000_000) * 1_000
    ended_at = run.finished_at.timestamp() * 1_000_000_000
    assert abs(span.end_time - ended_at) < 5_000_000_000
    assert span.end_time - span.start_time > 3_600 * 1_000_000_000
    assert "sleeps.nap" not in spans.names


@pytest.mark.parametrize("how", ["failed", "cancelled", "timed out", "compensated"])
def test_a_run_that_does_not_complete_says_so(spans, how):
    class Fails(Workflow):
        class Meta:
            name = "fails"
            timeout = 60

        @step
        def before(self): ...

        if how == "compensated":

            @before.compensate
            def undo(self): ...

        @step
        def only(self):
            if how in ("failed", "compensated"):
                raise ValueError
            self.wait_for_event("never")

    run = Fails.start()
    testing.drain()
    if how == "cancelled":
        durable.cancel(run.pk)
    testing.advance(120)
    testing.drain()
    run.refresh_from_db()
    # What is told once a transaction commits is not, in a test that runs in one.
    told = [span.attributes["durable.status"] for span in spans.named("fails")]
    expected = {"failed": "failed", "compensated": "compensated"}.get(how)
    assert told == ([expected] if expected else [])
    if expected:
        assert spans.one("fails").status.status_code is StatusCode.ERROR
    if how == "compensated":
        assert spans.one("fails.undo").attributes["durable.path"] != "undo"
    assert run.is_final


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_run_that_somebody_else_ends_has_its_span_too(spans, how):
    class Waits(Workflow):
        class Meta:
            name = "waits"
            timeout = 60

        @step
        def only(self):
            self.wait_for_event("never")

    with spans.caller():
        run = Waits.start()
    testing.drain()
    if how == "cancelled":
        durable.cancel(run.pk)
    else:
        testing.advance(120)
        testing.drain()
    span = spans.one("waits")
    assert span.attributes["durable.status"] == how
    assert (span.status.status_code is StatusCode.ERROR) == (how == "failed")
    assert spans.parents()["waits"] == "start waits"


# A tracer that fails


class Broken:
    """A provider of which one method raises."""

    def __init__(self, where):
        self._where = where

    def get_tracer(self, *arguments, **more):
        if self._where == "get_tracer":
            raise RuntimeError("no tracer")
        return self

    def start_span(self, *arguments, **more):
        if self._where == "start_span":
            raise RuntimeError("no span")
        return self

    def __getattr__(self, name):
        def method(*arguments, **more):
            if name == self._where:
                raise RuntimeError(name)
            return trace.INVALID_SPAN_CONTEXT

        return method


WHERE = ["get_tracer", "start_span", "get_span_context", "set_attribute", "set_status", "end"]


@pytest.mark.parametrize("where", [*WHERE, "add_event", "record_exception"])
def test_a_tracer_that_raises_harms_no_run(monkeypatch, caplog, where):
    class Fails(Workflow):
        @step(retry=Retry(max_attempts=2, base=0))
        def only(self):
            if self.attempt == 1:
                raise ValueError("mine")
            return "done"

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Broken(where))
    with caplog.at_level(logging.WARNING, logger="durable_django"):
        run = testing.run(Fails)
    assert (run.status, run.result) == ("completed", "done")
    told = [record for record in caplog.records if "the tracer has failed" in record.message]
    assert len(told) == (where != "record_exception")
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_provider_that_cannot_be_had_harms_no_run(monkeypatch):
    def refuse():
        raise RuntimeError("no such entry point")

    monkeypatch.setattr(trace, "get_tracer_provider", refuse)
    assert testing.run(make_two()).status == "completed"


def test_the_error_of_a_step_passes_through_a_tracer_that_raises(monkeypatch):
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Broken("record_exception"))
    with pytest.raises(TypeError):
        make_two().start(by=object())


def test_the_clock_of_a_span_is_that_of_the_database(spans):
    tracing.run_ended("x", "", "failed", None, clock.now(), {})
    span = spans.one("x")
    assert span.start_time == span.end_time
