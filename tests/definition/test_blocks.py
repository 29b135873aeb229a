"""Blocks, with toy kinds: how they open, nest, close and are named. Real kinds only derive."""

import pytest

from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from tests.definition.examples import Claim, Trip
from tests.definition.telling import told
from tests.definition.toys import choice, group


def test_blocks_nest_and_keep_the_order():
    definition = Trip.definition
    assert [node.name for node in definition.top] == ["plan", "booking", "go"]
    assert [node.name for node in Trip.booking.children] == ["flight", "hotel", "car"]
    assert list(definition.nodes) == [
        "plan",
        "booking",
        "flight",
        "hotel",
        "room",
        "breakfast",
        "car",
        "go",
    ]


def test_a_node_knows_its_block():
    assert Trip.plan.block is None
    assert Trip.booking.block is None
    assert Trip.hotel.block is Trip.booking
    assert Trip.room.block is Trip.hotel
    assert (Trip.hotel.name, Trip.hotel.kind) == ("hotel", "group")


def test_what_follows_is_in_the_same_block():
    follows = {name: Trip.definition.next_of(name) for name in Trip.definition.nodes}
    assert follows == {
        "plan": "booking",
        "booking": "go",
        "flight": "hotel",
        "hotel": "car",
        "room": "breakfast",
        "breakfast": None,
        "car": None,
        "go": None,
    }


def test_the_chain_is_the_blocks_around_a_node():
    chain_of = Trip.definition.chain_of
    assert chain_of("go") == chain_of("booking") == ()
    assert chain_of("car") == ("booking",)
    assert chain_of("room") == ("booking", "hotel")


def test_the_structure_has_the_children():
    structure = Trip.definition.structure()["nodes"][1]
    assert (structure["name"], structure["kind"]) == ("booking", "group")
    assert [child["name"] for child in structure["children"]] == ["flight", "hotel", "car"]


def test_everything_in_a_block_is_frozen_with_the_class():
    for node in (Trip.booking, Trip.hotel, Trip.room):
        with pytest.raises(AttributeError, match="its class is complete"):
            node.name = "other"


def test_plain_attributes_may_stand_in_a_block():
    class W(Workflow):
        with group() as both:
            RATE = 3

            def helper(self):
                return self.RATE

            @step
            def charge(self): ...

    assert W._for_attempt(None).helper() == 3


def test_nodes_made_by_a_function_stand_in_the_open_block():
    def body(self): ...

    def made():
        return step(body)

    class W(Workflow):
        with group() as both:
            one = made()
            two = made()

    assert W.both.children == (W.one, W.two)


# A block with cases: what a branch will need


def test_a_block_may_do_without_a_name():
    assert list(Claim.definition.nodes) == ["decide", "pay", "refuse", "explain"]
    assert Claim.definition.chain_of("explain") == ("decide", "case no")
    assert Claim.definition.next_of("refuse") == "explain"
    assert Claim.definition.next_of("pay") is None
    cases = Claim.definition.structure()["nodes"][0]["children"]
    assert [case["value"] for case in cases] == ["yes", "no"]


def test_a_block_may_refuse_a_child():
    with told("W.charge: a step cannot stand directly in a choice"):

        class W(Workflow):
            with choice() as decide:

                @step  # here
                def charge(self): ...


def test_a_block_knows_when_it_is_closed():
    with told("W.decide: a case belongs inside its choice"):

        class W(Workflow):
            with choice() as decide, decide.case("yes"):  # here

                @step
                def pay(self): ...

            with decide.case("no"):

                @step
                def refuse(self): ...


# Mistakes


def test_a_block_without_a_name_is_told():
    with told("W: the group has no name; write with group(…) as name:"):

        class W(Workflow):
            with group():  # here

                @step
                def charge(self): ...


def test_a_block_without_with_is_told():
    with told("W.fetch: the group is never opened; write with group(…) as fetch:"):

        class W(Workflow):
            fetch = group()  # here

            @step
            def charge(self): ...


def test_a_block_that_is_only_made_is_told():
    with told("W: the group is never opened"):

        class W(Workflow):
            group()  # here

            @step
            def charge(self): ...


def test_a_block_is_opened_where_it_is_made():
    with told("W.fetch: open the group where it is made, with group(…) as fetch:"):

        class W(Workflow):
            fetch = group()
            with fetch:  # here

                @step
                def charge(self): ...


def test_a_block_is_not_opened_twice():
    with told("W.fetch: the group is closed; a block is not opened a second time"):

        class W(Workflow):
            with group() as fetch:

                @step
                def charge(self): ...

            with fetch:  # here

                @step
                def pay(self): ...


def test_a_block_is_not_opened_inside_itself():
    with told("W.fetch: open the group where it is made"):

        class W(Workflow):
            with group() as fetch, fetch:  # here

                @step
                def charge(self): ...


def test_an_empty_block_is_told():
    with told("W.fetch: the group is empty"):

        class W(Workflow):
            with group() as fetch:  # here
                pass


def test_a_block_closed_out_of_turn_is_told():
    with told("W.outer: a group was closed while a block inside it was still open"):

        class W(Workflow):
            outer = group().__enter__()  # here
            inner = group().__enter__()
            outer.__exit__(None, None, None)


def test_a_block_left_open_is_told():
    with told("the class body ended while this block was open"):

        class W(Workflow):
            fetch = group().__enter__()  # here

            @step
            def charge(self): ...


def test_a_name_is_unique_across_blocks():
    with told('the name "charge" of a step is taken'):

        class W(Workflow):
            with group() as one:

                @step
                def charge(self): ...

            with group() as two:

                @step  # here
                def charge(self): ...


def test_a_block_cannot_take_the_name_of_a_node_in_it():
    with told('the name "fetch" of a step is taken: it names the group'):

        class W(Workflow):
            with group() as fetch:

                @step  # here
                def fetch(self): ...


def test_a_block_cannot_have_a_reserved_name():
    with told('the name "parallel" of a group is reserved'):

        class W(Workflow):
            with group() as parallel:  # here

                @step
                def charge(self): ...


def test_a_second_name_for_a_block_is_told():
    with told("W.other is a second name for fetch"):

        class W(Workflow):
            with group() as fetch:

                @step
                def charge(self): ...

            other = fetch  # here


def test_a_block_outside_a_class_is_told():
    with pytest.raises(Exception, match="a group stands outside a class"):
        group()


def test_an_error_inside_a_block_is_the_one_that_shows():
    with pytest.raises(ZeroDivisionError):

        class W(Workflow):
            with group():
                1 / 0  # noqa: B018
