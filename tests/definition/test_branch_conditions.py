"""What a branch asks: nodes, callables, context keys, and what it cannot ask."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import functools

import pytest

from durable_django import Workflow, branch, loop, step
from durable_django.definition import registry
from durable_django.definition.retry import Retry
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
