"""Branches and their cases: which case a value takes, and how a subclass changes them."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import enum
import math

import pytest
from django.db import models

from durable_django import Workflow, branch, loop, step
from durable_django.definition import registry
from durable_django.definition.flow import Branch, Case
from durable_django.definition.retry import NO_RETRY, Retry
from tests.definition.runs import Run
from tests.definition.telling import told

with registry.isolate():

    class Claim(Workflow):
        class Meta:
            retry = Retry(7)

        @step
        def approve(self): ...

        with branch(on=approve) as decide:
            with decide.case("approved", 1):

                @step
                def pay(self): ...
                @step
                def inform(self): ...

            with decide.case("rejected"):

                @step
                def refuse(self): ...

            with decide.default():

                @step
                def ask(self): ...

        @step
        def close(self): ...


def nothing(self): ...


def branch_on(given):
    class W(Workflow):
        @step
        def approve(self): ...

        with branch(on=given) as decide:
            with decide.case("yes"):

                @step
                def pay(self): ...

    return W.decide


# The plan


def test_a_branch_has_cases_and_they_have_the_nodes():
    assert isinstance(Claim.decide, Branch)
    assert all(isinstance(case, Case) for case in Claim.decide.children)
    assert [case.label for case in Claim.decide.children] == ["approved | 1", "rejected", "default"]
    assert [case.values for case in Claim.decide.children] == [("approved", 1), ("rejected",), ()]
    assert [case.is_default for case in Claim.decide.children] == [False, False, True]
    assert list(Claim.definition.nodes) == [
        *("approve", "decide", "pay", "inform", "refuse", "ask", "close")
    ]


def test_what_follows_is_in_the_same_case():
    next_of = Claim.definition.next_of
    assert next_of("pay") == "inform"
    assert next_of("inform") is None
    assert next_of("refuse") is None
    assert next_of("decide") == "close"
    assert Claim.pay.block.block is Claim.decide
    assert Claim.definition.chain_of("pay") == ("decide", "approved | 1")


def test_the_structure_tells_what_is_asked_and_the_cases():
    told = Claim.definition.structure()["nodes"][1]
    assert {**told, "children": ()} == {
        "name": "decide",
        "kind": "branch",
        "on": "approve",
        "children": (),
    }
    assert [(case["kind"], case["label"]) for case in told["children"]] == [
        ("case", "approved | 1"),
        ("case", "rejected"),
        ("case", "default"),
    ]
    assert [node["name"] for node in told["children"][0]["children"]] == ["pay", "inform"]


def test_the_structure_of_what_is_asked():
    assert branch_on("status").structure(Claim.definition)["on"] == 'context key "status"'
    assert branch_on(lambda self: 1).structure(Claim.definition)["on"] == "callable"


def test_a_branch_is_run_like_a_step_without_retry():
    decide = Claim.decide
    assert (decide.is_async, decide.atomic, decide.at_most_once) == (False, False, False)
    assert (decide.timeout, decide.retry, decide.doc) == (None, None, "")
    assert Claim.definition.retry_of("decide") is NO_RETRY
    assert Claim.definition.retry_of("pay") == Retry(7)


def test_a_branch_is_frozen_with_its_class():
    for node in (Claim.decide, Claim.decide.children[0]):
        with pytest.raises(AttributeError, match="its class is complete"):
            node.is_default = True


def test_branches_nest():
    class W(Workflow):
        with branch(on="a") as outer:
            with outer.case(1):
                with branch(on="b") as inner, inner.case(1):

                    @step
                    def deep(self): ...

            with outer.default(), loop(until="c") as again:

                @step
                def poll(self): ...

    assert W.definition.chain_of("deep") == ("outer", "1", "inner", "1")
    assert W.definition.chain_of("poll") == ("outer", "default", "again")


def test_two_branches_may_have_cases_for_the_same_value():
    class W(Workflow):
        with branch(on="a") as one, one.case("x"):

            @step
            def first(self): ...

        with branch(on="b") as two, two.case("x"):

            @step
            def second(self): ...

    assert W.one.case_for("x") is not W.two.case_for("x")


def test_the_label_of_a_case_takes_no_name_away():
    class W(Workflow):
        with branch(on="a") as decide, decide.case("rate"):

            @step
            def first(self): ...

        rate = 3

    assert W.rate == 3


# Which case


def test_a_value_takes_its_case():
    decide = Claim.decide
    assert decide.case_for("approved") is decide.case_for(1) is decide.children[0]
    assert decide.case_for("rejected") is decide.children[1]
    assert decide.case_for("else") is decide.children[2]
    assert decide.case_labelled("approved | 1") is decide.children[0]
    assert decide.case_labelled("default") is decide.children[2]
    assert decide.case_labelled("approved") is None


def test_the_body_gives_the_label():
    assert Claim.decide.body(Run(outputs={"approve": "approved"})) == "approved | 1"
    assert Claim.decide.body(Run(outputs={"approve": None})) == "default"


def test_without_a_default_nothing_may_match():
    assert branch_on("key").body(Run({"key": "no"})) is None
    assert branch_on("key").case_for("no") is None


@pytest.mark.parametrize("value", ["", "1", 1, 0, True, False, None, 1.5, "true", "null", "1.5"])
def test_values_match_by_json_type(value):
    values = ["", "1", 1, 0, True, False, None, 1.5, "true", "null", "1.5"]
    decide = case_of_each(values)
    assert decide.case_for(value).values[0] is value


def case_of_each(values):
    class W(Workflow):
        with branch(on="key") as decide:
            for number, value in enumerate(values):
                with decide.case(value):
                    locals()[f"step_{number}"] = step(nothing)

    return W.decide


def test_a_whole_float_is_the_same_number():
    decide = case_of_each([1])
    assert decide.case_for(1.0) is decide.children[0]
    assert decide.case_for(True) is None


@pytest.mark.parametrize("value", [[], {}, ["yes"], object(), math.nan, math.inf, b"yes"])
def test_what_no_case_can_name_takes_the_default(value):
    assert Claim.decide.case_for(value) is Claim.decide.children[2]
    assert branch_on("key").case_for(value) is None


class Answer(models.TextChoices):
    YES = "yes"


class Plain(str, enum.Enum):  # noqa: UP042
    YES = "yes"


class Level(enum.IntEnum):
    ONE = 1


def test_members_of_an_enum_are_their_values():
    decide = case_of_each([Answer.YES, Level.ONE])
    assert [case.label for case in decide.children] == ["yes", "1"]
    assert [type(case.values[0]) for case in decide.children] == [str, int]
    for value in ("yes", Answer.YES, Plain.YES):
        assert decide.case_for(value) is decide.children[0]
    assert decide.case_for(Level.ONE) is decide.case_for(1) is decide.children[1]


def test_labels_are_words_and_no_two_are_alike():
    values = [
        *("approved", "in progress", "zürich", "1", 1, "true", True, "null", None, 1.5, "1.5", ""),
        *(" x", "default", "a | b", '"q"', "\ud800", "a\x00", "{}", "-"),
    ]
    labels = [case.label for case in case_of_each(values).children]
    assert labels == [
        *("approved", "in progress", "zürich", '"1"', "1", '"true"', "true", '"null"', "null"),
        *("1.5", '"1.5"', '""', '" x"', '"default"', '"a | b"', r'"\"q\""', r'"\ud800"'),
        *(r'"a\u0000"', "{}", "-"),
    ]


# Inheritance


def test_a_step_in_a_case_is_redefined_in_its_place():
    class W(Claim):
        @step
        def refuse(self):
            return "kindly"

    assert W.definition.next_of("decide") == "close"
    assert W.definition.chain_of("refuse") == ("decide", "rejected")
    assert W.decide.case_for("rejected").children == (W.refuse,)
    assert Claim.decide.case_for("rejected").children == (Claim.refuse,)
    assert W.decide is not Claim.decide
    assert W.refuse.block.block is W.decide
    assert W.decide.body(Run(outputs={"approve": "rejected"})) == "rejected"


def test_a_step_in_a_case_is_taken_out():
    class W(Claim):
        inform = None

    assert [node.name for node in W.decide.case_for(1).children] == ["pay"]


def test_the_last_step_of_a_case_cannot_be_taken_out():
    with told("W: nothing is left in the case Claim.rejected; take the branch out as a whole"):

        class W(Claim):  # here
            refuse = None


def test_a_branch_is_taken_out_as_a_whole():
    class W(Claim):
        decide = None

    assert list(W.definition.nodes) == ["approve", "close"]


def test_a_branch_is_redefined_as_a_whole():
    class W(Claim):
        with branch(on=Claim.approve) as decide, decide.case("approved"):

            @step
            def pay(self): ...

    assert list(W.definition.nodes) == ["approve", "decide", "pay", "close"]
    assert W.decide.case_for("rejected") is None


def test_a_branch_is_not_reopened():
    with told("Claim.decide: the branch is closed; a block is not opened a second time"):

        class W(Claim):
            with Claim.decide:  # here

                @step
                def wait(self): ...


def test_a_branch_is_redefined_by_a_branch_only():
    with told("W.decide: Claim.decide is a branch, and a step cannot take its place"):

        class W(Claim):
            @step  # here
            def decide(self): ...
