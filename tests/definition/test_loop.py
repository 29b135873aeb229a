"""Loops: when they go on, and every mistake one can make."""

import pytest

from durable_django import Workflow, loop, step
from durable_django.definition import registry
from durable_django.definition.flow import Loop
from durable_django.definition.retry import NO_RETRY, Retry
from tests.definition.runs import Run
from tests.definition.telling import told

with registry.isolate():

    class Polling(Workflow):
        class Meta:
            retry = Retry(7)

        @step
        def begin(self): ...

        with loop(until=lambda self: self.context["done"], max_iterations=100) as polling:

            @step
            def poll(self): ...
            @step
            def rest(self): ...

        with loop(while_="more") as draining:

            @step
            def drain(self): ...

        with loop(while_=begin) as again:

            @step
            def work(self): ...


# The plan


def test_a_loop_holds_nodes_in_order():
    definition = Polling.definition
    assert isinstance(Polling.polling, Loop)
    assert [node.name for node in Polling.polling.children] == ["poll", "rest"]
    assert definition.next_of("poll") == "rest"
    assert definition.next_of("rest") is None
    assert definition.next_of("polling") == "draining"
    assert definition.chain_of("poll") == ("polling",)


def test_until_is_asked_after_and_while_before():
    assert Polling.polling.tests_first is False
    assert Polling.draining.tests_first is True


def test_a_loop_has_a_limit():
    assert Polling.polling.max_iterations == 100
    assert Polling.draining.max_iterations == 1000


def test_the_structure_tells_the_test_and_the_limit():
    _, polling, draining, again = Polling.definition.structure()["nodes"]
    assert {**polling, "children": ()} == {
        "name": "polling",
        "kind": "loop",
        "until": "callable",
        "max_iterations": 100,
        "children": (),
    }
    assert [child["name"] for child in polling["children"]] == ["poll", "rest"]
    assert (draining["while"], draining["max_iterations"]) == ('context key "more"', 1000)
    assert again["while"] == "begin"


def test_a_loop_is_run_like_a_step_without_retry():
    polling = Polling.polling
    assert (polling.is_async, polling.atomic, polling.at_most_once) == (False, False, False)
    assert (polling.timeout, polling.retry, polling.doc) == (None, None, "")
    assert Polling.definition.retry_of("polling") is NO_RETRY
    assert Polling.definition.retry_of("poll") == Retry(7)


def test_loops_nest():
    class W(Workflow):
        with loop(until="a") as outer, loop(until="b") as inner:

            @step
            def deep(self): ...

    assert W.definition.chain_of("deep") == ("outer", "inner")


# Whether it goes on


@pytest.mark.parametrize("done", [True, 1, "yes", [0]])
def test_until_ends_when_true(done):
    assert Polling.polling.body(Run({"done": done})) is False


@pytest.mark.parametrize("done", [False, 0, "", None, []])
def test_until_goes_on_when_false(done):
    assert Polling.polling.body(Run({"done": done})) is True


@pytest.mark.parametrize(("more", "goes_on"), [(True, True), ("x", True), (0, False), ([], False)])
def test_while_goes_on_when_true(more, goes_on):
    assert Polling.draining.body(Run({"more": more})) is goes_on


def test_the_output_of_a_node_may_be_asked():
    assert Polling.again.body(Run(outputs={"begin": [1]})) is True
    assert Polling.again.body(Run(outputs={"begin": []})) is False


def test_what_is_missing_is_a_key_error():
    for asked in (Polling.polling, Polling.draining, Polling.again):
        with pytest.raises(KeyError):
            asked.body(Run())


def test_a_coroutine_is_no_answer():
    async def done(self): ...

    class W(Workflow):
        with loop(until=lambda self: done(self)) as polling:

            @step
            def poll(self): ...

    with pytest.raises(TypeError, match="until gave a coroutine"):
        W.polling.body(Run())


# Mistakes


def test_a_loop_without_a_test_is_told():
    with told("W: a loop needs to know when to stop", "loop(until=…)", "loop(while_=…)"):

        class W(Workflow):
            with loop() as polling:  # here

                @step
                def poll(self): ...


def test_a_loop_with_two_tests_is_told():
    with told("W: a loop has until= or while_=, not both"):

        class W(Workflow):
            with loop(until="done", while_="more") as polling:  # here

                @step
                def poll(self): ...


@pytest.mark.parametrize("option", ["until", "while_"])
@pytest.mark.parametrize("given", [True, 3, ["done"], object()])
def test_the_test_is_one_of_three_shapes(option, given):
    with told(f"W: {option} is a node of this workflow, a callable(self) or a context key"):

        class W(Workflow):
            with loop(**{option: given}) as polling:  # here

                @step
                def poll(self): ...


async def later(run): ...


@pytest.mark.parametrize("option", ["until", "while_"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (later, "is an async def"),
        (lambda: True, "takes other arguments"),
        (Polling.begin, "is a node of Polling"),
    ],
)
def test_the_test_is_checked_as_a_branchs_is(option, given, words):
    with told(f"W: {option} {words}"):

        class W(Workflow):
            with loop(**{option: given}) as polling:  # here

                @step
                def poll(self): ...


@pytest.mark.parametrize("limit", [0, -1])
def test_max_iterations_is_at_least_one(limit):
    with told(f"W: max_iterations is at least 1, not {limit}"):

        class W(Workflow):
            with loop(until="done", max_iterations=limit) as polling:  # here

                @step
                def poll(self): ...


@pytest.mark.parametrize("limit", [None, True, 1.0, "10"])
def test_max_iterations_is_a_whole_number(limit):
    with told("W: max_iterations is a whole number, not "):

        class W(Workflow):
            with loop(until="done", max_iterations=limit) as polling:  # here

                @step
                def poll(self): ...


def test_a_loop_cannot_ask_a_loop_around_it():
    with told("W.inner: until asks for outer, which cannot have completed by then"):

        class W(Workflow):
            with loop(until="done") as outer, loop(until=outer) as inner:  # here

                @step
                def poll(self): ...


class Without(Polling):
    begin = None
    again = None


def test_while_cannot_ask_a_node_inside_the_loop():
    with told("W.more: while_ asks for begin, which cannot have completed by then"):

        class W(Without):
            with loop(while_=Polling.begin) as more:  # here

                @step
                def begin(self): ...


def test_until_may_ask_a_node_inside_the_loop():
    class W(Without):
        with loop(until=Polling.begin) as more:

            @step
            def begin(self): ...

    assert W.more.body(Run(outputs={"begin": True})) is False


def test_an_empty_loop_is_told():
    with told("W.polling: the loop is empty"):

        class W(Workflow):
            with loop(until="done") as polling:  # here
                pass


def test_a_loop_without_a_name_is_told():
    with told("W: the loop has no name; write with loop(…) as name:"):

        class W(Workflow):
            with loop(until="done"):  # here

                @step
                def poll(self): ...


def test_a_loop_without_with_is_told():
    with told("W.polling: the loop is never opened; write with loop(…) as polling:"):

        class W(Workflow):
            polling = loop(until="done")  # here

            @step
            def poll(self): ...


def test_a_loop_outside_a_class_is_told():
    with told("a loop stands outside a class"):
        loop(until="done")  # here


# Inheritance


def test_a_step_in_a_loop_is_redefined_in_its_place():
    class W(Polling):
        @step
        def poll(self): ...

    assert W.polling.children == (W.poll, W.rest)
    assert Polling.polling.children == (Polling.poll, Polling.rest)
    assert (W.polling.max_iterations, W.polling.tests_first) == (100, False)
    assert W.polling.body(Run({"done": True})) is False
    assert W.draining is Polling.draining


def test_the_last_step_of_a_loop_cannot_be_taken_out():
    with told("W: nothing is left in the loop Polling.draining; take it out as a whole"):

        class W(Polling):  # here
            drain = None


def test_the_node_asked_may_not_be_taken_out():
    with told("W: in the loop Polling.again, while_ asks for begin, which this class has taken"):

        class W(Polling):  # here
            begin = None


def test_a_loop_is_not_reopened():
    with told("Polling.polling: the loop is closed"):

        class W(Polling):
            with Polling.polling:  # here

                @step
                def more(self): ...
