"""Every mistake one can make with a decision."""

import pytest

from durable_django import Workflow, branch, decision, loop, minutes, sequence, step
from durable_django.definition import registry
from durable_django.definition.retry import Retry
from durable_django.exceptions import DefinitionError
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


# Mistakes in the targets


def test_a_bare_decision_is_told():
    with told('W.choose: a decision says where it may jump to: write @decision(to=["pay_out"])'):

        class W(Workflow):
            @decision  # here
            def choose(self): ...


@pytest.mark.parametrize("options", [{}, {"to": []}, {"to": ()}])
def test_a_decision_without_a_target_is_told(options):
    with told("W.choose: a decision says where it may jump to"):

        class W(Workflow):
            @decision(**options)  # here
            def choose(self): ...


@pytest.mark.parametrize("to", ["pay", 3, None, {"pay"}, {"pay": 1}, iter(["pay"])])
def test_the_targets_are_a_list(to):
    with told("W.choose: to is a list of nodes or their names", "not "):

        class W(Workflow):
            @decision(to=to)  # here
            def choose(self): ...
            @step
            def pay(self): ...


def test_a_single_node_is_no_list():
    with told("W.choose: to is a list of nodes or their names"):

        class W(Workflow):
            @step
            def pay(self): ...
            @decision(to=pay)  # here
            def choose(self): ...


@pytest.mark.parametrize("target", [3, None, ["pay"], len])
def test_a_target_is_a_node_or_a_name(target):
    with told("W.choose: a target in to is a node or its name, not "):

        class W(Workflow):
            @decision(to=["pay", target])  # here
            def choose(self): ...
            @step
            def pay(self): ...


def test_a_target_of_another_workflow_is_told():
    with told("W.choose: Claim.collect in to is a node of Claim"):

        class W(Workflow):
            @decision(to=[Claim.collect])  # here
            def choose(self): ...
            @step
            def collect(self): ...


def test_a_target_without_a_name_is_told():
    with told("W.choose: the case in to has no name"):

        class W(Workflow):
            with branch(on="key") as decide:
                yes = []
                with decide.case("yes"):
                    yes.append(decide.children[0])

                    @step
                    def pay(self): ...

            @decision(to=yes)  # here
            def choose(self): ...


def test_a_target_twice_is_told():
    with told('W.choose: "pay" stands twice in to'):

        class W(Workflow):
            @step
            def pay(self): ...

            @decision(to=[pay, "pay"])  # here
            def choose(self): ...


def test_an_unknown_target_is_told():
    with told('W.choose: there is no node "pya_out" to jump to; did you mean "pay_out"?'):

        class W(Workflow):
            @decision(to=["pya_out"])  # here
            def choose(self): ...
            @step
            def pay_out(self): ...


def test_only_what_it_may_jump_to_is_proposed():
    with pytest.raises(DefinitionError, match=r'there is no node "chose" to jump to \('):

        class W(Workflow):
            @decision(to=["chose"])
            def choose(self): ...

            with sequence() as both:

                @step
                def chosen(self): ...


def test_a_decision_that_jumps_to_itself_is_told():
    with told("W.choose: it jumps to itself"):

        class W(Workflow):
            @decision(to=["choose"])  # here
            def choose(self): ...


def test_a_jump_out_of_its_block_is_told():
    with told(
        "W.choose: pay stands outside of any block and choose in the loop again; "
        "a jump stays in its own block"
    ):

        class W(Workflow):
            @step
            def pay(self): ...

            with loop(until="done") as again:

                @decision(to=["pay"])  # here
                def choose(self): ...


def test_a_jump_into_a_block_is_told():
    with told("W.choose: pay stands in the sequence both and choose outside of any block"):

        class W(Workflow):
            @decision(to=["pay"])  # here
            def choose(self): ...

            with sequence() as both:

                @step
                def pay(self): ...


def test_a_jump_into_another_case_is_told():
    with told("W.choose: pay stands in the case b and choose in the case a"):

        class W(Workflow):
            with branch(on="key") as way:
                with way.case("a"):

                    @decision(to=["pay"])  # here
                    def choose(self): ...

                with way.case("b"):

                    @step
                    def pay(self): ...


def test_a_jump_to_its_own_block_is_told():
    with told("W.choose: again stands outside of any block and choose in the loop again"):

        class W(Workflow):
            with loop(until="done") as again:

                @decision(to=["again"])  # here
                def choose(self): ...


# Mistakes in the rest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_visits": 0}, "max_visits is at least 1, not 0"),
        ({"max_visits": True}, "max_visits is a whole number, not True"),
        ({"max_visits": None}, "max_visits is a whole number, not None"),
        ({"retry": 3}, "retry is a Retry"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "1"}, "timeout"),
    ],
)
def test_options_are_checked(options, words):
    with told(f"W.choose: {words}"):

        class W(Workflow):
            @step
            def pay(self): ...
            @decision(to=["pay"], **options)  # here
            def choose(self): ...


@pytest.mark.parametrize("option", ["atomic", "at_most_once"])
def test_a_decision_has_no_options_about_effects(option):
    with pytest.raises(TypeError, match=option):
        decision(to=["pay"], **{option: True})


def test_a_decision_takes_self_and_nothing_else():
    with told("W.choose: a decision takes self and nothing else, not (self, other)"):

        class W(Workflow):
            @decision(to=["pay"])  # here
            def choose(self, other): ...


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (lambda self: None, "a lambda cannot be a decision; write @decision above a def"),
        (3, "@decision takes a function, not 3"),
        (staticmethod(len), "a decision is a plain method, not a staticmethod"),
    ],
)
def test_a_decision_is_a_function(body, words):
    with told("W", words):

        class W(Workflow):
            choose = decision(to=["pay"])(body)  # here


def test_a_decision_cannot_yield():
    with told("W.choose: a decision returns its output; it cannot yield"):

        class W(Workflow):
            @decision(to=["pay"])  # here
            def choose(self):
                yield "pay"


def test_a_decorator_above_a_decision_is_told():
    with told("W.choose: @staticmethod hides the decision", "@decision comes first"):

        class W(Workflow):
            @staticmethod
            @decision(to=["pay"])  # here
            def choose(self): ...


def test_a_decision_cannot_have_a_reserved_name():
    with told('the name "loop" of a decision is reserved'):

        class W(Workflow):
            @decision(to=["pay"])  # here
            def loop(self): ...


def test_a_decision_outside_a_class_is_told():
    with told("a decision stands outside a class"):
        decision(to=["pay"])(test_a_bare_decision_is_told)  # here


def test_a_decision_directly_under_a_branch_is_told():
    with told("W.choose: a decision cannot stand directly in a branch"):

        class W(Workflow):
            with branch(on="key") as way:

                @decision(to=["pay"])  # here
                def choose(self): ...
