"""A run is run again from one of its nodes: what came before stands, the rest is done anew."""

import pytest
from django.contrib.auth import get_user_model

import durable_django as durable
from durable_django import (
    InvalidState,
    Workflow,
    days,
    foreach,
    hours,
    parallel,
    step,
    wait_for_approval,
)
from durable_django.models import AuditEntry, Execution
from durable_django.testing import drain, isolate_registry, run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _classes():
    with isolate_registry():
        yield


def order(done, wrong=()):
    """A workflow that notes in `done` what it does; a node in `wrong` fails."""

    class Order(Workflow):
        class Meta:
            name = "order"
            timeout = hours(1)

        @step
        def validate(self):
            done.append("validate")
            self.context["items"] = self.input["items"]

        @step
        def total(self):
            done.append("total")
            self.context["total"] = sum(self.context["items"])
            return self.context["total"]

        @step
        def charge(self):
            done.append("charge")
            if "charge" in wrong:
                raise ValueError("no money")
            return self.outputs["total"] * 10

        @step
        def tell(self):
            done.append("tell")
            return {"charged": self.outputs["charge"], "total": self.context["total"]}

    return Order


def again(execution, node, **options):
    """The rerun, driven to where it ends or parks."""
    made = durable.rerun_from(execution, node, **options)
    drain()
    return durable.get_execution(made)


def test_a_failed_run_is_run_again_from_the_node_that_failed():
    done, wrong = [], ["charge"]
    workflow = order(done, wrong)
    failed = run(workflow, {"items": [1, 2]}, tags=["vip"], queue="default", priority=3)
    assert failed.status == "failed"
    wrong.clear()
    made = again(failed, "charge")
    assert done == ["validate", "total", "charge", "charge", "tell"]
    assert made.status == "completed"
    assert made.result == {"charged": 30, "total": 3}
    assert made.pk != failed.pk
    assert (made.parent_id, made.root_id, made.depth) == (None, made.pk, 0)
    assert (made.tags, made.priority, made.input) == (["vip"], 3, {"items": [1, 2]})
    assert made.outputs["validate"] is None
    assert [row.path for row in made.steps] == ["validate", "total", "charge", "tell"]
    failed.refresh_from_db()
    assert failed.status == "failed"


def test_a_node_is_named_by_itself_and_a_run_that_completed_is_run_again():
    done = []
    workflow = order(done)
    first = run(workflow, {"items": [1]})
    made = again(first, workflow.total)
    assert done == ["validate", "total", "charge", "tell", "total", "charge", "tell"]
    assert made.result == first.result


def test_the_input_and_the_context_can_be_given_anew():
    workflow = order([])
    first = run(workflow, {"items": [1]})
    made = again(first, "charge", context={"total": 7, "note": "by hand"})
    assert made.result == {"charged": 10, "total": 7}
    assert made.context["note"] == "by hand"
    assert again(first, "validate", input={"items": [5]}).result == {"charged": 50, "total": 5}
    # And a rerun of the rerun stands where that stood.
    assert again(made, "tell").result == {"charged": 10, "total": 7}
    assert again(made, "total").result == first.result


def test_both_runs_tell_who_ran_what_again_and_why():
    workflow = order([])
    first = run(workflow, {"items": [1]})
    made = again(first, "charge", context={"total": 7}, reason="wrong sum", by="ada")
    (told,) = AuditEntry.objects.filter(execution=first)
    assert (told.verb, told.by, told.reason) == ("rerun", "ada", "wrong sum")
    assert told.detail == {"node": "charge", "new": str(made.pk)}
    (told,) = AuditEntry.objects.filter(execution=made)
    assert (told.verb, told.by, told.reason) == ("rerun", "ada", "wrong sum")
    assert told.detail == {
        "node": "charge",
        "original": str(first.pk),
        "seq": 2,
        "set": {"total": 7},
        "before": {"total": 1},
    }


def test_what_a_foreach_gave_outlives_the_run_that_made_it():
    class Letters(Workflow):
        with foreach(lambda self: self.input) as sending:
            with parallel() as both:

                @step
                def mail(self):
                    return f"mail {self.item}"

                @step
                def note(self):
                    return "x" * 3000

            @step
            def sent(self):
                self.context.append("sent", self.index)
                return {"item": self.item, "note": len(self.outputs["note"])}

        @step
        def count(self):
            return [each["note"] for each in self.outputs["sending"]]

    first = run(Letters, ["a", "b", "c"])
    made = again(first, "count")
    Execution.objects.filter(root=first).exclude(pk=made.pk).delete()
    assert made.result == [3000, 3000, 3000]
    assert made.context == {"sent": [0, 1, 2]}
    assert made.outputs["sending"] == [
        {"item": "a", "note": 3000},
        {"item": "b", "note": 3000},
        {"item": "c", "note": 3000},
    ]
    assert again(made, "count").result == made.result
    assert again(made, "mail").result == made.result


def test_the_answers_of_kept_waits_are_kept():
    class Expense(Workflow):
        approval = wait_for_approval(prompt="Pay?", timeout=days(3))

        @step
        def pay(self):
            answer = self.answers["approval"]
            return [answer.value, answer.by, answer.comment, self.outputs["approval"]]

    first = run(Expense)
    ada = get_user_model().objects.create_user("ada")
    durable.provide_input(first, "approval", "approved", by=ada, comment="fine")
    drain()
    first.refresh_from_db()
    assert first.result == ["approved", "ada", "fine", "approved"]
    made = again(first, "pay")
    assert made.result == first.result
    assert again(first, "approval").status == "waiting"


@pytest.mark.parametrize("status", ["pending", "waiting"])
def test_a_run_that_has_not_ended_cannot_be_run_again(status):
    class Expense(Workflow):
        approval = wait_for_approval(prompt="Pay?")

    execution = durable.start(Expense) if status == "pending" else run(Expense)
    with pytest.raises(InvalidState, match=f"it is {status}, and only a run that has ended"):
        durable.rerun_from(execution, "approval")


def test_a_preview_says_what_is_kept_and_what_is_run_again():
    workflow = order([], ["charge"])
    failed = run(workflow, {"items": [1, 2]})
    seen = durable.preview_rerun(failed, "charge")
    assert seen.kept == ("validate", "total")
    assert seen.again == ("charge", "tell")
    assert seen.context == {"items": [1, 2], "total": 3}
    assert not seen.is_block
    assert durable.nodes_to_rerun_from(failed) == ["validate", "total", "charge"]
    with pytest.raises(
        ValueError, match=r"never came to tell; it can be .* validate, total, charge"
    ):
        durable.preview_rerun(failed, "tell")
