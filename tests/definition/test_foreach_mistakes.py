"""Every mistake one can make with a foreach."""

import math

import pytest

from durable_django import Workflow, foreach, step
from durable_django.definition import registry
from tests.definition.telling import told

with registry.isolate():

    class Mailing(Workflow):
        @step
        def recipients(self): ...

        with foreach(recipients) as sending:

            @step
            def send(self): ...


def test_an_empty_foreach_is_told():
    with told("W.sending: the foreach is empty"):

        class W(Workflow):
            with foreach("items") as sending:  # here
                pass


def test_a_foreach_without_a_name_is_told():
    with told("W: the foreach has no name; write with foreach(…) as name:"):

        class W(Workflow):
            with foreach("items"):  # here

                @step
                def send(self): ...


def test_a_foreach_without_with_is_told():
    with told("W.sending: the foreach is never opened; write with foreach(…) as sending:"):

        class W(Workflow):
            sending = foreach("items")  # here

            @step
            def send(self): ...


def test_a_foreach_outside_a_class_is_told():
    with told("a foreach stands outside a class"):
        foreach("items")  # here


def test_a_foreach_cannot_have_a_reserved_name():
    with told('the name "foreach" of a foreach is reserved'):

        class W(Workflow):
            with foreach("items") as locals()["foreach"]:  # here

                @step
                def send(self): ...


def test_a_foreach_of_the_base_is_not_reopened():
    with told("Mailing.sending: the foreach is closed"):

        class W(Mailing):
            with Mailing.sending:  # here

                @step
                def more(self): ...


def test_a_foreach_says_what_its_items_are():
    with pytest.raises(TypeError, match="items"):
        foreach()


async def later(run): ...


async def pages(run):
    yield 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], "is a node of this workflow, a callable(self) or a context key (a string), not ["),
        (range(3), "is a node of this workflow, a callable(self)"),
        (None, "is a node of this workflow, a callable(self)"),
        (later, "is an async def, and it is asked without await"),
        (pages, "is an async def, and it is asked without await"),
        (lambda: [1], "takes other arguments"),
        (Mailing.recipients, "is a node of Mailing, whose output no run of W has"),
    ],
)
def test_the_items_are_one_of_three_shapes(given, words):
    with told(f"W: items {words}"):

        class W(Workflow):
            with foreach(given) as sending:  # here

                @step
                def send(self): ...


@pytest.mark.parametrize("concurrency", [0, -1])
def test_concurrency_is_at_least_one(concurrency):
    with told(f"W: concurrency is at least 1, not {concurrency}"):

        class W(Workflow):
            with foreach("items", concurrency=concurrency) as sending:  # here

                @step
                def send(self): ...


@pytest.mark.parametrize("concurrency", [True, 1.0, "10", [1]])
def test_concurrency_is_a_whole_number(concurrency):
    with told("W: concurrency is a whole number, not "):

        class W(Workflow):
            with foreach("items", concurrency=concurrency) as sending:  # here

                @step
                def send(self): ...


def test_on_error_is_one_of_two_words():
    with told('W: on_error is "fail_fast" or "collect", not \'fail\'; did you mean "fail_fast"?'):

        class W(Workflow):
            with foreach("items", on_error="fail") as sending:  # here

                @step
                def send(self): ...


@pytest.mark.parametrize(
    ("tolerate", "words"),
    [
        (-1, "tolerate is at least 0, not -1"),
        (True, "tolerate is a number of items, or a fraction of them between 0.0 and 1.0, not T"),
        (
            "5%",
            "tolerate is a number of items, or a fraction of them between 0.0 and 1.0, not '5%'",
        ),
        (
            1.5,
            "tolerate is a fraction between 0.0 and 1.0 when it is a float, not 1.5; a number of",
        ),
        (-0.1, "tolerate is a fraction between 0.0 and 1.0 when it is a float, not -0.1"),
        (math.nan, "tolerate is a fraction between 0.0 and 1.0 when it is a float, not nan"),
        (math.inf, "tolerate is a fraction between 0.0 and 1.0 when it is a float, not inf"),
    ],
)
def test_tolerate_is_a_number_or_a_fraction(tolerate, words):
    with told(f"W: {words}"):

        class W(Workflow):
            with foreach("items", tolerate=tolerate) as sending:  # here

                @step
                def send(self): ...


def test_the_last_step_of_a_foreach_cannot_be_taken_out_alone():
    with told("W: nothing is left in the foreach Mailing.sending; take it out as a whole"):

        class W(Mailing):  # here
            send = None


def test_the_items_may_not_be_taken_out():
    with told("W: in the foreach Mailing.sending, items asks for recipients, which this class has"):

        class W(Mailing):  # here
            recipients = None
