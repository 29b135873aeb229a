"""What a block may ask for: a node that can have completed by then, seen from where it stands."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

from durable_django import Workflow, branch, decision, foreach, loop, parallel, race, sequence, step
from durable_django.definition import registry
from tests.definition.runs import Run
from tests.definition.telling import told


def body(self): ...


with registry.isolate():

    class Base(Workflow):
        class Meta:
            abstract = True

        asked = step(body)


class Without(Base):
    class Meta:
        abstract = True

    asked = None


NEVER = "cannot have completed by then; ask for a node that stands before"


def test_a_node_that_stands_before_is_asked():
    class W(Workflow):
        with sequence() as both:
            asked = step(body)
        with foreach(asked) as sending:
            send = step(body)

    assert W.sending.body(Run(outputs={"asked": [1]})) == [1]


@pytest.mark.parametrize("make", [parallel, race])
def test_a_member_is_asked_after_its_fork(make):
    class W(Workflow):
        with make() as fetch:
            asked = step(body)
        with foreach(asked) as sending:
            send = step(body)

    assert W.sending.body(Run(outputs={"asked": [1]})) == [1]


def test_a_node_of_the_same_item_is_asked():
    class W(Workflow):
        with foreach("pages") as paging:
            asked = step(body)
            with foreach(asked) as reading:
                read = step(body)

    assert W.reading.body(Run(outputs={"asked": [1]})) == [1]


def test_a_foreach_cannot_ask_itself():
    with told(f"W.sending: items asks for sending, which {NEVER}"):

        class Old(Workflow):
            class Meta:
                abstract = True

            with foreach("items") as sending:
                send = step(body)

        class W(Old):
            with foreach(Old.sending) as sending:  # here
                send = step(body)


def test_a_foreach_cannot_ask_a_node_inside_it():
    with told(f"W.sending: items asks for asked, which {NEVER}"):

        class W(Without):
            with foreach(Base.asked) as sending:  # here
                asked = step(body)


def test_a_foreach_cannot_ask_a_node_behind_it():
    with told(f"W.sending: items asks for asked, which {NEVER}"):

        class W(Without):
            with foreach(Base.asked) as sending:  # here
                send = step(body)
            asked = step(body)


def test_a_branch_cannot_ask_a_node_behind_it():
    with told(f"W.decide: on asks for asked, which {NEVER}"):

        class W(Without):
            with branch(on=Base.asked) as decide, decide.case("a"):  # here
                pay = step(body)
            with sequence() as both:
                asked = step(body)


def test_in_a_loop_an_earlier_iteration_may_have_answered():
    class W(Without):
        with loop(until="done") as polling:
            with branch(on=Base.asked) as decide, decide.case("a"):
                pay = step(body)
            asked = step(body)

    assert W.decide.body(Run(outputs={"asked": "a"})) == "a"


def test_behind_the_loop_no_iteration_has_answered():
    with told(f"W.decide: on asks for asked, which {NEVER}"):

        class W(Without):
            with loop(until="done") as polling:
                with branch(on=Base.asked) as decide, decide.case("a"):  # here
                    pay = step(body)
            asked = step(body)


def test_a_jump_may_have_led_past_it():
    class W(Without):
        with branch(on=Base.asked) as decide, decide.case("a"):
            pay = step(body)
        asked = step(body)
        again = decision(to=[decide])(body)

    assert W.decide.body(Run(outputs={"asked": "a"})) == "a"


def test_a_jump_within_another_block_leads_nowhere_else():
    with told(f"W.decide: on asks for asked, which {NEVER}"):

        class W(Without):
            with branch(on=Base.asked) as decide, decide.case("a"):  # here
                pay = step(body)
            with sequence() as both:
                asked = step(body)
                again = decision(to=["asked"])(body)


def test_a_node_in_a_foreach_is_seen_in_its_item_only():
    with told("W.decide: on asks for asked, whose output is seen within its item of the foreach"):

        class W(Workflow):
            with foreach("items") as sending:
                asked = step(body)
            with branch(on=asked) as decide, decide.case("a"):  # here
                pay = step(body)


def test_a_node_in_a_foreach_is_not_seen_even_by_the_loop_around_it():
    with told("W.polling: until asks for asked, whose output is seen within its item"):

        class W(Without):
            with loop(until=Base.asked) as polling:  # here
                with foreach("items") as sending:
                    asked = step(body)


@pytest.mark.parametrize(("make", "kind"), [(parallel, "parallel"), (race, "race")])
def test_a_member_cannot_ask_a_node_beside_it(make, kind):
    with told(f"W.decide: on asks for asked, which runs at the same time, beside it in the {kind}"):

        class W(Workflow):
            with make() as fetch:
                with sequence() as both:
                    asked = step(body)
                with branch(on=asked) as decide, decide.case("a"):  # here
                    pay = step(body)


def test_a_case_cannot_ask_a_node_of_another_case():
    with told("W.again: on asks for asked, which stands in another case of the branch decide"):

        class W(Workflow):
            with branch(on="key") as decide:
                with decide.case("a"):
                    asked = step(body)
                with decide.case("b"):
                    with branch(on=asked) as again, again.case("c"):  # here
                        pay = step(body)


def test_in_a_loop_another_case_may_have_been_taken_before():
    class W(Workflow):
        with loop(until="done") as polling, branch(on="key") as decide:
            with decide.case("a"):
                asked = step(body)
            with decide.case("b"):
                with branch(on=asked) as again, again.case("c"):
                    pay = step(body)

    assert W.again.body(Run(outputs={"asked": "c"})) == "c"
