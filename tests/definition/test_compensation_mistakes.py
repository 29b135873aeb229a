"""Every mistake one can make with a compensation in one class."""

import functools

import pytest

from durable_django import Workflow, branch, decision, loop, sequence, step
from durable_django.definition import registry
from durable_django.definition.retry import Retry
from tests.definition.telling import told

with registry.isolate():

    class Order(Workflow):
        @step
        def charge(self): ...

        @charge.compensate
        def refund(self): ...


def body(self): ...


# The node it is for


def test_a_second_one_for_a_node_is_told():
    with told("W.again: charge has a compensation already, refund in line ", "; a node has one"):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate
            def refund(self): ...

            @charge.compensate  # here
            def again(self): ...


def test_one_for_another_is_told():
    with told("W.undo: refund is itself a compensation, of charge, and has none"):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate
            def refund(self): ...

            @refund.compensate(timeout=3)  # here
            def undo(self): ...


def test_one_for_the_bases_is_told():
    with told("W.undo: refund is itself a compensation, of charge, and has none"):

        class W(Order):
            @Order.refund.compensate  # here
            def undo(self): ...


def test_one_for_a_node_of_another_workflow_is_told():
    with told("W.refund: Order.charge is a node of Order, which no run of W comes to"):

        class W(Workflow):
            @step
            def charge(self): ...

            @Order.charge.compensate  # here
            def refund(self): ...


def test_one_for_a_case_is_told():
    with told("W.undo: a case has no compensation; give one to the branch decide"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a"):

                    @step
                    def pay(self): ...

                @decide.children[0].compensate  # here
                def undo(self): ...


def test_one_for_a_node_without_a_name_is_told():
    with told("W.body: the step it is for has no name yet; assign it to one first"):

        class W(Workflow):
            undo = step(body).compensate(body)  # here


def test_one_outside_a_class_is_told():
    with told("a compensation stands outside a class"):
        Order.charge.compensate(body)  # here


def test_one_in_a_class_that_is_no_workflow_is_told():
    with told("a compensation stands in Mixin, which is no workflow class"):

        class Mixin:
            @Order.charge.compensate  # here
            def undo(self): ...


# The function


def test_it_takes_self_and_nothing_else():
    with told("W.refund: a compensation takes self and nothing else, not (self, order)"):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate  # here
            def refund(self, order): ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda self: 1, "a lambda cannot be a compensation; write @charge.compensate above a def"),
        (3, "@charge.compensate takes a function, not 3"),
        (Retry(3), "@charge.compensate takes a function, not Retry("),
        (functools.partial(print), "@charge.compensate takes a function"),
        (staticmethod(body), "a compensation is a plain method, not a staticmethod"),
        (classmethod(body), "a compensation is a plain method, not a classmethod"),
        (property(body), "a compensation is a plain method, not a property"),
    ],
)
def test_it_is_a_function(function, words):
    with told("W", words):

        class W(Workflow):
            @step
            def charge(self): ...

            refund = charge.compensate(function)  # here


def test_it_cannot_yield():
    with told("W.refund: a compensation returns its output; it cannot yield"):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate  # here
            def refund(self):
                yield 1


def plain(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    ("wrapper", "shown"),
    [(plain, "the decorator above it"), (staticmethod, "@staticmethod"), (property, "@property")],
)
def test_a_decorator_above_it_is_told(wrapper, shown):
    with told(f"W.refund: {shown} hides the compensation", "@charge.compensate comes first"):

        class W(Workflow):
            @step
            def charge(self): ...

            @wrapper
            @charge.compensate  # here
            def refund(self): ...


def test_a_decorator_below_it_is_fine():
    class W(Workflow):
        @step
        def charge(self): ...

        @charge.compensate
        @plain
        def refund(self):
            return 1

    assert W.refund.body(None) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retry": 3}, "retry is a Retry, like Retry(max_attempts=3), not 3"),
        ({"timeout": "5m"}, "timeout is a timedelta or a number of seconds, not '5m'"),
        ({"timeout": 0}, "timeout is 0, so no attempt could ever complete"),
        ({"timeout": -1}, "timeout is negative"),
    ],
)
def test_a_wrong_option_is_told(options, words):
    with told(f"W.refund: {words}"):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate(**options)  # here
            def refund(self): ...


@pytest.mark.parametrize("option", ["atomic", "at_most_once"])
def test_it_has_no_options_about_effects(option):
    with pytest.raises(TypeError, match=option):
        Order.charge.compensate(**{option: True})


# The name


def test_one_without_a_name_is_told():
    with told("W.body: a compensation was made here but not assigned to a name of its own"):

        class W(Workflow):
            @step
            def charge(self): ...

            charge.compensate(body)  # here


def test_its_name_is_not_a_nodes():
    with told('W: the name "pay" of a compensation is taken: it names the step of line'):

        class W(Workflow):
            @step
            def charge(self): ...
            @step
            def pay(self): ...

            @charge.compensate  # here
            def pay(self): ...  # noqa: F811


def test_a_node_cannot_have_its_name():
    with told('W: the name "refund" of a step is taken: it names the compensation of line'):

        class W(Workflow):
            @step
            def charge(self): ...

            @charge.compensate
            def refund(self): ...

            @step  # here
            def refund(self): ...  # noqa: F811


@pytest.mark.parametrize("name", ["_refund", "finish", "parallel", "Meta"])
def test_its_name_is_as_free_as_a_nodes(name):
    with told(f'W: the name "{name}" of a compensation '):

        class W(Workflow):
            @step
            def charge(self): ...

            locals()[name] = charge.compensate(body)  # here


def test_a_compensation_is_no_child_that_fills_a_block():
    with told("W.both: the sequence is empty"):

        class W(Workflow):
            @step
            def charge(self): ...

            with sequence() as both:  # here

                @charge.compensate
                def refund(self): ...


def test_a_compensation_alone_is_no_workflow():
    with told("W: a workflow without a node does nothing"):

        class W(Order):  # here
            charge = None


# Where it cannot stand for a node


def test_nothing_asks_it():
    with told("W: until is a compensation, which gives no output"):

        class W(Order):
            with loop(until=Order.refund) as polling:  # here

                @step
                def poll(self): ...


def test_nothing_jumps_to_it():
    with told("W.choose: refund in to is a compensation, which has no place in the order"):

        class W(Order):
            @decision(to=[Order.refund])  # here
            def choose(self): ...


def test_nothing_jumps_to_its_name():
    with told('W.choose: there is no node "refund" to jump to'):

        class W(Order):
            @decision(to=["refund"])  # here
            def choose(self): ...
