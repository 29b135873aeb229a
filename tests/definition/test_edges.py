"""The edges of a plan: what its drawing has arrows for."""

from durable_django import (
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    minutes,
    parallel,
    race,
    sequence,
    step,
)
from tests.definition.examples import Trip


def body(self): ...


def arrows(workflow):
    """Each edge as one reads it: ``"a > b"``, with its kind and label."""
    return [
        (f"{edge['from']} > {edge['to']}", edge["kind"], *filter(None, [edge.get("label")]))
        for edge in workflow.definition.structure()["edges"]
    ]


def test_neighbours_follow_each_other():
    class W(Workflow):
        one = step(body)
        two = step(body)
        three = step(body)

    assert W.definition.structure()["edges"] == [
        {"from": "one", "to": "two", "kind": "next"},
        {"from": "two", "to": "three", "kind": "next"},
    ]


def test_one_node_has_no_edge():
    class W(Workflow):
        one = step(body)

    assert arrows(W) == []


def test_a_block_leads_to_its_first_child():
    assert arrows(Trip) == [
        ("plan > booking", "next"),
        ("booking > go", "next"),
        ("booking > flight", "enter"),
        ("flight > hotel", "next"),
        ("hotel > car", "next"),
        ("hotel > room", "enter"),
        ("room > breakfast", "next"),
    ]


def test_a_branch_leads_to_the_first_node_of_each_case():
    class W(Workflow):
        with branch(on="plan") as decide:
            with decide.case("pro", "team"):
                pay = step(body)
                inform = step(body)
            with decide.default():
                refuse = step(body)
        close = step(body)

    assert arrows(W) == [
        ("decide > close", "next"),
        ("decide > pay", "enter", "pro | team"),
        ("pay > inform", "next"),
        ("decide > refuse", "enter", "default"),
    ]


def test_a_loop_goes_back():
    class W(Workflow):
        with loop(until="done") as polling:
            poll = step(body)
            with sequence() as both:
                rest = step(body)

    assert arrows(W) == [
        ("polling > poll", "enter"),
        ("poll > both", "next"),
        ("both > rest", "enter"),
        ("both > polling", "back"),
    ]


def test_a_fork_leads_to_every_member():
    class W(Workflow):
        with parallel() as fetch:
            user = step(body)
            with sequence() as billing:
                invoices = step(body)
                balance = step(body)
        with race() as quote:
            carrier_a = step(body)
            carrier_b = step(body)

    assert arrows(W) == [
        ("fetch > quote", "next"),
        ("fetch > user", "enter"),
        ("fetch > billing", "enter"),
        ("billing > invoices", "enter"),
        ("invoices > balance", "next"),
        ("quote > carrier_a", "enter"),
        ("quote > carrier_b", "enter"),
    ]


def test_a_foreach_leads_to_its_first_node():
    class W(Workflow):
        with foreach("items") as sending:
            render = step(body)
            send = step(body)

    assert arrows(W) == [("sending > render", "enter"), ("render > send", "next")]


def test_a_decision_jumps():
    class W(Workflow):
        collect = step(body)
        complete = decision(to=[collect, "pay_out"])(body)
        review = step(body)
        pay_out = step(body)

    assert arrows(W) == [
        ("collect > complete", "next"),
        ("complete > review", "next"),
        ("review > pay_out", "next"),
        ("complete > collect", "jump"),
        ("complete > pay_out", "jump"),
    ]


def test_a_decision_in_a_case_jumps_there():
    class W(Workflow):
        with branch(on="plan") as decide, decide.case("pro"):
            collect = step(body)
            complete = decision(to=["collect"])(body)

    assert arrows(W) == [
        ("decide > collect", "enter", "pro"),
        ("collect > complete", "next"),
        ("complete > collect", "jump"),
    ]


def test_a_compensation_is_no_end_of_an_edge():
    class W(Workflow):
        book = step(body)
        cancel_booking = book.compensate(body)
        pay = step(body)

    assert arrows(W) == [("book > pay", "next")]


def test_the_structure_tells_the_options_that_a_drawing_shows():
    class W(Workflow):
        class Meta:
            timeout = minutes(2)
            max_retries = 3

        one = step(body)

    structure = W.definition.structure()
    assert (structure["timeout"], structure["max_retries"]) == (120.0, 3)
    assert Trip.definition.structure()["timeout"] is None
