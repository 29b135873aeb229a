"""Workflows that call workflows: what the caller gets, whatever becomes of what it has called."""

from __future__ import annotations

from durable_django import (
    ChildFailed,
    WaitTimeout,
    Workflow,
    call_workflow,
    days,
    foreach,
    hours,
    parallel,
    sleep_for,
    step,
    wait_for_event,
)
from durable_django.api import cancel, get_execution, list_children
from durable_django.testing import isolate_registry


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


def told_by(workflow):
    """What a step that calls the workflow is told of its end: (status, message, error type)."""

    class Asking(Workflow):
        class Meta:
            name = "asking"

        @step
        def ask(self):
            try:
                return ["completed", self.call_workflow(workflow), None]
            except ChildFailed as failure:
                error = failure.error or {}
                return [failure.status, str(failure), error.get("type")]

    return Asking


def child_of(run):
    (child,) = list_children(run)
    return child


def result_of(run):
    return get_execution(run).result


# Every way in which a child can end


def test_a_child_that_completes_gives_its_result(durable):
    run = durable.run(caller_of(make_napping()), {"n": 5})
    child = child_of(run)
    assert (child.status, child.input, child.parent_id) == ("sleeping", {"n": 5}, run.pk)
    durable.advance(days(1))
    durable.drain()
    assert result_of(run) == 5


def test_a_child_whose_last_node_is_a_foreach_gives_a_sequence(durable):
    class Many(Workflow):
        with foreach(lambda self: range(3)) as each:

            @step
            def double(self):
                return self.item * 2

    class Caller(Workflow):
        given = call_workflow(Many)

        @step
        def end(self):
            return [list(self.outputs["given"]), list(self.call_workflow(Many))]

    assert result_of(durable.run(Caller)) == [[0, 2, 4], [0, 2, 4]]


def test_a_child_that_finishes_in_a_member_gives_that(durable):
    class Early(Workflow):
        with parallel() as both:

            @step
            def quick(self):
                self.finish("early")

            other = wait_for_event("never")

    assert result_of(durable.run(told_by(Early))) == ["completed", "early", None]


def test_a_child_that_fails_tells_its_error(durable):
    class Fails(Workflow):
        class Meta:
            name = "fails"

        @step
        def pack(self):
            raise ValueError("no stock")

    run = durable.run(told_by(Fails))
    status, message, kind = result_of(run)
    assert (status, kind) == ("failed", "ValueError")
    assert message == f"fails {child_of(run).pk} is failed: ValueError: no stock"


def test_a_child_that_is_cancelled_tells_so(durable):
    run = durable.run(told_by(make_napping()))
    cancel(child_of(run), reason="out of stock")
    durable.drain()
    status, message, kind = result_of(run)
    assert (status, kind) == ("cancelled", None)
    assert message.endswith("is cancelled (out of stock)")


def test_a_child_whose_time_is_up_tells_so(durable):
    class Slow(Workflow):
        class Meta:
            timeout = hours(1)

        pause = sleep_for(days(1))

    run = durable.run(told_by(Slow))
    durable.advance(hours(1))
    durable.drain()
    assert result_of(run)[0] == "failed"
    assert result_of(run)[2] == "WorkflowTimeout"


def test_a_child_that_undoes_what_it_did_tells_so_at_the_end(durable):
    undone = []

    class Saga(Workflow):
        @step
        def book(self): ...

        @book.compensate
        def unbook(self):
            undone.append(self.attempt)
            self.sleep_for(hours(1))

        @step
        def fail(self):
            raise ValueError("no")

    run = durable.run(told_by(Saga))
    durable.assert_status(run, "waiting")
    durable.assert_status(child_of(run), "compensating")
    durable.advance(hours(1))
    durable.drain()
    assert (result_of(run)[0], result_of(run)[2]) == ("compensated", "ValueError")
    assert undone == [1, 1]


def test_a_child_whose_node_is_gone_from_the_code_tells_so(durable):
    def make(nodes):
        class Changing(Workflow):
            class Meta:
                name = "changing"

            if "pause" in nodes:
                pause = sleep_for(hours(1))

            @step
            def end(self): ...

    asking = told_by("changing")
    with isolate_registry():
        make(["pause"])
        run = durable.run(asking)
    make([])
    durable.advance(hours(1))
    durable.drain()
    assert (result_of(run)[0], result_of(run)[2]) == ("failed", "DefinitionChanged")


def test_a_child_whose_workflow_nobody_knows_fails_the_call(durable):
    class Calling(Workflow):
        @step
        def ask(self):
            return self.call_workflow("no such workflow")

    run = durable.run(Calling)
    assert get_execution(run).error["type"] == "WorkflowNotFound"
    assert not list_children(run).exists()


def test_an_input_the_child_refuses_fails_the_call(durable):
    class Strict(Workflow):
        @classmethod
        def clean_input(cls, input):
            raise ValueError("never")

        @step
        def end(self): ...

    run = durable.run(caller_of(Strict))
    assert get_execution(run).status == "failed"
    assert not list_children(run).exists()


# Time


def test_a_call_that_times_out_cancels_the_child_and_goes_on(durable):
    nap = make_napping()

    class Impatient(Workflow):
        @step
        def ask(self):
            try:
                return self.call_workflow(nap, timeout=hours(1))
            except WaitTimeout as late:
                return str(late)

    run = durable.run(Impatient)
    durable.advance(hours(1))
    durable.drain()
    assert "call_workflow('nap') was not over by" in result_of(run)
    assert child_of(run).status == "cancelled"


def test_a_call_that_times_out_gives_its_timeout_value(durable):
    run = durable.run(caller_of(make_napping(), timeout=hours(1), timeout_value="late"))
    durable.advance(hours(1))
    durable.drain()
    assert (result_of(run), child_of(run).status) == ("late", "cancelled")


def test_the_time_of_a_caller_ends_its_child_too(durable):
    nap = make_napping()

    class Caller(Workflow):
        class Meta:
            timeout = hours(1)

        given = call_workflow(nap)

    run = durable.run(Caller)
    durable.advance(hours(1))
    durable.drain()
    assert get_execution(run).error["type"] == "WorkflowTimeout"
    assert child_of(run).status == "cancelled"
