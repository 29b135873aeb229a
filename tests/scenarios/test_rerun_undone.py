"""A run that is run again undoes, when it fails, what it has only kept, and sees all of it."""

import pytest

import durable_django as durable_api
from durable_django import Workflow, foreach, minutes, parallel, race, sequence, sleep_for, step
from durable_django.models import AuditEntry, Event, Execution, StepRun, Wait
from durable_django.testing import drain, run

pytestmark = pytest.mark.usefixtures("durable")


def forget(execution):
    """The whole tree, as retention takes it away."""
    tree = list(Execution.objects.filter(root_id=execution.root_id).values_list("id", flat=True))
    for model in (StepRun, Wait, Event, AuditEntry):
        model.objects.filter(execution_id__in=tree).delete()
    Execution.objects.filter(id__in=tree).delete()


def paths_of(execution):
    return list(execution.steps.order_by("id").values_list("path", flat=True))


def trip(undone, wrong):
    class Trip(Workflow):
        @step
        def plan(self):
            self.context["trip"] = "north"

        with foreach(lambda self: ["oslo", "bergen"], concurrency=1) as nights:

            @step
            def book(self):
                self.context.append("booked", self.item)
                return f"room in {self.item}" + "!" * 3000

            @book.compensate
            def unbook(self):
                undone.append((self.item, self.index, self.outputs["book"].rstrip("!")))

        with parallel() as rest:
            with sequence() as flight:

                @step
                def fly(self):
                    return "seat" + "." * 3000

                @step
                def eat(self):
                    return len(self.outputs["fly"])

                @fly.compensate
                def unfly(self):
                    undone.append(self.outputs["fly"].rstrip("."))

            with race() as quick:
                slow = sleep_for(minutes(5))

                @step
                def fast(self):
                    return "fast"

            @quick.compensate
            def slower(self):
                undone.append(self.outputs["quick"])

        @step
        def pay(self):
            if wrong:
                raise ValueError("no money")
            return [self.context["booked"], self.outputs["eat"], self.outputs["fast"]]

    return Trip


def test_a_rerun_that_fails_undoes_what_the_original_had_done():
    undone, wrong = [], []
    first = run(trip(undone, wrong))
    assert first.result == [["oslo", "bergen"], 3004, "fast"]
    wrong.append(True)
    made = durable_api.rerun_from(first, "pay")
    forget(first)
    drain()
    made.refresh_from_db()
    assert made.status == "compensated"
    assert sorted(undone, key=str) == [
        ("bergen", 1, "room in bergen"),
        ("oslo", 0, "room in oslo"),
        "seat",
        {"winner": "fast", "value": "fast"},
    ]
    assert undone[-2:] == [("bergen", 1, "room in bergen"), ("oslo", 0, "room in oslo")]


def test_a_rerun_that_is_cancelled_before_it_begins_undoes_what_it_has_kept():
    undone = []
    first = run(trip(undone, []))
    made = durable_api.rerun_from(first, "pay")
    durable_api.cancel(made, compensate=True)
    drain()
    made.refresh_from_db()
    assert made.status == "compensated"
    assert len(undone) == 4


def test_a_rerun_from_a_block_runs_all_of_it_again():
    first = run(trip([], []))
    made = durable_api.rerun_from(first, "eat")
    assert durable_api.preview_rerun(first, "eat").is_block
    assert durable_api.preview_rerun(first, "eat").node == "rest"
    assert paths_of(made)[-1] == "nights[]"
    drain()
    made.refresh_from_db()
    assert made.result == first.result
