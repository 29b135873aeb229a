"""Trees of workflows that call workflows: cancelled together, replayed, retried and nested."""

from __future__ import annotations

import pytest

from durable_django import (
    Retry,
    Workflow,
    call_workflow,
    days,
    foreach,
    minutes,
    parallel,
    race,
    sleep_for,
    start_workflow,
    step,
    wait_for_event,
)
from durable_django.api import cancel, get_execution, list_children
from durable_django.api_events import send_event
from durable_django.api_repair import retry
from durable_django.models import Event, Execution, Wait


def make_napping():
    class Nap(Workflow):
        class Meta:
            name = "nap"

        pause = sleep_for(days(1))

        @step
        def end(self):
            return self.input.get("n", "slept")

    return Nap


def caller_of(child, **options):
    class Caller(Workflow):
        class Meta:
            name = "caller"

        given = call_workflow(child, lambda self: self.input, **options)

        @step
        def end(self):
            return self.outputs["given"]

    return Caller


def child_of(run):
    (child,) = list_children(run)
    return child


def result_of(run):
    return get_execution(run).result


# Cancelling


def test_cancelling_reaches_children_of_children_and_what_their_members_wait_for(durable):
    nap = make_napping()

    class Middle(Workflow):
        with parallel() as both:
            given = call_workflow(nap)
            heard = wait_for_event("never")

    run = durable.run(caller_of(Middle))
    cancel(run)
    durable.drain()
    assert set(Execution.objects.values_list("status", flat=True)) == {"cancelled"}
    assert set(Wait.objects.values_list("status", flat=True)) == {"cancelled"}
    durable.advance(days(2))
    durable.drain()
    assert set(Execution.objects.values_list("status", flat=True)) == {"cancelled"}


def test_an_abandoned_child_goes_on_alone(durable):
    run = durable.run(caller_of(make_napping(), on_cancel="abandon"), {"n": 5})
    child = child_of(run)
    cancel(run)
    durable.advance(days(1))
    durable.drain()
    assert (result_of(child), get_execution(run).status) == (5, "cancelled")
    assert not Event.objects.exists()


def test_an_abandoned_child_still_gives_its_result_to_who_waits(durable):
    run = durable.run(caller_of(make_napping(), on_cancel="abandon"), {"n": 5})
    durable.advance(days(1))
    durable.drain()
    assert result_of(run) == 5


def test_who_loses_a_race_has_called_for_nothing(durable):
    nap = make_napping()

    class Racing(Workflow):
        with race() as first:
            called = call_workflow(nap)
            heard = wait_for_event("go")

    run = durable.run(Racing)
    send_event(run, "go", 1)
    durable.drain()
    assert result_of(run) == {"winner": "heard", "value": 1}
    assert child_of(run).status == "cancelled"


def test_a_caller_that_is_cancelled_with_compensation_has_its_child_undone_too(durable):
    undone = []

    class Child(Workflow):
        @step
        def book(self): ...

        @book.compensate
        def unbook(self):
            undone.append("child")

        pause = sleep_for(days(1))

    class Caller(Workflow):
        @step
        def order(self): ...

        @order.compensate
        def unorder(self):
            undone.append("caller")

        given = call_workflow(Child)

    run = durable.run(Caller)
    cancel(run, compensate=True)
    durable.drain()
    assert sorted(undone) == ["caller", "child"]
    assert get_execution(run).status == child_of(run).status == "compensated"


def test_a_call_that_completed_is_undone_by_its_own_compensation(durable):
    undone = []

    class Child(Workflow):
        @step
        def end(self):
            return "booked"

    class Caller(Workflow):
        given = call_workflow(Child)

        @given.compensate
        def give_back(self):
            undone.append(self.outputs["given"])

        @step
        def fail(self):
            raise ValueError("no")

    run = durable.run(Caller)
    assert (get_execution(run).status, undone) == ("compensated", ["booked"])


# Replayed, retried, nested


def test_a_caller_that_crashes_finds_its_child_again(durable):
    nap = make_napping()

    class Caller(Workflow):
        @step
        def ask(self):
            started = self.start_workflow(nap, {"n": "started"})
            return [self.call_workflow(nap, {"n": 1}), started]

    with durable.crash_after(Caller.ask):
        run = durable.run(Caller)
    durable.assert_status(run, "waiting")
    assert list_children(run).count() == 2
    durable.advance(days(1))
    with durable.crash_before(Caller.ask):
        durable.drain()
    result, started = result_of(run)
    assert (result, result_of(started)) == (1, "started")
    assert list_children(run).count() == 2


def test_a_declared_start_is_made_once(durable):
    nap = make_napping()

    class Starting(Workflow):
        begun = start_workflow(nap)

        @step
        def end(self):
            return self.outputs["begun"]

    with durable.crash_after(Starting.begun):
        run = durable.run(Starting)
    assert child_of(run).pk == result_of(run)


def test_an_attempt_that_a_child_has_failed_calls_another_in_the_next(durable):
    class Shaky(Workflow):
        @step
        def end(self):
            if self.input["n"] > Execution.objects.filter(workflow_name="shaky").count():
                raise ValueError("no")
            return self.input["n"]

        class Meta:
            name = "shaky"

    class Caller(Workflow):
        @step(retry=Retry(3, backoff="constant", base=0))
        def ask(self):
            return self.call_workflow(Shaky, {"n": 3})

    run = durable.run(Caller)
    assert result_of(run) == 3
    assert [child.status for child in list_children(run).order_by("id")] == [
        "failed",
        "failed",
        "completed",
    ]


@pytest.mark.parametrize("ends", ["fails", "is cancelled"])
def test_a_run_that_is_retried_calls_anew(durable, ends):
    run = durable.run(caller_of(make_napping()), {"n": 5})
    if ends == "fails":
        cancel(child_of(run))
        durable.drain()
        assert get_execution(run).error["type"] == "ChildFailed"
    else:
        cancel(run)
    retry(run)
    durable.drain()
    assert list_children(run).count() == 2
    durable.advance(days(1))
    durable.drain()
    assert result_of(run) == 5


def test_children_three_deep_give_their_results_upwards(durable):
    class Tree(Workflow):
        class Meta:
            name = "tree"

        with foreach(lambda self: range(self.input["below"])) as below:
            grown = call_workflow(
                "self", lambda self: {"below": self.input["below"] - 1, "name": self.index}
            )

        @step
        def count(self):
            return 1 + sum(self.outputs["below"])

    run = durable.run(Tree, {"below": 3})
    assert result_of(run) == 1 + 3 * (1 + 2 * (1 + 1))
    runs = Execution.objects.filter(kind="workflow")
    assert runs.count() == result_of(run)
    assert set(runs.values_list("root_id", flat=True)) == {run.pk}


def test_a_workflow_that_calls_itself_without_end_is_stopped(durable, monkeypatch):
    monkeypatch.setattr("durable_django.worker.waiting.DEPTH_MAX", 5)

    class Endless(Workflow):
        class Meta:
            name = "endless"

        again = call_workflow("self")

    run = durable.run(Endless)
    assert Execution.objects.count() == 6
    assert set(Execution.objects.values_list("status", flat=True)) == {"failed"}
    deepest = Execution.objects.order_by("-depth").first()
    assert deepest.error["type"] == "InvalidState"
    assert "workflows call workflows 5 deep here" in deepest.error["message"]
    error, depth = get_execution(run).error, 0
    while error["type"] == "ChildFailed":
        depth += 1
        error = Execution.objects.get(depth=depth).error
    assert depth == 5


def test_members_call_side_by_side_and_one_that_fails_is_borne(durable):
    class Child(Workflow):
        @step
        def end(self):
            if self.input["n"] == 1:
                raise ValueError("no")
            return self.input["n"] * 10

    class Caller(Workflow):
        with foreach(lambda self: range(3), concurrency=1, on_error="collect") as each:
            given = call_workflow(Child, lambda self: {"n": self.item})

        @step
        def end(self):
            return [getattr(each, "type", each) for each in self.outputs["each"]]

    assert result_of(durable.run(Caller)) == [0, "ChildFailed", 20]


def test_a_parent_is_not_told_of_what_it_has_started(durable):
    nap = make_napping()

    class Starting(Workflow):
        begun = start_workflow(nap)
        heard = wait_for_event("nap", timeout=days(2), timeout_value="nothing")

    run = durable.run(Starting)
    durable.advance(days(1))
    durable.drain()
    durable.assert_status(run, "waiting")
    durable.advance(days(1))
    durable.drain()
    assert (result_of(run), child_of(run).status) == ("nothing", "completed")


def test_a_call_waits_beside_a_timer_by_minutes(durable):
    nap = make_napping()

    class Polling(Workflow):
        with parallel() as both:
            given = call_workflow(nap)
            pause = sleep_for(minutes(1))

    run = durable.run(Polling)
    durable.advance(minutes(1))
    durable.drain()
    durable.assert_status(run, "waiting")
    durable.advance(days(1))
    durable.drain()
    assert result_of(run) == {"given": "slept", "pause": None}
