"""Steps: what may be one, and what a node is once its class is complete."""

import asyncio
import functools
from contextlib import contextmanager

import pytest

from durable_django.definition import registry
from durable_django.definition.durations import minutes
from durable_django.definition.nodes import Step, step
from durable_django.definition.retry import Retry
from durable_django.definition.workflow import Workflow
from durable_django.exceptions import NodeCalled
from tests.definition.telling import told


def plain(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


with registry.isolate():

    class Order(Workflow):
        @step
        def validate(self):
            """Refuses what cannot be sold.

            In some detail.
            """
            return "valid"

        @step(retry=Retry(5), timeout=minutes(5), at_most_once=True)
        async def charge(self):
            return "charged"

        @step(atomic=True)
        def book(self): ...


def test_a_step_knows_what_it_was_given():
    validate, charge, book = Order.validate, Order.charge, Order.book
    assert (validate.name, validate.kind, validate.doc) == (
        "validate",
        "step",
        "Refuses what cannot be sold.",
    )
    assert (validate.retry, validate.timeout, validate.is_async) == (None, None, False)
    assert (charge.retry, charge.timeout, charge.is_async) == (Retry(5), 300.0, True)
    assert (charge.at_most_once, charge.atomic) == (True, False)
    assert (book.at_most_once, book.atomic, book.doc) == (False, True, "")
    assert validate.block is None
    assert validate.order < charge.order < book.order


def test_a_step_knows_where_it_was_written():
    assert Order.validate.filename == __file__
    assert Order.validate.line == Order.validate.body.__code__.co_firstlineno


def test_the_class_gives_the_node_and_the_body_is_a_function_of_the_run():
    assert isinstance(Order.validate, Step)
    run = Order._for_attempt(None)
    assert Order.validate.body(run) == "valid"
    assert asyncio.run(Order.charge.body(run)) == "charged"


def test_a_step_looks_like_its_function():
    assert Order.validate.__name__ == "validate"
    assert Order.validate.__doc__.startswith("Refuses")
    assert Order.validate.__wrapped__ is Order.validate.body
    assert repr(Order.validate) == "<step Order.validate>"


def test_a_node_cannot_change_once_its_class_is_complete():
    with pytest.raises(AttributeError, match="its class is complete"):
        Order.validate.timeout = 5


def test_a_step_may_be_made_from_a_function_that_stands_elsewhere():
    def shared(self):
        return 1

    class W(Workflow):
        first = step(shared)
        second = step(timeout=3)(shared)
        third = step()(shared)

    assert list(W.definition.nodes) == ["first", "second", "third"]
    assert W.second.timeout == 3.0


def test_a_function_called_in_the_class_body_may_make_the_step():
    def numbered(number):
        def body(self):
            return number

        return step(body)

    class W(Workflow):
        one = numbered(1)
        two = numbered(2)

    assert [node.body(None) for node in W.definition.top] == [1, 2]


def test_a_decorator_below_step_is_fine():
    class W(Workflow):
        @step
        @plain
        def charge(self):
            return 1

    assert W.charge.body(None) == 1


# Calling a node


def test_calling_another_node_raises_and_says_what_to_read():
    run = Order._for_attempt(None)
    with pytest.raises(NodeCalled, match=r'self\.outputs\["charge"\]'):
        run.charge()
    with pytest.raises(NodeCalled):
        run.validate("with", arguments=True)


def test_reading_a_node_as_if_it_were_its_output_raises():
    run = Order._for_attempt(None)
    for misread in (
        lambda: bool(run.charge),
        lambda: run.charge == "charged",
        lambda: list(run.charge),
        lambda: run.charge["id"],
    ):
        with pytest.raises(NodeCalled, match="is the node, not what it gave"):
            misread()
    assert repr(run.charge) == "<the node Order.charge>"


def test_calling_the_node_of_the_class_names_the_test_kit():
    with pytest.raises(NodeCalled, match=r"testing\.run_step\(Order\.charge\)"):
        Order.charge()


def test_looking_for_an_attribute_of_the_run_calls_nothing():
    assert hasattr(Order._for_attempt(None), "charge")


# What cannot be a step


def test_atomic_and_async_exclude_each_other():
    with told("W.charge: atomic=True does not go with async def"):

        class W(Workflow):
            @step(atomic=True)  # here
            async def charge(self): ...


def test_atomic_and_at_most_once_exclude_each_other():
    with told("W.charge: atomic=True and at_most_once=True exclude each other"):

        class W(Workflow):
            @step(atomic=True, at_most_once=True)  # here
            def charge(self): ...


def _none(): ...
def _one_more(self, order): ...
def _default(self, order=None): ...
def _default_self(self=None): ...
def _args(self, *args): ...
def _only_args(*args): ...
def _kwargs(self, **kwargs): ...
def _keyword(self, *, order): ...
def _other(order): ...


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (_none, "not ()"),
        (_one_more, "not (self, order)"),
        (_default, "not (self, order=…)"),
        (_default_self, "not (self=…)"),
        (_args, "not (self, *args)"),
        (_only_args, "not (*args) (a decorator below @step should use functools.wraps)"),
        (_kwargs, "not (self, **kwargs)"),
        (_keyword, "not (self, *, order)"),
        (_other, "not (order)"),
        (plain(_one_more), "not (self, order)"),
    ],
)
def test_a_step_takes_self_and_nothing_else(function, shown):
    with told("a step takes self and nothing else", shown, "self.input"):

        class W(Workflow):
            charge = step(function)  # here


def test_a_positional_only_self_is_self():
    class W(Workflow):
        @step
        def charge(self, /): ...

    assert list(W.definition.nodes) == ["charge"]


def test_annotations_are_not_evaluated():
    def charge(self) -> "Nowhere": ...  # noqa: F821

    class W(Workflow):
        node = step(charge)

    assert W.node.body is charge


@pytest.mark.parametrize("binder", [staticmethod, classmethod, property])
def test_a_bound_thing_below_step_is_refused(binder):
    with told(f"a step is a plain method, not a {binder.__name__}"):

        class W(Workflow):
            @step  # here
            @binder
            def charge(self): ...


@pytest.mark.parametrize("binder", [staticmethod, classmethod, property])
def test_a_bound_thing_above_step_is_refused(binder):
    with told("W.charge: ", f"@{binder.__name__} hides the step"):

        class W(Workflow):
            @binder
            @step  # here
            def charge(self): ...


def test_a_lambda_cannot_be_a_step():
    with told("a lambda cannot be a step"):

        class W(Workflow):
            charge = step(lambda self: 1)  # here


@pytest.mark.parametrize(
    "thing", [3, "charge", print, functools.partial(print), int, None.__class__]
)
def test_what_is_no_function_cannot_be_a_step(thing):
    with told("@step takes a function"):

        class W(Workflow):
            charge = step(thing)  # here


def test_a_generator_cannot_be_a_step():
    with told("W.charge: a step returns its output; it cannot yield"):

        class W(Workflow):
            @step  # here
            def charge(self):
                yield 1


def test_an_async_generator_cannot_be_a_step():
    with told("it cannot yield"):

        class W(Workflow):
            @step  # here
            async def charge(self):
                yield 1


def test_a_wrapper_around_a_generator_may_be_one():
    def collected(function):
        @functools.wraps(function)
        def wrapper(self):
            return list(function(self))

        return wrapper

    class W(Workflow):
        @step
        @collected
        def charge(self):
            yield from (1, 2)

    assert W.charge.body(None) == [1, 2]


def test_a_plain_decorator_above_step_is_told():
    with told("W.charge: the decorator above it hides the step", "@step comes first"):

        class W(Workflow):
            @plain
            @step  # here
            def charge(self): ...


def test_any_other_wrapper_above_step_is_told():
    with told("the decorator above it hides the step"):

        class W(Workflow):
            @contextmanager
            @step  # here
            def charge(self): ...


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"retry": 3}, "retry is a Retry, like Retry(max_attempts=3), not 3"),
        ({"retry": Retry}, "retry is a Retry"),
        ({"timeout": "5m"}, "timeout is a timedelta or a number of seconds, not '5m'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": -1}, "timeout is negative"),
        ({"timeout": True}, "timeout is a timedelta"),
        ({"atomic": 1}, "atomic is True or False"),
        ({"at_most_once": None}, "at_most_once is True or False"),
    ],
)
def test_a_wrong_option_of_a_step_is_told(option, words):
    with told("W.charge: ", words):

        class W(Workflow):
            @step(**option)  # here
            def charge(self): ...


def test_an_unknown_option_of_a_step_is_a_type_error():
    with pytest.raises(TypeError, match="retries"):

        class W(Workflow):
            @step(retries=3)
            def charge(self): ...
