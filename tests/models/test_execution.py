"""What people read of a run and its attempts."""

import logging

import pytest

from durable_django import Workflow, hours, step
from durable_django.engine.state import INLINE_OUTPUT_BYTES
from durable_django.models import Execution, StepRun, WorkflowDefinition

pytestmark = pytest.mark.django_db
LARGE = "x" * INLINE_OUTPUT_BYTES


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "order"

        @step
        def validate(self):
            self.context["items"] = [1]
            return LARGE

        @step
        def charge(self):
            self.context["items"].append(2)
            if self.input.get("declined"):
                raise ValueError("declined")
            return {"paid": True}

    return Order


def test_a_completed_run_is_read_as_it_ended(durable, Order):
    run = durable.run(Order, {"id": 7})
    assert (run.status, run.input, run.result) == ("completed", {"id": 7}, {"paid": True})
    assert run.context == {"items": [1, 2]}
    assert run.outputs == {"validate": LARGE, "charge": {"paid": True}}
    assert run.error is None
    assert run.is_final
    assert str(run) == f"order {run.pk}"
    assert run.created_at <= run.started_at <= run.finished_at


def test_a_large_output_stands_once_in_its_step_run_and_not_in_the_snapshot(durable, Order):
    run = durable.run(Order)
    assert LARGE not in run.snapshot
    assert run.steps.get(name="validate").output == LARGE


def test_a_failed_run_shows_the_last_checkpoint_and_the_error(durable, Order):
    run = durable.run(Order, {"declined": True})
    assert (run.status, run.result) == ("failed", None)
    assert run.context == {"items": [1]}
    assert run.outputs == {"validate": LARGE}
    assert (run.error["type"], run.error["message"]) == ("ValueError", "declined")
    assert run.error["node"] == "charge"
    assert 'raise ValueError("declined")' in run.error["traceback"]


def test_a_run_that_has_not_begun_has_nothing_yet(durable, Order):
    run = Order.start({"id": 1})
    again = Execution.objects.get(pk=run.pk)
    assert (again.context, again.outputs, again.result, again.error) == ({}, {}, None, None)
    assert not again.is_final


def test_reading_a_run_that_has_completed_takes_no_query_for_its_context(
    durable, Order, django_assert_num_queries
):
    run = durable.run(Order)
    with django_assert_num_queries(0):
        assert run.context == {"items": [1, 2]}
    with django_assert_num_queries(1):
        assert len(run.outputs) == 2


def test_a_run_in_progress_is_read_from_its_snapshot_and_the_rows_since(durable, Order):
    class Long(Workflow):
        @step
        def count(self):
            self.context.increment("n")
            return 1

        @step
        def look(self):
            run = Execution.objects.get(pk=self.execution_id)
            return run.status, run.context, run.outputs

    assert durable.run(Long).result == ("running", {"n": 1}, {"count": 1})


def test_an_attempt_tells_what_it_did(durable, Order):
    run = durable.run(Order, {"declined": True})
    first, second = run.steps.order_by("id")
    assert str(first) == "validate #1 completed"
    assert first.changes == [("set", "items", [1])]
    assert (first.error, first.logs) == (None, [])
    assert first.duration_seconds >= 0
    assert second.error["message"] == "declined"
    assert (second.changes, second.output) == ([], None)
    assert StepRun(started_at=first.started_at).duration_seconds is None


def test_a_step_that_gave_none_has_completed(durable):
    class Quiet(Workflow):
        @step
        def only(self): ...

    run = durable.run(Quiet)
    assert (run.status, run.result, run.outputs) == ("completed", None, {"only": None})


def test_the_models_may_be_viewed_but_neither_added_nor_changed_nor_deleted():
    for model in (Execution, StepRun, WorkflowDefinition):
        assert model._meta.default_permissions == ("view",)
    assert [name for name, _ in Execution._meta.permissions] == [
        "start_execution",
        "cancel_execution",
        "retry_execution",
        "rerun_execution",
        "pause_execution",
        "skip_execution",
        "edit_context",
        "view_sensitive",
        "prune_execution",
    ]


def test_a_timeout_is_kept_as_the_moment_it_passes(durable, Order):
    run = Order.start({}, timeout=hours(1))
    assert (run.timeout_at - run.created_at).total_seconds() == 3600
    logging.getLogger(__name__).debug("read back: %s", Execution.objects.get(pk=run.pk))
    assert Execution.objects.get(pk=run.pk).due_at == run.timeout_at
