"""Branches and their cases: which case a value takes, and every mistake one can make."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import enum
import functools
import math
import sys

import pytest
from django.db import models

import durable_django as durable
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


# What is asked


def test_a_branch_asks_a_node_by_its_output():
    assert Claim.decide.body(Run(outputs={"approve": 1})) == "approved | 1"
    with pytest.raises(KeyError):
        Claim.decide.body(Run())


def test_a_branch_asks_a_context_key():
    assert branch_on("key").body(Run({"key": "yes"})) == "yes"
    with pytest.raises(KeyError):
        branch_on("key").body(Run())


class Asks:
    def __call__(self, run):
        return run.context["key"]

    async def wait(self, run): ...

    def nothing(self): ...


class AsksLater:
    async def __call__(self, run): ...


def choose(run, key="key"):
    return run.context[key]


@pytest.mark.parametrize(
    "given",
    [
        choose,
        lambda self: self.context["key"],
        lambda *runs: runs[0].context["key"],
        functools.partial(choose, key="key"),
        Asks(),
        staticmethod(choose),
    ],
)
def test_a_branch_asks_a_callable(given):
    assert branch_on(given).body(Run({"key": "yes"})) == "yes"


def test_a_branch_asks_a_method_of_the_class():
    class W(Workflow):
        def chosen(self):
            return self.context["key"]

        with branch(on=chosen) as decide, decide.case("yes"):

            @step
            def pay(self): ...

    assert W.decide.body(Run({"key": "yes"})) == "yes"


def test_a_callable_in_c_without_a_signature_is_taken():
    assert branch_on(vars).body(Run({"key": 1})) is None


def test_a_coroutine_is_no_answer():
    decide = branch_on(lambda self: Asks().wait(self))
    with pytest.raises(TypeError, match="on gave a coroutine; it is asked without await"):
        decide.body(Run())


def test_the_node_asked_may_be_the_bases():
    class A(Workflow):
        @step
        def approve(self): ...

    class B(A):
        @step
        def approve(self): ...

    class C(B):
        with branch(on=A.approve) as decide, decide.case("yes"):

            @step
            def pay(self): ...

    assert C.decide.body(Run(outputs={"approve": "yes"})) == "yes"


# Mistakes in what is asked


@pytest.mark.parametrize("given", [None, 3, True, ["a"], object(), classmethod(choose)])
def test_on_is_one_of_three_shapes(given):
    with told("W: on is a node of this workflow, a callable(self) or a context key", "not "):

        class W(Workflow):
            with branch(on=given) as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...


@pytest.mark.parametrize("given", [Asks().wait, AsksLater(), functools.partial(Asks().wait)])
def test_on_is_no_async_def(given):
    with told("W: on is an async def, and it is asked without await; make it a plain def"):

        class W(Workflow):
            with branch(on=given) as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...


def generator(run):
    yield "yes"


def test_on_is_no_generator():
    with told("W: on is a generator"):

        class W(Workflow):
            with branch(on=generator) as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...


@pytest.mark.parametrize(
    "given",
    [
        lambda: "yes",
        lambda self, other: "yes",
        lambda self, *, key: "yes",
        lambda *, key: "yes",
        Asks().nothing,
    ],
)
def test_on_takes_the_run_and_nothing_else(given):
    with told("W: on takes other arguments", "callable(self)"):

        class W(Workflow):
            with branch(on=given) as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...


def test_on_is_a_node_of_this_workflow():
    with told("W: on is a node of Claim, whose output no run of W has"):

        class W(Workflow):
            with branch(on=Claim.approve) as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...


def test_a_branch_cannot_ask_a_block_around_it():
    with told("W.decide: on asks for again, which cannot have completed by then"):

        class W(Workflow):
            with loop(until="done") as again:
                with branch(on=again) as decide, decide.case("yes"):  # here

                    @step
                    def pay(self): ...


def test_a_branch_cannot_ask_a_node_inside_it():
    class Free(Claim):
        approve = None
        decide = None

    with told("W.again: on asks for approve, which cannot have completed by then"):

        class W(Free):
            with branch(on=Claim.approve) as again, again.case("yes"):  # here

                @step
                def approve(self): ...


def test_the_node_asked_may_not_be_taken_out():
    with told("W: in the branch Claim.decide, on asks for approve, which this class has taken out"):

        class W(Claim):  # here
            approve = None


# Mistakes in the cases


def test_a_step_directly_under_a_branch_is_told():
    with told("W.pay: a step cannot stand directly in a branch; put it below with decide.case(…):"):

        class W(Workflow):
            with branch(on="key") as decide:

                @step  # here
                def pay(self): ...


def test_a_block_directly_under_a_branch_is_told():
    with told("W: a loop cannot stand directly in a branch"):

        class W(Workflow):
            with branch(on="key") as decide, loop(until="done") as again:  # here

                @step
                def pay(self): ...


def test_a_case_without_a_value_is_told():
    with told("W.decide: a case has at least one value", "with decide.default():"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case():  # here

                    @step
                    def pay(self): ...


@pytest.mark.parametrize(
    ("first", "second"), [("a", "a"), (1, 1.0), (None, None), ("yes", Answer.YES)]
)
def test_a_value_has_one_case(first, second):
    with told("W.decide:", "has a case already, in line", "a value has one case"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case(first):

                    @step
                    def pay(self): ...

                with decide.case("other", second):  # here

                    @step
                    def refuse(self): ...


def test_a_value_stands_once_in_a_case():
    with told("W.decide: 'a' stands twice in this case"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a", "b", "a"):  # here

                    @step
                    def pay(self): ...


@pytest.mark.parametrize("value", [b"a", ("a",), {"a": 1}, object(), math.nan, math.inf, Answer])
def test_a_value_of_another_type_is_told(value):
    with told("W.decide: the values of a case are strings, finite numbers", "not "):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case(value):  # here

                    @step
                    def pay(self): ...


def test_a_list_of_values_is_told_how_to_write_them():
    with told("W.decide:", "not ['a', 'b']", 'write case("a", "b") for several'):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case(["a", "b"]):  # here

                    @step
                    def pay(self): ...


def test_a_second_default_is_told():
    with told("W.decide: the branch has a default already, in line"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.default():

                    @step
                    def pay(self): ...

                with decide.default():  # here

                    @step
                    def refuse(self): ...


@pytest.mark.parametrize("make", [lambda b: b.case("b"), lambda b: b.default()])
def test_a_case_after_its_branch_is_told(make):
    with told("W.decide: a ", "belongs inside its branch, below with branch(…) as decide:; that"):

        class W(Workflow):
            with branch(on="key") as decide, decide.case("a"):

                @step
                def pay(self): ...

            with make(decide):  # here

                @step
                def refuse(self): ...


def test_a_case_of_a_branch_that_is_not_open_is_told():
    with told("W.decide: a case belongs inside its branch, below with branch(…) as decide:"):

        class W(Workflow):
            decide = branch(on="key")
            with decide.case("a"):  # here

                @step
                def pay(self): ...


@pytest.mark.parametrize("make", [lambda b: b.case("b"), lambda b: b.default()])
def test_a_case_inside_another_is_told(make):
    with told("W.decide: a ", "stands directly in its branch, not in the case a inside it"):

        class W(Workflow):
            with branch(on="key") as decide, decide.case("a"):
                with make(decide):  # here

                    @step
                    def pay(self): ...


def test_a_case_inside_another_block_is_told():
    with told("W.decide: a case stands directly in its branch, not in the loop again inside it"):

        class W(Workflow):
            with branch(on="key") as decide, decide.case("a"), loop(until="done") as again:
                with decide.case("b"):  # here

                    @step
                    def pay(self): ...


def test_a_case_of_the_base_is_told():
    with told("Claim.decide: a case belongs inside its branch", "not opened a second time"):

        class W(Claim):
            with Claim.decide.case("later"):  # here

                @step
                def wait(self): ...


def test_a_case_outside_a_class_is_told():
    with told("a case stands outside a class"):
        Claim.decide.case("later")  # here


def test_a_case_that_is_never_opened_is_told():
    with told("W.decide: in the case b, the case is never opened; write with decide.case(…):"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a"):

                    @step
                    def pay(self): ...

                decide.case("b")  # here


def test_a_default_that_is_never_opened_is_told():
    with told("W.decide: in the case default, the case is never opened", "decide.default():"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a"):

                    @step
                    def pay(self): ...

                decide.default()  # here


def test_an_empty_case_is_told():
    with told("W.decide: in the case a, the case is empty"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a"):  # here
                    pass


def test_a_case_with_a_name_is_told():
    with told("W.yes names a case, which takes no name"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a") as yes:  # here

                    @step
                    def pay(self): ...


def test_an_empty_branch_is_told():
    with told("W.decide: the branch is empty"):

        class W(Workflow):
            with branch(on="key") as decide:  # here
                pass


def test_a_branch_with_a_default_alone_is_told():
    with told("W.decide: the branch has a default and no case"):

        class W(Workflow):
            with branch(on="key") as decide:  # here
                with decide.default():

                    @step
                    def pay(self): ...


def test_a_branch_without_a_name_is_told():
    with told("W: the branch has no name; write with branch(…) as name:"):

        class W(Workflow):
            with branch(on="key"):  # here
                with opened().case("a"):

                    @step
                    def pay(self): ...


def opened():
    """The branch of the class body around the caller."""
    return sys._getframe(1).f_locals.open_block


def test_a_branch_without_with_is_told():
    with told("W.decide: the branch is never opened; write with branch(…) as decide:"):

        class W(Workflow):
            decide = branch(on="key")  # here

            @step
            def pay(self): ...


def test_a_branch_cannot_have_a_reserved_name():
    with told('the name "branch" of a branch is reserved'):

        class W(Workflow):
            with durable.branch(on="key") as branch:  # here

                @step
                def pay(self): ...


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
