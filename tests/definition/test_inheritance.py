"""Inheritance: one plan out of a base's nodes and a class's own."""

import asyncio

import pytest

from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from durable_django.exceptions import NodeCalled
from tests.definition.examples import Claim, Order, Trip
from tests.definition.telling import told
from tests.definition.toys import group


def names(workflow):
    return list(workflow.definition.nodes)


def test_the_nodes_of_the_base_come_first():
    class Gift(Order):
        @step
        def wrap(self): ...

    assert names(Gift) == ["validate", "charge", "send", "wrap"]
    assert names(Order) == ["validate", "charge", "send"]


def test_what_is_not_changed_is_shared():
    class Gift(Order):
        @step
        def wrap(self): ...

    assert Gift.charge is Order.charge
    assert Gift.definition.nodes["charge"] is Order.charge


def test_a_redefined_node_keeps_its_place():
    class Gift(Order):
        @step
        def wrap(self): ...
        @step(timeout=3)
        def charge(self): ...

    assert names(Gift) == ["validate", "charge", "send", "wrap"]
    assert Gift.charge is not Order.charge
    assert Gift.charge.timeout == 3.0
    assert Order.charge.timeout is None


def test_none_takes_a_node_out():
    class Free(Order):
        charge = None

    assert names(Free) == ["validate", "send"]
    assert Free.charge is None
    assert Free.definition.next_of("validate") == "send"


def test_a_node_taken_out_may_come_back_further_down():
    class Free(Order):
        charge = None

    class Paid(Free):
        @step
        def charge(self): ...

    assert names(Paid) == ["validate", "send", "charge"]


def test_none_for_what_is_no_node_is_a_plain_attribute():
    class W(Order):
        rate = None

    assert names(W) == names(Order)


def test_three_generations():
    class A(Order):
        @step
        def validate(self):
            return [*super().validate(), "A"]

    class B(A):
        @step
        def wrap(self): ...

    class C(B):
        @step
        def validate(self):
            return [*super().validate(), "C"]

    assert names(C) == ["validate", "charge", "send", "wrap"]
    run = C._for_attempt(None)
    assert C.validate.body(run) == ["base", "A", "C"]
    run = B._for_attempt(None)
    assert B.validate is A.validate
    assert B.validate.body(run) == ["base", "A"]


def test_super_of_an_async_step_gives_the_coroutine():
    class Gift(Order):
        @step
        async def send(self):
            return [*await super().send(), "with a bow"]

    assert asyncio.run(Gift.send.body(Gift._for_attempt(None))) == ["sent", "with a bow"]


def test_super_does_not_reach_a_node_that_is_still_in_the_plan():
    class Gift(Order):
        @step
        def validate(self):
            super().charge()

    with pytest.raises(NodeCalled, match=r"Gift\.charge"):
        Gift.validate.body(Gift._for_attempt(None))


def test_super_reaches_a_node_that_was_taken_out():
    class Joined(Order):
        charge = None

        @step
        def validate(self):
            return [*super().validate(), *super().charge()]

    assert Joined.validate.body(Joined._for_attempt(None)) == ["base", "charged"]


# Blocks of the base


def test_a_step_inside_a_block_of_the_base_can_be_redefined():
    class Late(Trip):
        @step(timeout=3)
        def room(self): ...

    assert names(Late) == names(Trip)
    assert Late.definition.chain_of("room") == ("booking", "hotel")
    assert Late.room.block is Late.hotel
    assert Late.hotel.block is Late.booking
    assert Late.breakfast.block is Late.hotel
    assert Late.hotel.children == (Late.room, Late.breakfast)
    assert Late.room.timeout == 3.0


def test_the_base_is_untouched_by_what_a_subclass_changes_in_its_blocks():
    class Late(Trip):
        breakfast = None

    assert names(Late) == ["plan", "booking", "flight", "hotel", "room", "car", "go"]
    assert "breakfast" in names(Trip)
    assert Trip.hotel.children == (Trip.room, Trip.breakfast)
    assert Trip.room.block is Trip.hotel
    assert Late.plan is Trip.plan


def test_a_block_goes_with_everything_in_it():
    class Walk(Trip):
        booking = None

    assert names(Walk) == ["plan", "go"]
    assert Walk.room is None


def test_the_names_of_a_block_taken_out_are_free():
    class Walk(Trip):
        booking = None

        @step
        def room(self): ...

    assert names(Walk) == ["plan", "go", "room"]


def test_a_redefined_block_keeps_its_place_and_brings_its_own_nodes():
    class Camp(Trip):
        with group() as hotel:

            @step
            def tent(self): ...
            @step
            def breakfast(self): ...

    assert names(Camp) == ["plan", "booking", "flight", "hotel", "tent", "breakfast", "car", "go"]
    assert Camp.definition.chain_of("tent") == ("booking", "hotel")
    assert Camp.hotel.block is Camp.booking


def test_a_block_that_is_emptied_is_told():
    with told("W: nothing is left in the group Trip.hotel", "hotel = None"):

        class W(Trip):  # here
            room = None
            breakfast = None


def test_a_node_of_the_base_cannot_move_into_a_block():
    with told("W.go: it redefines Trip.go, which keeps its place", "the group last"):

        class W(Trip):
            with group() as last:

                @step  # here
                def go(self): ...


def test_a_block_of_the_base_is_not_reopened():
    with told("Trip.booking: the group is closed; a block is not opened a second time"):

        class W(Trip):
            with Trip.booking:  # here

                @step
                def taxi(self): ...


# Mistakes


def test_a_plain_def_hiding_a_step_of_the_base_is_told():
    with told("W.charge hides the step of Order", "write @step above it", "charge = None"):

        class W(Order):
            def charge(self): ...  # here


@pytest.mark.parametrize("value", [3, property(lambda self: 1), False, Order])
def test_anything_else_hiding_a_step_of_the_base_is_told(value):
    with told("W.charge hides the step of Order"):

        class W(Order):
            charge = value  # here


def test_a_node_is_redefined_as_the_same_kind():
    with told("Order.charge is a step, and a group cannot take its place"):

        class W(Order):
            with group() as charge:  # here

                @step
                def pay(self): ...


def test_a_class_extends_one_workflow():
    class Other(Workflow):
        @step
        def other(self): ...

    with told("W: it extends Order and Other", "mixin"):

        class W(Order, Other):  # here
            pass


def test_naming_workflow_beside_its_own_subclass_does_no_harm():
    class W(Order, Workflow):
        pass

    assert names(W) == names(Order)


def test_taking_everything_out_is_told():
    with told("W: a workflow without a node does nothing"):

        class W(Order):  # here
            validate = charge = send = None


# Mixins


class Helpers:
    RATE = 3

    def total(self):
        return self.RATE * 2


def test_a_mixin_may_hold_plain_methods():
    class W(Helpers, Workflow):
        @step
        def charge(self):
            return self.total()

    assert W.charge.body(W._for_attempt(None)) == 6


def test_a_mixin_may_not_hold_nodes():
    class Mixin:
        stolen = Order.charge

    with told("W: Mixin.stolen is a step, but Mixin is no workflow class"):

        class W(Mixin, Workflow):  # here
            @step
            def pay(self): ...


def test_a_mixin_may_not_hide_a_node_of_the_base():
    class Mixin:
        def charge(self): ...

    with told("W: Mixin.charge hides the step of Order"):

        class W(Mixin, Order):  # here
            pass


def test_a_mixin_behind_the_base_hides_nothing():
    class Mixin:
        def charge(self): ...

    class W(Order, Mixin):
        pass

    assert W.charge is Order.charge


def test_a_mixin_may_not_take_a_name_of_the_run():
    class Mixin:
        logger = None

    with told("W: Mixin.logger would take the place of"):

        class W(Mixin, Workflow):  # here
            @step
            def pay(self): ...


def test_the_meta_of_a_mixin_is_told():
    class Mixin:
        class Meta:
            queue = "high"

    with told("W: Mixin.Meta would be read by nobody", "class Meta(Mixin.Meta) in W"):

        class W(Mixin, Workflow):  # here
            @step
            def pay(self): ...


# Cases without names are inherited too


def test_blocks_without_names_are_copied_with_the_rest():
    class Kind(Claim):
        @step
        def refuse(self): ...

    assert names(Kind) == names(Claim)
    assert Kind.definition.chain_of("refuse") == ("decide", "case no")
    assert Kind.refuse.block.block is Kind.decide
    assert Claim.refuse.block.block is Claim.decide
