"""Arguments of waits in real runs: asked once, formatted, replayed, told when they are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.translation import gettext_lazy as _

from durable_django import (
    Workflow,
    call_workflow,
    days,
    end_of_day,
    hours,
    minutes,
    next_business_day,
    parallel,
    sleep_until,
    start_workflow,
    step,
    wait_for_approval,
    wait_for_choice,
    wait_for_event,
    wait_for_form,
)
from durable_django.api import get_execution, list_executions
from durable_django.api_events import send_event
from durable_django.definition import moments
from durable_django.inputs.api import list_pending_inputs, provide_input
from durable_django.models import Wait


def test_a_callable_is_asked_once_and_what_it_said_holds(durable):
    asked = []

    def until(self):
        asked.append(self.execution_id)
        return hours(len(asked))

    class Pay(Workflow):
        paid = wait_for_event(key=lambda self: self.input["invoice"], timeout=until)

    run = durable.run(Pay, {"invoice": "inv_1"})
    send_event(run, "paid", "wrong", key="inv_2")
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "paid", "right", key="inv_1")
    durable.drain()
    assert get_execution(run).result == "right"
    assert asked == [run.pk]


def test_a_body_that_counts_down_to_a_moment_may_come_by_late(durable):
    class Remind(Workflow):
        @step
        def remind(self):
            deadline = self.once("deadline", lambda: moments.now() + days(1))
            self.sleep_for(deadline - moments.now())
            self.wait_for_event("seen", timeout=deadline - moments.now(), timeout_value=None)
            return "done"

    run = durable.run(Remind)
    durable.assert_status(run, "sleeping")
    durable.advance(days(2))
    durable.drain()
    assert get_execution(run).result == "done"


def test_moments_and_waits_have_one_clock(durable):
    class Report(Workflow):
        morning = sleep_until(lambda self: next_business_day(9, tz="UTC"))

        @step
        def send(self):
            return [moments.now(), end_of_day("UTC")]

    run = durable.run(Report)
    durable.assert_status(run, "sleeping")
    durable.advance(days(4))
    durable.drain()
    now, end = get_execution(run).result
    [row] = Wait.objects.filter(execution=run)
    assert row.due_at.hour == 9
    assert row.due_at.weekday() < 5
    assert now - run.created_at >= days(4)
    assert timedelta(0) < end - now <= days(1)


def test_a_prompt_tells_what_the_context_has_when_the_run_comes_by(durable):
    class Expense(Workflow):
        @step
        def read(self):
            self.context["amount"] = 12.5

        approval = wait_for_approval(prompt=_("Approve {amount:.2f}?"), assignee="group:Board")
        size = wait_for_choice(
            prompt=lambda self: "{as it is}", choices={1: _("One"), None: "None"}
        )
        details = wait_for_form(fields={"when": {"type": "date", "label": _("When")}})

    run = durable.run(Expense)
    [pending] = list_pending_inputs()
    assert (pending.prompt, pending.assignee_kind, pending.assignee) == (
        "Approve 12.50?",
        "group",
        "Board",
    )
    provide_input(run, "approval", "approved")
    durable.drain()
    [pending] = list_pending_inputs()
    assert (pending.prompt, pending.choices) == ("{as it is}", [[1, "One"], [None, "None"]])
    provide_input(run, "size", None)
    durable.drain()
    [pending] = list_pending_inputs()
    assert pending.fields[0]["label"] == "When"
    assert dict(get_execution(run).outputs)["size"] is None


@pytest.mark.parametrize(
    ("wait", "kind", "words"),
    [
        (
            lambda: wait_for_approval(prompt="Pay {amount}?"),
            "KeyError",
            "the context has no 'amount'",
        ),
        (lambda: wait_for_event(timeout=lambda self: "1h"), "TypeError", "timeout is a timedelta"),
        (lambda: wait_for_event(key=lambda self: 7), "TypeError", "key is a string, not 7"),
        (lambda: wait_for_event(key=lambda self: 1 / 0), "ZeroDivisionError", "division by zero"),
        (lambda: call_workflow("nobody"), "WorkflowNotFound", 'no workflow is called "nobody"'),
        (lambda: start_workflow("nobody"), "WorkflowNotFound", 'no workflow is called "nobody"'),
        (
            lambda: wait_for_event(timeout=9, timeout_value=object()),
            "NotSerializable",
            "timeout_value: builtins.object cannot be stored",
        ),
    ],
)
def test_an_argument_that_is_wrong_when_the_run_comes_by_fails_the_node(durable, wait, kind, words):
    class W(Workflow):
        it = wait()

    run = durable.run(W)
    durable.assert_status(run, "failed")
    error = get_execution(run).error
    assert error["type"].endswith(kind)
    assert words in error["message"]
    assert error["node"] == "it"
    assert not Wait.objects.filter(execution=run).exists()


def test_a_wait_in_a_step_tells_its_mistake_where_it_stands(durable):
    class W(Workflow):
        @step
        def ask(self):
            self.wait_for_approval("manager", timeout_value="rejected")

    run = durable.run(W)
    durable.assert_status(run, "failed")
    error = get_execution(run).error
    assert "timeout_value without a timeout would never be given" in error["message"]
    assert "self.wait_for_approval" in error["traceback"]


def test_the_input_of_a_declared_child_is_changed_for_one_run_only(durable):
    class Child(Workflow):
        class Meta:
            name = "wait_arguments.child"

        @classmethod
        def clean_input(cls, input):
            input["seen"].append(1)
            return input

        @step
        def tell(self):
            return list(self.input["seen"])

    class Parent(Workflow):
        with parallel() as both:
            one = call_workflow(Child, {"seen": []})
            two = call_workflow("wait_arguments.child", {"seen": []})
        third = start_workflow(Child, {"seen": []}, tags=["wait-arguments"], priority=3)

    for _again in range(2):
        run = durable.run(Parent)
        durable.drain()
        outputs = dict(get_execution(run).outputs)
        assert outputs["both"] == {"one": [1], "two": [1]}
        started = get_execution(outputs["third"])
        assert (started.input, started.priority) == ({"seen": [1]}, 3)
    assert list_executions(tags=["wait-arguments"]).count() == 2


def test_a_body_that_runs_again_needs_no_name_that_is_gone(durable):
    from durable_django.definition import registry

    class Child(Workflow):
        class Meta:
            name = "wait_arguments.renamed"

        @step
        def tell(self):
            return 7

    class Parent(Workflow):
        @step
        def ask(self):
            found = self.call_workflow("wait_arguments.renamed")
            self.sleep_for(minutes(1))
            return found

    run = durable.run(Parent)
    durable.drain()
    durable.assert_status(run, "sleeping")
    registry._classes.pop("wait_arguments.renamed")
    durable.advance(minutes(2))
    durable.drain()
    assert get_execution(run).result == 7
