"""Declared waits as nodes: where they stand, what becomes of them, what they tell."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils.translation import gettext_lazy as _

import durable_django as durable
from durable_django import (
    NodeCalled,
    Workflow,
    branch,
    call_workflow,
    days,
    foreach,
    loop,
    parallel,
    race,
    sequence,
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
from durable_django.definition.requests import NO_VALUE
from durable_django.definition.retry import NO_RETRY
from durable_django.definition.wait_nodes import DeclaredWait
from tests.definition.runs import Run

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)

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


# The node


def test_a_wait_is_run_as_a_step_without_retry_would_be():
    class W(Workflow):
        class Meta:
            retry = durable.Retry(5)

        paid = wait_for_event()

    node = W.paid
    assert isinstance(node, DeclaredWait)
    assert (node.is_async, node.atomic, node.at_most_once) == (False, False, False)
    assert (node.timeout, node.retry, node.doc) == (None, None, "")
    assert W.definition.retry_of("paid") == NO_RETRY


@pytest.mark.parametrize(
    ("make", "kind", "awaited"),
    [
        (lambda: sleep_for(1), "sleep", None),
        (lambda: sleep_until(NOON), "sleep", None),
        (lambda: wait_for_event(), "event", "it"),
        (lambda: wait_for_event("payment.success"), "event", "payment.success"),
        (lambda: wait_for_any(["a"]), "any", None),
        (lambda: wait_for_all(["a"]), "all", None),
        (lambda: wait_for_input(), "input", "it"),
        (lambda: wait_for_approval("manager"), "input", "manager"),
        (lambda: wait_for_choice(choices=["a", "b"]), "input", "it"),
        (lambda: wait_for_text(), "input", "it"),
        (lambda: wait_for_form(fields={"a": "text"}), "input", "it"),
        (lambda: wait_for_callback("scan"), "callback", "scan"),
        (lambda: call_workflow("w"), "call", None),
        (lambda: start_workflow("w"), "start", None),
    ],
)
def test_the_kinds_and_what_is_awaited(make, kind, awaited):
    node = made(make)
    assert (node.kind, node.awaited, node.name) == (kind, awaited, "it")
    assert node.body(Run({"x": 1})).kind == kind


def test_a_wait_is_no_value_in_a_step():
    class W(Workflow):
        approval = wait_for_approval()

    run = W._for_attempt(object())
    with pytest.raises(NodeCalled, match=r'read self\.outputs\["approval"\] instead'):
        bool(run.approval)
    with pytest.raises(NodeCalled, match=r"self\.approval\(\) would run"):
        run.approval()
    assert W.approval is W.definition.nodes["approval"]


def test_a_wait_cannot_change_once_the_class_is_complete():
    node = made(lambda: sleep_for(1))
    with pytest.raises(AttributeError, match="its class is complete"):
        node.function = "sleep_until"


# Where it stands


def test_a_wait_stands_in_every_block():
    class W(Workflow):
        approval = wait_for_approval()

        with branch(on=approval) as decide:
            with decide.case("approved"):
                paid = wait_for_event()
            with decide.default():
                pause = sleep_for(1)
        with parallel() as both:
            one = wait_for_event()
            two = call_workflow("self")
        with race() as first:
            answered = wait_for_text()
            expired = sleep_for(days(7))
        with foreach("items") as each:
            reply = wait_for_callback()
        with loop(until="done", max_iterations=3) as polling:
            again = sleep_for(60)
        with sequence() as last:
            all_of_them = wait_for_all(["a"])
            any_of_them = wait_for_any(["a"])
            started = start_workflow("self")

    definition = W.definition
    assert definition.chain_of("paid") == ("decide", "approved")
    assert definition.chain_of("expired") == ("first",)
    assert definition.next_of("all_of_them") == "any_of_them"
    assert definition.next_of("answered") is None
    ways = {(edge["from"], edge["to"]) for edge in definition.structure()["edges"]}
    assert {("approval", "decide"), ("decide", "paid"), ("first", "expired")} <= ways


def test_a_wait_may_have_a_compensation():
    class W(Workflow):
        parcel = call_workflow(Shipping)

        @parcel.compensate
        def call_back(self): ...

        @step
        def after(self): ...

    assert W.definition.compensations["parcel"].name == "call_back"
    assert W.definition.structure()["nodes"][0]["compensation"]["name"] == "call_back"


def test_a_subclass_may_redefine_a_wait_by_one_of_its_kind():
    class Base(Workflow):
        approval = wait_for_approval("manager")

        @step
        def pay(self): ...

    class Strict(Base):
        approval = wait_for_form("board", fields={"why": "text"})

    class Free(Base):
        approval = None

    assert list(Strict.definition.nodes) == ["approval", "pay"]
    assert Strict.approval.awaited == "board"
    assert Base.approval.awaited == "manager"
    assert list(Free.definition.nodes) == ["pay"]


def test_waits_made_by_a_function_belong_to_the_class_body():
    def asked_of(who):
        return wait_for_approval(assignee=f"user:{who}")

    class W(Workflow):
        anna = asked_of("anna")
        bo = asked_of("bo")

    assert [node.body(Run()).assignee[1] for node in W.definition.top] == ["anna", "bo"]


# What it tells of itself


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: sleep_for(days(1)), {"kind": "sleep", "duration": 86_400.0}),
        (lambda: sleep_for(len), {"kind": "sleep", "duration": "callable"}),
        (lambda: sleep_until(NOON), {"kind": "sleep", "moment": "2030-01-31T12:00:00+00:00"}),
        (
            lambda: wait_for_event("payment", key=lambda self: "k", timeout=60, timeout_value=NOON),
            {
                "kind": "event",
                "wait": "payment",
                "key": "callable",
                "timeout": 60.0,
                "timeout_value": "2030-01-31T12:00:00+00:00",
            },
        ),
        (
            lambda: wait_for_event(),
            {"kind": "event", "wait": "it", "key": None, "timeout": None},
        ),
        (
            lambda: wait_for_any(["a", "b"], key="k", timeout=lambda self: 1, timeout_value=None),
            {
                "kind": "any",
                "names": ["a", "b"],
                "key": "k",
                "timeout": "callable",
                "timeout_value": None,
            },
        ),
        (
            lambda: wait_for_choice(prompt="{a}?", choices=[(1, _("One"))], assignee="shop.choose"),
            {
                "kind": "input",
                "wait": "it",
                "form": "choice",
                "prompt": "{a}?",
                "choices": [[1, "One"]],
                "assignee": "permission:shop.choose",
                "timeout": None,
            },
        ),
        (
            lambda: wait_for_callback(timeout=5),
            {"kind": "callback", "wait": "it", "timeout": 5.0},
        ),
        (
            lambda: call_workflow(Shipping, {"card": "4242"}),
            {"kind": "call", "workflow": "shipping", "timeout": None, "on_cancel": "cancel"},
        ),
        (
            lambda: start_workflow("self", priority=2, scheduled_at=NOON),
            {
                "kind": "start",
                "workflow": "self",
                "priority": 2,
                "scheduled_at": "2030-01-31T12:00:00+00:00",
            },
        ),
        (lambda: start_workflow(lambda self: "w"), {"kind": "start", "workflow": "callable"}),
    ],
)
def test_the_structure_tells_what_is_waited_for(make, told):
    class W(Workflow):
        it = make()

    (found,) = W.definition.structure()["nodes"]
    assert found == {"name": "it", "function": W.it.function, **told}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    "value", [object(), {"b", "a", "c"}, float("inf"), b"x", [Decimal(1)], "\0", {"k": lambda: 1}]
)
def test_what_json_has_no_word_for_is_shown_the_same_in_every_process(value):
    class W(Workflow):
        it = wait_for_event(timeout=1, timeout_value=value)

    told = json.dumps(W.definition.structure(), allow_nan=False)
    assert "0x" not in told
    assert "\\u0000" not in told
    assert W.it.body(Run()).timeout_value is value


def test_no_value_stands_for_none_given():
    assert repr(NO_VALUE) == "NO_VALUE"
    assert made(lambda: wait_for_event(timeout=1)).body(Run()).timeout_value is NO_VALUE
