"""Sequences: several nodes as one."""

from durable_django import Workflow, loop, sequence, step
from durable_django.definition import registry
from durable_django.definition.flow import Sequence
from durable_django.definition.retry import NO_RETRY, Retry
from tests.definition.telling import told

with registry.isolate():

    class Billing(Workflow):
        class Meta:
            retry = Retry(7)

        with sequence() as billing:

            @step
            def invoices(self): ...
            @step
            def balance(self): ...

        @step
        def close(self): ...


def test_a_sequence_holds_nodes_in_order():
    definition = Billing.definition
    assert isinstance(Billing.billing, Sequence)
    assert definition.first == "billing"
    assert [definition.next_of(name) for name in ("billing", "invoices", "balance")] == [
        *("close", "balance", None)
    ]
    assert definition.chain_of("balance") == ("billing",)
    assert definition.retry_of("billing") is NO_RETRY
    assert definition.retry_of("balance") == Retry(7)


def test_the_structure_has_the_children():
    told_of = Billing.definition.structure()["nodes"][0]
    assert (told_of["name"], told_of["kind"]) == ("billing", "sequence")
    assert [child["name"] for child in told_of["children"]] == ["invoices", "balance"]


def test_sequences_nest_in_other_blocks():
    class W(Workflow):
        with loop(until="done") as again, sequence() as both, sequence() as inner:

            @step
            def deep(self): ...

    assert W.definition.chain_of("deep") == ("again", "both", "inner")


def test_a_step_in_a_sequence_is_redefined_in_its_place():
    class W(Billing):
        @step
        def invoices(self): ...

    assert W.billing.children == (W.invoices, W.balance)
    assert list(W.definition.nodes) == ["billing", "invoices", "balance", "close"]


def test_an_empty_sequence_is_told():
    with told("W.billing: the sequence is empty"):

        class W(Workflow):
            with sequence() as billing:  # here
                pass


def test_a_sequence_without_a_name_is_told():
    with told("W: the sequence has no name; write with sequence(…) as name:"):

        class W(Workflow):
            with sequence():  # here

                @step
                def balance(self): ...


def test_a_sequence_without_with_is_told():
    with told("W.billing: the sequence is never opened"):

        class W(Workflow):
            billing = sequence()  # here

            @step
            def balance(self): ...


def test_a_sequence_is_not_reopened():
    with told("Billing.billing: the sequence is closed"):

        class W(Billing):
            with Billing.billing:  # here

                @step
                def more(self): ...


def test_a_sequence_outside_a_class_is_told():
    with told("a sequence stands outside a class"):
        sequence()  # here
