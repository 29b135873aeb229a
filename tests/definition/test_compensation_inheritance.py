"""Compensations of a base and of a class that extends it."""

import pytest

from durable_django import Workflow, sequence, step
from durable_django.definition import registry
from tests.definition.telling import told

with registry.isolate():

    class Order(Workflow):
        @step
        def validate(self): ...

        @step
        def charge(self): ...

        @charge.compensate
        def refund(self): ...

        with sequence() as delivery:

            @step
            def pack(self): ...

            @pack.compensate
            def unpack(self): ...

            @step
            def send(self): ...


def undone(workflow):
    return {of: made.name for of, made in workflow.definition.compensations.items()}


BASE = {"charge": "refund", "pack": "unpack"}


def test_it_is_inherited():
    class W(Order):
        @step
        def close(self): ...

    assert undone(W) == BASE
    assert W.refund is Order.refund


def test_a_redefined_node_keeps_it():
    class W(Order):
        @step
        def charge(self): ...
        @step
        def pack(self): ...

    assert undone(W) == BASE
    assert W.refund is Order.refund


def test_a_subclass_gives_one_to_a_node_of_its_base():
    class W(Order):
        @Order.validate.compensate
        def forget(self): ...

    assert undone(W) == {"validate": "forget", **BASE}
    assert undone(Order) == BASE
    assert not hasattr(Order, "forget")


def test_a_subclass_gives_one_to_a_node_in_a_block_of_its_base():
    class W(Order):
        @Order.send.compensate
        def call_back(self): ...

        @Order.delivery.compensate
        def give_up(self): ...

    assert undone(W) == {**BASE, "delivery": "give_up", "send": "call_back"}
    assert W.delivery is Order.delivery


def test_its_own_takes_the_place_of_the_inherited():
    class W(Order):
        @Order.charge.compensate
        def pay_back(self): ...

    assert undone(W) == {**BASE, "charge": "pay_back"}
    assert W.refund is None
    assert W.definition.compensation_named("refund") is None
    assert undone(Order) == BASE


def test_it_is_redefined_under_its_own_name():
    class W(Order):
        @Order.charge.compensate(timeout=3)
        def refund(self): ...

    assert undone(W) == BASE
    assert W.refund.timeout == 3.0
    assert Order.refund.timeout is None


def test_a_redefined_node_may_bring_its_own():
    class W(Order):
        @step
        def charge(self): ...

        @charge.compensate
        def pay_back(self): ...

    assert undone(W) == {**BASE, "charge": "pay_back"}


def test_it_may_be_written_above_the_redefined_node():
    class W(Order):
        @Order.charge.compensate
        def pay_back(self): ...

        @step
        def charge(self): ...

    assert undone(W) == {**BASE, "charge": "pay_back"}


def test_the_redefined_node_and_the_bases_are_one():
    with told("W.again: charge has a compensation already, pay_back in line"):

        class W(Order):
            @step
            def charge(self): ...

            @Order.charge.compensate
            def pay_back(self): ...

            @charge.compensate  # here
            def again(self): ...


def test_none_takes_it_out():
    class W(Order):
        refund = None

    assert undone(W) == {"pack": "unpack"}
    assert "charge" in W.definition.nodes
    assert W.refund is None


def test_it_goes_with_its_node():
    class W(Order):
        charge = None
        delivery = None

    assert undone(W) == {}
    assert (W.refund, W.unpack) == (None, None)


def test_the_name_of_one_that_is_gone_is_free():
    class W(Order):
        charge = None

        @step
        def refund(self): ...

    class V(Order):
        @Order.charge.compensate
        def pay_back(self): ...

        @step
        def refund(self): ...

    for workflow in (W, V):
        assert workflow.definition.nodes["refund"] is workflow.refund
        assert workflow.refund.kind == "step"


def test_three_generations():
    class A(Order):
        @Order.charge.compensate
        def pay_back(self): ...

    class B(A):
        @step
        def close(self): ...

    class C(B):
        @Order.charge.compensate
        def refund(self): ...

    assert undone(B) == {**BASE, "charge": "pay_back"}
    assert undone(C) == BASE
    assert C.pay_back is None
    assert C.refund.owner == "C"


def test_an_abstract_base_hands_it_down():
    class Base(Workflow):
        class Meta:
            abstract = True

        @step
        def charge(self): ...

        @charge.compensate
        def refund(self): ...

    class W(Base):
        pass

    assert undone(W) == {"charge": "refund"}


# Mistakes


def test_one_for_a_node_that_was_taken_out_is_told():
    with told("W.refund: it is to undo charge, which this class has taken out"):

        class W(Order):
            charge = None

            @Order.charge.compensate  # here
            def refund(self): ...


def test_one_for_a_node_whose_block_was_taken_out_is_told():
    with told("W.unpack: it is to undo pack, which this class has taken out"):

        class W(Order):
            @Order.pack.compensate  # here
            def unpack(self): ...

            delivery = None


def test_one_for_a_node_that_a_base_has_taken_out_is_told():
    class Free(Order):
        charge = None

    with told("W.refund: it is to undo charge, which this class has taken out"):

        class W(Free):
            @Order.charge.compensate  # here
            def refund(self): ...


def test_a_plain_def_hiding_it_is_told():
    with told(
        "W.refund hides the compensation of Order",
        "write @Order.charge.compensate above it to redefine it, or refund = None to take it out",
    ):

        class W(Order):
            def refund(self): ...  # here


def test_a_mixin_hiding_it_is_told():
    class Mixin:
        def refund(self): ...

    with told("W: Mixin.refund hides the compensation of Order"):

        class W(Mixin, Order):  # here
            pass


def test_a_step_cannot_take_its_place():
    with told(
        "W.refund: Order.refund is the compensation of charge, and this step cannot take its place",
        "write @Order.charge.compensate above it",
    ):

        class W(Order):
            @step  # here
            def refund(self): ...


def test_the_compensation_of_another_node_cannot_take_its_place():
    with told("W.refund: Order.refund is the compensation of charge, and this compensation"):

        class W(Order):
            @Order.validate.compensate  # here
            def refund(self): ...


def test_it_cannot_take_the_place_of_a_node():
    with told("W.send: Order.send is a step, and a compensation cannot take its place"):

        class W(Order):
            @Order.validate.compensate  # here
            def send(self): ...


def test_it_cannot_be_set_or_deleted_after_the_class():
    class W(Order):
        pass

    with told("W.refund is set after the class was complete"):
        W.refund = None  # here
    with told("W.refund is deleted after the class was complete"):
        del W.refund  # here
    with told("W.other is set after the class was complete"):
        W.other = Order.refund  # here


@pytest.mark.parametrize("name", ["refund", "unpack"])
def test_a_mixin_may_not_hold_one(name):
    mixin = type("Mixin", (), {name: getattr(Order, name)})

    with told(f"W: Mixin.{name} is a compensation, but Mixin is no workflow class"):

        class W(mixin, Workflow):  # here
            @step
            def go(self): ...
