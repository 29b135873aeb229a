"""Decisions: where they may jump to, and how a subclass changes them."""

import asyncio

import pytest
from django.db import models

from durable_django import Workflow, branch, decision, loop, minutes, sequence, step
from durable_django.definition import registry
from durable_django.definition.flow import Decision
from durable_django.definition.retry import NO_RETRY, Retry
from durable_django.exceptions import NodeCalled
from tests.definition.telling import told

with registry.isolate():

    class Claim(Workflow):
        @step
        def collect(self): ...

        @decision(to=["collect", "pay_out"])
        def complete(self):
            """Whether all documents are there.

            In some detail.
            """
            return "collect"

        @step
        def review(self): ...
        @step
        def pay_out(self): ...

        @decision(to=[review], max_visits=3, retry=Retry(5), timeout=minutes(1))
        async def again(self):
            return None


# The plan


def test_a_decision_knows_what_it_was_given():
    complete, again = Claim.complete, Claim.again
    assert isinstance(complete, Decision)
    assert (complete.kind, complete.to, complete.max_visits) == (
        *("decision", ("collect", "pay_out"), 1000),
    )
    assert (complete.doc, complete.is_async) == ("Whether all documents are there.", False)
    assert (complete.timeout, complete.retry) == (None, None)
    assert (complete.atomic, complete.at_most_once) == (False, False)
    assert (again.to, again.max_visits, again.is_async) == (("review",), 3, True)
    assert (again.timeout, again.retry) == (60.0, Retry(5))


def test_the_body_is_a_function_of_the_run():
    run = Claim._for_attempt(None)
    assert Claim.complete.body(run) == "collect"
    assert asyncio.run(Claim.again.body(run)) is None


def test_a_decision_has_a_place_in_the_order():
    assert Claim.definition.next_of("collect") == "complete"
    assert Claim.definition.next_of("complete") == "review"


def test_a_decision_is_retried_as_a_step_is():
    assert Claim.definition.retry_of("complete") is NO_RETRY
    assert Claim.definition.retry_of("again") == Retry(5)

    class Patient(Claim):
        class Meta:
            retry = Retry(7)

    assert Patient.definition.retry_of("complete") == Retry(7)
    assert Patient.definition.retry_of("again") == Retry(5)


def test_the_structure_tells_the_targets():
    told_of = Claim.definition.structure()["nodes"][4]
    assert told_of == {
        "name": "again",
        "kind": "decision",
        "doc": "",
        "async": True,
        "atomic": False,
        "at_most_once": False,
        "timeout": 60.0,
        "retry": Retry(5).structure(),
        "to": ["review"],
        "max_visits": 3,
    }


def test_a_decision_is_frozen_with_its_class():
    with pytest.raises(AttributeError, match="its class is complete"):
        Claim.complete.to = ()


def test_a_decision_is_not_called():
    with pytest.raises(NodeCalled, match=r"Claim.complete\(\) is a decision"):
        Claim.complete()
    with pytest.raises(NodeCalled):
        Claim._for_attempt(None).complete()


def test_a_decision_jumps_within_its_block():
    class W(Workflow):
        with loop(until="done") as outer, branch(on="key") as choice, choice.case("a"):

            @step
            def one(self): ...

            @decision(to=["one", "parts"])
            def two(self): ...

            with sequence() as parts:

                @step
                def three(self): ...

    assert W.two.to == ("one", "parts")


def test_the_targets_may_be_a_tuple_of_both():
    class W(Workflow):
        @step
        def one(self): ...

        @decision(to=(one, "three"))
        def two(self): ...

        @step
        def three(self): ...

    assert W.two.to == ("one", "three")


# Where it goes


class Way(models.TextChoices):
    BACK = "collect"


def test_what_the_body_gives_is_a_target_or_none():
    assert Claim.complete.target_of("pay_out") == "pay_out"
    assert Claim.complete.target_of(None) is None
    assert type(Claim.complete.target_of(Way.BACK)) is str


@pytest.mark.parametrize("name", ["review", "nowhere", ""])
def test_another_name_is_no_target(name):
    with pytest.raises(ValueError, match=f'the decision complete gave "{name}", which is not in'):
        Claim.complete.target_of(name)


def test_a_misspelt_target_is_told_the_right_one():
    with pytest.raises(ValueError, match='did you mean "collect"'):
        Claim.complete.target_of("colect")


@pytest.mark.parametrize("value", [True, 0, [], Claim.collect])
def test_another_type_is_no_target(value):
    with pytest.raises(TypeError, match="gives a node's name or None, not "):
        Claim.complete.target_of(value)


# Inheritance


def test_a_decision_redefined_keeps_its_place():
    class W(Claim):
        @decision(to=[Claim.review, "extra"])
        def complete(self):
            return super().complete()

        @step
        def extra(self): ...

    assert list(W.definition.nodes) == [
        *("collect", "complete", "review", "pay_out", "again", "extra")
    ]
    assert W.complete.to == ("review", "extra")
    assert Claim.complete.to == ("collect", "pay_out")
    assert W.complete.body(W._for_attempt(None)) == "collect"


def test_a_decision_in_a_block_is_redefined_in_its_place():
    class Base(Workflow):
        with loop(until="done") as again:

            @step
            def one(self): ...
            @decision(to=["one"])
            def two(self): ...

    class W(Base):
        @decision(to=["one"], max_visits=2)
        def two(self): ...

    assert W.again.children == (W.one, W.two)
    assert W.two.block is W.again
    assert W.two.max_visits == 2


def test_a_redefined_decision_jumps_within_its_old_place():
    class Base(Workflow):
        with loop(until="done") as again:

            @step
            def one(self): ...
            @decision(to=["one"])
            def two(self): ...

    with told("W.two: three stands outside of any block and two in the loop again"):

        class W(Base):
            @step
            def three(self): ...
            @decision(to=["three"])  # here
            def two(self): ...


def test_a_target_may_be_redefined():
    class W(Claim):
        @step
        def collect(self): ...

    assert W.complete is Claim.complete
    assert W.definition.nodes["collect"] is W.collect


def test_a_target_cannot_be_taken_out():
    with told('W: in the decision Claim.complete, there is no node "pay_out" to jump to'):

        class W(Claim):  # here
            pay_out = None


def test_a_target_is_taken_out_with_its_decision():
    class W(Claim):
        pay_out = None
        complete = None

    assert list(W.definition.nodes) == ["collect", "review", "again"]


def test_a_decision_is_redefined_by_a_decision_only():
    with told("W.complete: Claim.complete is a decision, and a step cannot take its place"):

        class W(Claim):
            @step  # here
            def complete(self): ...


def test_a_plain_method_hiding_a_decision_is_told():
    with told("W.complete hides the decision of Claim", "write @decision above it to redefine it"):

        class W(Claim):
            def complete(self): ...  # here
