# ruff: noqa: SIM117
"""What cannot be run again, and that it says what can; what changed in the code meanwhile."""

from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.db import transaction

import durable_django as durable_api
from durable_django import (
    ExecutionNotFound,
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
    QueueNotFound,
    Workflow,
    WorkflowNotFound,
    branch,
    decision,
    foreach,
    parallel,
    step,
    wait_for_approval,
)
from durable_django.models import AuditEntry, Execution
from durable_django.testing import drain, isolate_registry, run

pytestmark = pytest.mark.usefixtures("durable")


def again(execution, node, **options):
    """The rerun, driven to where it ends or parks."""
    made = durable_api.rerun_from(execution, node, **options)
    drain()
    return durable_api.get_execution(made)


def saga(wrong=("pay",)):
    class Saga(Workflow):
        @step
        def ask(self):
            return "asked"

        @step
        def book(self):
            return "booked"

        @book.compensate
        def unbook(self):
            if "unbook" in wrong:
                raise ValueError("no way back")

        @step
        def note(self):
            return "noted"

        @step
        def pay(self):
            if "pay" in wrong:
                raise ValueError("no money")
            return [self.outputs["ask"], self.outputs["book"]]

    return Saga


# States


@pytest.mark.parametrize("status", ["pending", "waiting", "paused"])
def test_a_run_that_has_not_ended_is_refused(status):
    class Expense(Workflow):
        approval = wait_for_approval(prompt="Pay?")

    execution = durable_api.start(Expense)
    if status != "pending":
        drain()
    if status == "paused":
        durable_api.pause(execution)
    told = f"it is {status}, and only a run that has ended can be"
    for call in (durable_api.rerun_from, durable_api.preview_rerun):
        with pytest.raises(InvalidState, match=told) as caught:
            call(execution, "approval")
        assert caught.value.status == status
    with pytest.raises(InvalidState, match=told):
        durable_api.nodes_to_rerun_from(execution)
    assert not AuditEntry.objects.filter(verb="rerun").exists()


def test_a_member_is_refused_and_its_run_named():
    class Letters(Workflow):
        with foreach(lambda self: [1]) as sending:

            @step
            def send(self): ...

    made = run(Letters)
    member = Execution.objects.get(parent=made)
    with pytest.raises(InvalidState, match=f"a member of the run {made.pk}; run that again"):
        durable_api.rerun_from(member, "sending")


def test_a_run_that_is_not_there_is_not_found():
    for call in (durable_api.rerun_from, durable_api.preview_rerun):
        with pytest.raises(ExecutionNotFound):
            call(uuid4(), "charge")


def test_a_run_whose_code_is_gone_is_refused():
    with isolate_registry():
        made = run(saga([]))
    with pytest.raises(WorkflowNotFound, match="no workflow is called"):
        durable_api.rerun_from(made, "ask")


def test_a_run_that_was_cancelled_is_run_again():
    class Expense(Workflow):
        @step
        def ask(self):
            return 7

        approval = wait_for_approval(prompt="Pay?")

    made = run(Expense)
    durable_api.cancel(made)
    assert again(made, "approval").status == "waiting"
    assert durable_api.nodes_to_rerun_from(made) == ["ask", "approval"]


def test_a_run_that_never_began_is_run_again_from_its_first_node():
    workflow = saga([])
    made = durable_api.start(workflow)
    durable_api.cancel(made)
    assert durable_api.nodes_to_rerun_from(made) == ["ask"]
    assert again(made, "ask", context={"by": "hand"}).result == ["asked", "booked"]


# Compensated


@pytest.mark.parametrize("wrong", [["pay"], ["pay", "unbook"]])
def test_what_was_compensated_is_never_kept(wrong):
    failed = run(saga(wrong))
    assert failed.status == ("compensated" if wrong == ["pay"] else "compensation_failed")
    assert durable_api.nodes_to_rerun_from(failed) == ["ask", "book"]
    for node in ("note", "pay"):
        told = f"again from {node}: what came before was compensated .*; start from book instead"
        with pytest.raises(InvalidState, match=told):
            durable_api.rerun_from(failed, node)
    wrong.clear()
    made = again(failed, "book")
    assert made.result == ["asked", "booked"]
    assert [row.path for row in made.steps] == ["ask", "book", "note", "pay"]


def test_what_is_kept_of_a_compensated_run_can_be_undone_by_the_rerun():
    wrong = ["pay"]
    failed = run(saga(wrong))
    made = again(failed, "book")
    assert made.status == "compensated"
    assert [row.path for row in made.steps][-1] == "book~unbook"


def test_where_the_first_visit_was_compensated_and_the_last_is_later_a_new_run_is_named():
    class Turns(Workflow):
        @step
        def book(self):
            self.context.increment("booked")

        @book.compensate
        def unbook(self): ...

        @decision(to=["book"])
        def enough(self):
            if self.context["booked"] == 3:
                raise ValueError("too many")
            return "book"

    failed = run(Turns)
    assert durable_api.nodes_to_rerun_from(failed) == []
    with pytest.raises(InvalidState, match="cannot be kept; start a new run instead"):
        durable_api.rerun_from(failed, "book")


# Nodes


def test_a_node_nobody_knows_names_the_choices():
    made = run(saga([]))
    with pytest.raises(ValueError, match=r"no node 'pai'; .* from: ask, book, note, pay"):
        durable_api.rerun_from(made, "pai")
    with pytest.raises(TypeError, match="node is a node or the name of one, not 7"):
        durable_api.rerun_from(made, 7)


def test_a_node_the_run_never_came_to_names_the_choices():
    class Forked(Workflow):
        @decision(to=["end"])
        def which(self):
            return "end"

        with branch(on=lambda self: True) as never:
            with never.case(True):

                @step
                def inside(self): ...

        @step
        def end(self): ...

    made = run(Forked)
    for node in ("never", "inside"):
        with pytest.raises(ValueError, match=r"never came to never; .* from: which, end"):
            durable_api.rerun_from(made, node)


def test_a_compensation_is_no_node_to_begin_at():
    made = run(saga([]))
    with pytest.raises(ValueError, match="no node 'unbook'"):
        durable_api.rerun_from(made, "unbook")


# Arguments


def cleaning():
    class Cleaning(Workflow):
        @classmethod
        def clean_input(cls, input):
            if not input.get("sum"):
                raise ValidationError("a sum is needed")
            return {**input, "clean": True}

        @step
        def one(self):
            return self.input

    return Cleaning


def test_an_input_given_anew_is_judged_and_that_of_the_original_is_taken_as_it_is():
    made = run(cleaning(), {"sum": 1})
    assert again(made, "one").input == {"sum": 1, "clean": True}
    assert again(made, "one", input={"sum": 2}).result == {"sum": 2, "clean": True}
    for empty in ({}, None):
        with pytest.raises(ValidationError):
            durable_api.rerun_from(made, "one", input=empty)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"context": {"key": object()}}, NotSerializable, 'context\\["key"\\]'),
        ({"context": {7: 1}}, NotSerializable, "str"),
        ({"context": [1]}, TypeError, "context is a mapping"),
        ({"context": {"key": "x" * 2_000_000}}, PayloadTooLarge, 'context\\["key"\\]'),
        ({"reason": 7}, TypeError, "reason must be a string"),
        ({"by": 7}, TypeError, "by is a user"),
    ],
)
def test_arguments_are_judged_before_anything_is_written(options, error, told):
    made = run(saga([]))
    with pytest.raises(error, match=told):
        durable_api.rerun_from(made, "book", **options)
    assert Execution.objects.count() == 1


def test_a_queue_that_is_gone_is_refused(settings):
    made = run(saga([]), queue="default")
    Execution.objects.update(queue="gone")
    settings.DURABLE = {"QUEUES": {"high": {}}}
    with pytest.raises(QueueNotFound, match="gone"):
        durable_api.rerun_from(made, "book")


def test_a_rerun_that_is_rolled_back_with_its_caller_has_not_happened():
    made = run(saga([]))
    with transaction.atomic():
        durable_api.rerun_from(made, "book")
        transaction.set_rollback(True)
    assert Execution.objects.count() == 1
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_each_has_a_coroutine():
    made = run(saga([]))
    seen = async_to_sync(durable_api.apreview_rerun)(made, "note")
    assert (seen.kept, seen.again) == (("ask", "book"), ("note", "pay"))
    assert async_to_sync(durable_api.anodes_to_rerun_from)(made)[-1] == "pay"
    run_again = async_to_sync(durable_api.arerun_from)(made, "note", by="ada")
    assert run_again.status == "pending"


# The code has changed meanwhile


def test_the_code_as_it_is_now_is_run():
    def release(number):
        class Release(Workflow):
            class Meta:
                name = "release"

            @step
            def one(self):
                return "one"

            if number == 1:

                @step
                def gone(self):
                    return "gone"

            else:

                @step
                def fresh(self):
                    return "never run"

            if number == 1:

                @step
                def two(self):
                    return "two"

            else:
                with parallel() as two:

                    @step
                    def left(self):
                        return self.outputs["gone"]

                    @step
                    def right(self):
                        return "right"

            @step
            def three(self):
                return [self.outputs["two"], "fresh" in self.outputs]

        return Release

    made = run(release(1))
    release(2)
    assert durable_api.nodes_to_rerun_from(made) == ["one", "two", "three"]
    with pytest.raises(ValueError, match=r"has no node 'gone'; .* from: one, two, three"):
        durable_api.rerun_from(made, "gone")
    with pytest.raises(ValueError, match="never came to fresh"):
        durable_api.rerun_from(made, "fresh")
    assert again(made, "two").result == [{"left": "gone", "right": "right"}, False]
    # A node inside a block that was none then.
    assert again(made, "left").result == [{"left": "gone", "right": "right"}, False]
    assert again(made, "three").result == ["two", False]
