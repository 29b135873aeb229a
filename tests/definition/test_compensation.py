"""Compensations: what undoes a node, and that it stands beside the order of nodes."""

import asyncio

import pytest

from durable_django import Workflow, branch, foreach, loop, minutes, parallel, sequence, step
from durable_django.definition import registry
from durable_django.definition.compensation import Compensation
from durable_django.definition.retry import Retry
from durable_django.exceptions import NodeCalled

with registry.isolate():

    class Trip(Workflow):
        class Meta:
            retry = Retry(7)

        @step
        def book(self):
            return "booked"

        @book.compensate
        def cancel_booking(self):
            """Gives the room back.

            In some detail.
            """
            return "cancelled"

        with parallel() as pay:

            @step
            def charge(self): ...

            @charge.compensate(retry=Retry(3), timeout=minutes(5))
            async def refund(self):
                return "refunded"

            @step
            def invoice(self): ...

        @pay.compensate
        def settle(self): ...

        @step
        def go(self): ...


# The plan


def test_a_compensation_is_found_by_its_node_and_by_its_name():
    definition = Trip.definition
    assert dict(definition.compensations) == {
        "book": Trip.cancel_booking,
        "pay": Trip.settle,
        "charge": Trip.refund,
    }
    assert definition.compensation_named("refund") is Trip.refund
    assert definition.compensation_named("charge") is None
    assert definition.compensation_named("nobody") is None


def test_the_compensations_stand_in_the_order_of_their_nodes():
    assert list(Trip.definition.compensations) == ["book", "pay", "charge"]


def test_a_compensation_has_no_place_in_the_order_of_nodes():
    definition = Trip.definition
    assert list(definition.nodes) == ["book", "pay", "charge", "invoice", "go"]
    assert [node.name for node in definition.top] == ["book", "pay", "go"]
    assert Trip.pay.children == (Trip.charge, Trip.invoice)
    assert Trip.refund.block is None
    assert definition.next_of("book") == "pay"
    with pytest.raises(KeyError):
        definition.next_of("refund")


def test_a_compensation_has_what_is_run_of_a_step():
    plain, refund = Trip.cancel_booking, Trip.refund
    assert isinstance(plain, Compensation)
    assert (plain.kind, plain.name, plain.of) == ("compensation", "cancel_booking", "book")
    assert (plain.is_async, plain.retry, plain.timeout) == (False, None, None)
    assert (plain.atomic, plain.at_most_once, plain.doc) == (False, False, "Gives the room back.")
    assert (refund.of, refund.is_async, refund.retry, refund.timeout) == (
        "charge",
        True,
        Retry(3),
        300.0,
    )
    run = Trip._for_attempt(None)
    assert plain.body(run) == "cancelled"
    assert asyncio.run(refund.body(run)) == "refunded"


def test_a_compensation_knows_where_it_was_written():
    assert Trip.refund.filename == __file__
    assert Trip.refund.line == Trip.refund.body.__code__.co_firstlineno


def test_a_compensation_cannot_change_once_its_class_is_complete():
    with pytest.raises(AttributeError, match="its class is complete"):
        Trip.refund.retry = None
    with pytest.raises(TypeError):
        Trip.definition.compensations["go"] = Trip.refund


def test_a_workflow_may_have_none():
    class W(Workflow):
        @step
        def go(self): ...

    assert dict(W.definition.compensations) == {}


def test_the_structure_tells_it_with_its_node():
    book, pay, go = Trip.definition.structure()["nodes"]
    assert book["compensation"] == {
        "name": "cancel_booking",
        "doc": "Gives the room back.",
        "async": False,
        "timeout": None,
        "retry": None,
    }
    assert pay["compensation"]["name"] == "settle"
    charge = pay["children"][0]
    assert (charge["compensation"]["async"], charge["compensation"]["timeout"]) == (True, 300.0)
    assert charge["compensation"]["retry"] == Retry(3).structure()
    assert "compensation" not in go


def test_every_kind_of_node_may_have_one():
    class W(Workflow):
        with sequence() as both:

            @step
            def first(self): ...

        with loop(until="done") as polling:

            @step
            def poll(self): ...

        with foreach("items") as sending:

            @step
            def send(self): ...

        with branch(on="plan") as decide, decide.case("pro"):

            @step
            def upgrade(self): ...

            @decide.compensate
            def undo_decide(self): ...

        @both.compensate
        def undo_both(self): ...
        @polling.compensate
        def undo_polling(self): ...
        @sending.compensate
        def undo_sending(self): ...

    undone = {of: made.name for of, made in W.definition.compensations.items()}
    assert undone == {
        "both": "undo_both",
        "polling": "undo_polling",
        "sending": "undo_sending",
        "decide": "undo_decide",
    }
    assert W.decide.children[0].children == (W.upgrade,)


def test_it_may_stand_anywhere_below_its_node():
    class W(Workflow):
        @step
        def book(self): ...

        with branch(on="plan") as decide:

            @book.compensate
            def cancel(self): ...

            with decide.case("pro"):

                @step
                def pay(self): ...

    assert [case.label for case in W.decide.children] == ["pro"]
    assert W.definition.compensations["book"] is W.cancel


def test_a_function_that_stands_elsewhere_may_be_one():
    def shared(self): ...

    class W(Workflow):
        @step
        def book(self): ...
        @step
        def pay(self): ...

        cancel = book.compensate(shared)
        refund = pay.compensate()(shared)

    assert (W.cancel.of, W.refund.of) == ("book", "pay")
    assert W.cancel.body is W.refund.body is shared


# Calling it


def test_calling_it_in_a_step_is_told():
    run = Trip._for_attempt(None)
    with pytest.raises(NodeCalled, match="the engine runs it when charge is to be undone"):
        run.refund()
    with pytest.raises(NodeCalled, match=r"self\.refund is the compensation of charge"):
        bool(run.refund)


def test_calling_it_on_the_class_names_the_test_kit():
    with pytest.raises(NodeCalled, match=r"testing\.run_step\(Trip\.refund\)"):
        Trip.refund()


def test_one_that_is_taken_over_from_the_base_is_plain_python_there():
    class W(Trip):
        @Trip.book.compensate
        def cancel_booking(self):
            return [super().cancel_booking(), "and told"]

    assert W.cancel_booking.body(W._for_attempt(None)) == ["cancelled", "and told"]
