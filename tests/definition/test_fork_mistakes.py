"""Every mistake one can make with a parallel or a race."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

import durable_django as durable
from durable_django import Workflow, branch, decision, parallel, race, step
from durable_django.definition import registry
from tests.definition.telling import told

with registry.isolate():

    class Report(Workflow):
        with parallel() as fetch:

            @step
            def user(self): ...

        with race() as quote:

            @step
            def carrier(self): ...


KINDS = pytest.mark.parametrize(("make", "kind"), [(parallel, "parallel"), (race, "race")])


@KINDS
def test_a_fork_without_a_member_is_told(make, kind):
    with told(f"W.fetch: the {kind} is empty; put a node into it or take it away"):

        class W(Workflow):
            with make() as fetch:  # here
                pass


@KINDS
def test_a_fork_without_a_name_is_told(make, kind):
    with told(f"W: the {kind} has no name; write with {kind}(…) as name:"):

        class W(Workflow):
            with make():  # here

                @step
                def user(self): ...


@KINDS
def test_a_fork_without_with_is_told(make, kind):
    with told(f"W.fetch: the {kind} is never opened; write with {kind}(…) as fetch:"):

        class W(Workflow):
            fetch = make()  # here

            @step
            def user(self): ...


@KINDS
def test_a_fork_outside_a_class_is_told(make, kind):
    with told(f"a {kind} stands outside a class"):
        make()  # here


@KINDS
def test_a_fork_in_a_class_that_is_no_workflow_is_told(make, kind):
    with told(f"a {kind} stands in Mixin, which is no workflow class"):

        class Mixin:
            with make() as fetch:  # here
                pass


@KINDS
def test_a_fork_cannot_have_a_reserved_name(make, kind):
    with told(f'the name "{kind}" of a {kind} is reserved (it makes nodes)'):

        class W(Workflow):
            with make() as locals()[kind]:  # here

                @step
                def user(self): ...


@pytest.mark.parametrize("block", [Report.fetch, Report.quote])
def test_a_fork_of_the_base_is_not_reopened(block):
    with told(f"Report.{block.name}: the {block.kind} is closed"):

        class W(Report):
            with block:  # here

                @step
                def more(self): ...


def test_the_last_member_cannot_be_taken_out_alone():
    with told("W: nothing is left in the race Report.quote", "with quote = None"):

        class W(Report):  # here
            carrier = None


def test_a_race_cannot_take_the_place_of_a_parallel():
    with told("Report.fetch is a parallel, and a race cannot take its place"):

        class W(Report):
            with race() as fetch:  # here

                @step
                def user(self): ...


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("colect", "not 'colect'; did you mean \"collect\"?"),
        ("fail-fast", "not 'fail-fast'; did you mean \"fail_fast\"?"),
        ("", "not ''"),
        (None, "not None"),
        (True, "not True"),
        (["collect"], "not ['collect']"),
    ],
)
def test_on_error_is_one_of_two_words(given, shown):
    with told('W: on_error is "fail_fast" or "collect", ' + shown):

        class W(Workflow):
            with parallel(on_error=given) as fetch:  # here

                @step
                def user(self): ...


@pytest.mark.parametrize("option", ["concurrency", "tolerate", "items"])
def test_a_parallel_has_no_options_of_a_foreach(option):
    with pytest.raises(TypeError, match=option):
        parallel(**{option: 1})


def test_a_race_has_no_options():
    with pytest.raises(TypeError, match="on_error"):
        race(on_error="collect")


@KINDS
def test_a_decision_directly_in_a_fork_is_told(make, kind):
    with told(
        f"W.choose: a decision cannot stand directly in a {kind}",
        "run at the same time",
        "with sequence() as name:",
    ):

        class W(Workflow):
            with make() as fetch:

                @step
                def user(self): ...
                @decision(to=[user])  # here
                def choose(self): ...


@KINDS
def test_a_case_stands_in_its_branch_and_not_in_a_fork(make, kind):
    with told(f"W.decide: a case stands directly in its branch, not in the {kind} fetch inside it"):

        class W(Workflow):
            with branch(on="key") as decide, decide.case("a"):
                with durable.sequence() as both:

                    @step
                    def pay(self): ...

                    with make() as fetch:
                        with decide.case("b"):  # here

                            @step
                            def refuse(self): ...


@KINDS
def test_a_fork_directly_under_a_branch_is_told(make, kind):
    with told(f"W: a {kind} cannot stand directly in a branch; put it below with decide.case(…):"):

        class W(Workflow):
            with branch(on="key") as decide:
                with make() as fetch:  # here

                    @step
                    def pay(self): ...
