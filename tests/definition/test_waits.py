"""Declared waits: what they ask of a run, and what they tell of themselves."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from durable_django import (
    Workflow,
    call_workflow,
    days,
    hours,
    sleep_for,
    sleep_until,
    start_workflow,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_callback,
    wait_for_choice,
    wait_for_event,
    wait_for_form,
    wait_for_input,
    wait_for_text,
)
from durable_django.definition import registry
from durable_django.definition.requests import Request
from tests.definition.runs import Run

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
FORM = {"form": "input", "prompt": "", "fields": [], "choices": []}

with registry.isolate():

    class Shipping(Workflow):
        class Meta:
            name = "shipping"
            version = 3

        @step
        def pack(self): ...


def made(make):
    """The node that ``make()`` makes in a class body, under the name "it"."""

    class W(Workflow):
        it = make()

    return W.it


def asked(make, **run):
    """What a run with this context waits for there."""
    return made(make).body(Run(**run))


# What is asked for


@pytest.mark.parametrize(
    ("make", "request_made"),
    [
        (lambda: sleep_for(days(3)), Request("sleep", seconds=259_200.0)),
        (lambda: sleep_for(0), Request("sleep", seconds=0.0)),
        (lambda: sleep_until(NOON), Request("sleep", until=NOON)),
        (lambda: wait_for_event(), Request("event", "it")),
        (lambda: wait_for_event(None), Request("event", "it")),
        (lambda: wait_for_event("payment"), Request("event", "payment")),
        (
            lambda: wait_for_event("payment", "inv_1", 60, None),
            Request("event", "payment", key="inv_1", seconds=60.0, timeout_value=None),
        ),
        (lambda: wait_for_event(timeout=0), Request("event", "it", seconds=0.0)),
        (lambda: wait_for_any(["a", "b"]), Request("any", names=("a", "b"))),
        (
            lambda: wait_for_any(("a",), "k", hours(1), "late"),
            Request("any", names=("a",), key="k", seconds=3600.0, timeout_value="late"),
        ),
        (
            lambda: wait_for_all(["a", "b"], timeout=1),
            Request("all", names=("a", "b"), seconds=1.0),
        ),
        (lambda: wait_for_callback(), Request("callback", "it")),
        (
            lambda: wait_for_callback("scan", 5, {}),
            Request("callback", "scan", seconds=5.0, timeout_value={}),
        ),
        (lambda: wait_for_input(), Request("input", "it", form=FORM)),
        (
            lambda: wait_for_input("manager", prompt="Why?", assignee="user:anna", timeout=9),
            Request(
                "input",
                "manager",
                seconds=9.0,
                form={**FORM, "prompt": "Why?"},
                assignee=("user", "anna"),
            ),
        ),
        (lambda: wait_for_approval(), Request("input", "it", form={**FORM, "form": "approval"})),
        (lambda: wait_for_text("why"), Request("input", "why", form={**FORM, "form": "text"})),
        (
            lambda: wait_for_choice(choices=["a", ("b", "B")]),
            Request(
                "input", "it", form={**FORM, "form": "choice", "choices": [["a", "a"], ["b", "B"]]}
            ),
        ),
        (lambda: call_workflow(Shipping), Request("call", "shipping", version=3)),
        (
            lambda: call_workflow("shipping", 7, timeout=5, timeout_value=0, on_cancel="abandon"),
            Request("call", "shipping", input=7, seconds=5.0, timeout_value=0, on_cancel="abandon"),
        ),
        (lambda: start_workflow(Shipping), Request("start", "shipping", version=3, options={})),
        (
            lambda: start_workflow("shipping", {"a": 1}, queue="slow", timeout=None, tags=["x"]),
            Request(
                "start",
                "shipping",
                input={"a": 1},
                options={"queue": "slow", "timeout": None, "tags": ["x"]},
            ),
        ),
    ],
)
def test_a_wait_says_what_it_waits_for(make, request_made):
    assert asked(make) == request_made


def test_the_fields_of_a_form_are_kept_in_their_normal_form():
    for make in (wait_for_form, wait_for_input):
        request = asked(lambda make=make: make(fields={"amount": "decimal", "ok": "boolean"}))
        assert [field["name"] for field in request.form["fields"]] == ["amount", "ok"]
        assert request.form["fields"][1]["required"] is False


def test_a_workflow_called_self_is_that_of_the_run():
    class Base(Workflow):
        again = call_workflow("self")
        also = start_workflow("self")

    class Variant(Base):
        class Meta:
            version = 2

    for workflow in (Base, Variant):
        definition = workflow.definition
        run = workflow._for_attempt(object())
        for node in (workflow.again, workflow.also):
            request = node.body(run)
            assert (request.name, request.version) == (definition.name, definition.version)


def test_a_registered_name_is_not_looked_up_by_the_plan():
    assert asked(lambda: call_workflow("nobody has it")).name == "nobody has it"


# Callables


@pytest.mark.parametrize(
    ("make", "field", "value"),
    [
        (lambda ask: sleep_for(ask), "seconds", 5),
        (lambda ask: sleep_for(ask), "seconds", timedelta(days=1)),
        (lambda ask: sleep_until(ask), "until", NOON),
        (lambda ask: wait_for_event(key=ask), "key", "inv_1"),
        (lambda ask: wait_for_event(timeout=ask), "seconds", 60),
        (lambda ask: wait_for_event(timeout=ask), "seconds", None),
        (lambda ask: wait_for_event(timeout=9, timeout_value=ask), "timeout_value", {"a": 1}),
        (lambda ask: wait_for_event(timeout=ask, timeout_value=3), "seconds", None),
        (lambda ask: wait_for_any(ask), "names", ("a", "b")),
        (lambda ask: wait_for_all(ask, timeout=1), "names", ("a",)),
        (lambda ask: wait_for_callback(timeout=ask), "seconds", 60),
        (lambda ask: call_workflow("w", ask), "input", {"a": 1}),
        (lambda ask: call_workflow("w", on_cancel=ask), "on_cancel", "abandon"),
        (lambda ask: call_workflow(ask), "name", "shipping"),
        (lambda ask: start_workflow(ask), "name", "shipping"),
        (lambda ask: start_workflow("w", queue=ask), "options", "slow"),
    ],
)
def test_an_argument_may_be_asked_of_the_run(make, field, value):
    found = getattr(
        asked(lambda: make(lambda self: self.context["x"]), context={"x": value}), field
    )
    if field == "options":
        found = found["queue"]
    assert found == (value.total_seconds() if isinstance(value, timedelta) else value)


def test_a_workflow_may_be_asked_for_as_a_class():
    assert asked(lambda: call_workflow(lambda self: Shipping)).version == 3


@pytest.mark.parametrize(
    ("value", "kept"),
    [("user:anna", ("user", "anna")), (User(username="bo"), ("user", "bo")), (None, None)],
)
def test_an_assignee_may_be_asked_for(value, kept):
    request = asked(
        lambda: wait_for_approval(assignee=lambda self: self.context["who"]), context={"who": value}
    )
    assert request.assignee == kept


def test_choices_may_be_asked_for():
    request = asked(
        lambda: wait_for_choice(choices=lambda self: self.context["all"]), context={"all": ["a"]}
    )
    assert request.form["choices"] == [["a", "a"]]


def test_a_callable_is_asked_each_time_a_run_comes_by_and_never_at_import():
    seen = []

    class W(Workflow):
        pause = sleep_for(lambda self: seen.append(self) or len(seen))

    assert seen == []
    first, second = Run(), Run()
    assert W.pause.body(first).seconds == 1
    assert W.pause.body(second).seconds == 2
    assert seen == [first, second]


def test_a_method_of_the_class_may_be_asked():
    class W(Workflow):
        def invoice(self):
            return self.context["invoice"]

        paid = wait_for_event(key=invoice)

    assert W.paid.body(Run({"invoice": "inv_1"})).key == "inv_1"


@pytest.mark.parametrize("late", [-1, -0.5, timedelta(days=-9), float("-inf")])
def test_less_than_no_time_left_is_none(late):
    assert asked(lambda: sleep_for(lambda self: late)).seconds == 0
    assert asked(lambda: wait_for_approval(timeout=lambda self: late)).seconds == 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: sleep_for(lambda self: "1h"), TypeError, "duration is a timedelta or a number"),
        (lambda: sleep_for(lambda self: None), TypeError, "duration is a timedelta or a number"),
        (lambda: sleep_for(lambda self: float("nan")), ValueError, "duration is no number"),
        (lambda: sleep_until(lambda self: "soon"), TypeError, "moment is an aware datetime"),
        (lambda: sleep_until(lambda self: NOON.replace(tzinfo=None)), ValueError, "has none"),
        (lambda: wait_for_event(key=lambda self: 7), TypeError, "key is a string, not 7"),
        (lambda: wait_for_event(key=lambda self: ""), ValueError, "key is empty"),
        (lambda: wait_for_event(timeout=lambda self: True), TypeError, "timeout is a timedelta"),
        (lambda: wait_for_any(lambda self: "ab"), TypeError, "names is a list of names"),
        (lambda: wait_for_any(lambda self: ["a", "a"]), ValueError, 'names has "a" twice'),
        (lambda: wait_for_input(prompt=lambda self: 7), TypeError, "prompt is a string, not 7"),
        (lambda: wait_for_input(assignee=lambda self: "anna"), ValueError, "assignee is a user,"),
        (lambda: wait_for_choice(choices=lambda self: []), ValueError, "choices is empty"),
        (lambda: call_workflow(lambda self: 7), TypeError, "workflow is a Workflow class"),
        (lambda: call_workflow(lambda self: Workflow), ValueError, "is abstract"),
        (
            lambda: call_workflow("w", on_cancel=lambda self: "no"),
            ValueError,
            'on_cancel is "cancel"',
        ),
    ],
)
def test_what_a_callable_gives_is_judged_when_the_run_comes_by(make, error, words):
    node = made(make)
    with pytest.raises(error) as caught:
        node.body(Run())
    assert words in str(caught.value)


def test_a_callable_that_raises_is_not_hushed_up():
    with pytest.raises(ZeroDivisionError):
        asked(lambda: sleep_for(lambda self: 1 / 0))


def test_a_coroutine_is_no_answer():
    async def later():
        return 5

    with pytest.raises(TypeError, match="duration gave a coroutine; it is asked without await"):
        asked(lambda: sleep_for(lambda self: later()))


# Prompts


def test_a_prompt_is_formatted_with_the_context():
    request = asked(
        lambda: wait_for_approval(prompt="Approve {amount:.2f} for {name}?"),
        context={"amount": Decimal("12.5"), "name": "{amount}"},
    )
    assert request.form["prompt"] == "Approve 12.50 for {amount}?"


def test_what_a_callable_gives_as_prompt_is_not_formatted():
    request = asked(
        lambda: wait_for_text(prompt=lambda self: self.context["said"]),
        context={"said": "{secret} {0}"},
    )
    assert request.form["prompt"] == "{secret} {0}"


def test_a_key_that_is_missing_fails_the_node():
    with pytest.raises(KeyError, match="the context has no 'amount'"):
        asked(lambda: wait_for_approval(prompt="Approve {amount}?"))


def test_words_to_be_translated_are_words_when_a_run_comes_by():
    request = asked(
        lambda: wait_for_form(
            prompt=_("Approve {amount}?"),
            fields={"why": {"label": _("Why"), "help": _("In short")}},
        ),
        context={"amount": 7},
    )
    assert request.form["prompt"] == "Approve 7?"
    assert type(request.form["fields"][0]["label"]) is str
    json.dumps(request.form)


# What is shared with nobody


def test_the_input_of_a_child_is_each_runs_own():
    given = {"items": [1, {"a": (2, [3])}], "tags": {"x"}}

    class W(Workflow):
        child = call_workflow("shipping", given)

    first = W.child.body(Run()).input
    first["items"][1]["a"][1].append(4)
    first["tags"].add("y")
    assert given == {"items": [1, {"a": (2, [3])}], "tags": {"x"}}
    assert W.child.body(Run()).input == given


def test_a_moment_is_kept_in_utc():
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    until = asked(lambda: sleep_until(tokyo)).until
    assert until == NOON
    assert until.tzinfo is UTC
