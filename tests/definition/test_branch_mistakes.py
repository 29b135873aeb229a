"""Every mistake one can make with the cases of a branch."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import math
import sys

import pytest
from django.db import models

import durable_django as durable
from durable_django import Workflow, branch, loop, step
from durable_django.definition import registry
from durable_django.definition.retry import Retry
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


class Answer(models.TextChoices):
    YES = "yes", "Yes"


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
