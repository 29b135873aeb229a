"""Skipping a node that failed, outside of blocks: as people call it."""

import pytest

import durable_django as durable
from durable_django import (
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
    Workflow,
    call_workflow,
    decision,
    step,
    wait_for_event,
)
from durable_django.models import Execution
from durable_django.testing import advance, drain, run

from .repairs import after, detail_of, history, make_order, rows_of


@pytest.fixture
def Order(durable):
    return make_order()


def test_a_failed_node_is_skipped_and_the_run_goes_on_behind_it(Order):
    made = run(Order)
    assert durable.nodes_to_skip(made) == ["charge"]
    given = durable.skip(made, {"paid": "cash"}, reason="at the counter", by="ada")
    assert (given.status, given.error, given.finished_at) == ("pending", None, None)
    found = after(made)
    assert found.result == [{"paid": "cash"}, ""]
    assert found.outputs["charge"] == {"paid": "cash"}
    assert rows_of(found) == [
        ("validate", "completed", None, "charge"),
        ("charge", "failed", None, "charge"),
        ("charge", "failed", None, "charge"),
        ("charge", "skipped", {"paid": "cash"}, "confirm"),
        ("confirm", "completed", found.result, ""),
    ]
    assert history(found) == [("skip", "ada", "at the counter")]
    assert detail_of(found) == {
        "node": "charge",
        "paths": ["charge"],
        "count": 1,
        "value": {"paid": "cash"},
    }


def test_a_run_whose_last_node_is_skipped_completes(Order):
    class Single(Workflow):
        @step
        def only(self):
            raise ValueError("no")

    made = run(Single)
    given = durable.skip(made, 7)
    assert (given.status, given.result, given.error) == ("completed", 7, None)
    found = durable.get_execution(made)
    assert (found.status, found.result, found.error) == ("completed", 7, None)
    assert found.finished_at is not None
    assert found.outputs == {"only": 7}
    assert drain() == 0


def test_the_node_may_be_named_as_a_text_or_as_itself(Order):
    for name in ("charge", Order.charge):
        made = run(Order)
        durable.skip(made, 1, node=name)
        assert after(made).result == [1, ""]
    made = run(Order)
    with pytest.raises(ValueError, match=r"did not fail at 'confirm' \(charge\)"):
        durable.skip(made, node="confirm")
    with pytest.raises(TypeError, match="node"):
        durable.skip(made, node=7)
    assert durable.get_execution(made).status == "failed"


def test_what_was_skipped_is_replayed_by_a_worker_that_takes_the_run_up(Order):
    class Long(Workflow):
        @step
        def fails(self):
            raise ValueError("no")

        @step
        def second(self):
            return self.outputs["fails"] + 1

        paid = wait_for_event("paid")

        @step
        def last(self):
            return self.outputs["fails"], self.outputs["second"]

    made = run(Long)
    durable.skip(made, 1)
    assert after(made).status == "waiting"
    durable.send_event(made, "paid")
    assert after(made).result == (1, 2)


def test_a_wait_that_timed_out_is_skipped_with_what_was_awaited(Order):
    class Waits(Workflow):
        paid = wait_for_event("paid", timeout=60)

        @step
        def last(self):
            return self.outputs["paid"]

    made = run(Waits)
    advance(61)
    assert after(made).error["type"] == "WaitTimeout"
    durable.skip(made, {"dollars": 9})
    assert after(made).result == {"dollars": 9}


def test_a_decision_is_skipped_with_one_of_its_targets_or_none(Order):
    class Decides(Workflow):
        @decision(to=["last"])
        def which(self):
            raise ValueError("no")

        @step
        def between(self): ...

        @step
        def last(self):
            return self.outputs["which"]

    made = run(Decides)
    for wrong in ("between", "lost", 7):
        with pytest.raises(ValueError, match=r"which.*last|node's name"):
            durable.skip(made, wrong)
    durable.skip(made, "last")
    assert after(made).result == "last"
    assert [path for path, *_ in rows_of(made)] == ["which", "which", "last"]
    made = run(Decides)
    durable.skip(made)
    assert [path for path, *_ in rows_of(after(made))] == ["which", "which", "between", "last"]


@pytest.mark.parametrize("status", ["pending", "completed", "cancelled", "sleeping"])
def test_only_a_failed_run_can_have_a_node_skipped(Order, status):
    made = Order.start({"email": "a@b"})
    if status == "completed":
        drain()
    if status == "cancelled":
        durable.cancel(made)
    if status == "sleeping":
        Execution.objects.filter(pk=made.pk).update(status="sleeping", due_at=made.created_at)
    assert durable.nodes_to_skip(made) == []
    with pytest.raises(InvalidState, match=f"it is {status}") as caught:
        durable.skip(made)
    assert caught.value.status == status
    assert history(made) == ([("cancel", "", "")] if status == "cancelled" else [])


def test_a_value_that_cannot_be_stored_is_refused_and_nothing_is_written(Order, settings):
    settings.DURABLE = {**settings.DURABLE, "MAX_PAYLOAD_BYTES": 100}
    made = run(Order)
    for value, error in ((object(), NotSerializable), ("x" * 200, PayloadTooLarge)):
        with pytest.raises(error, match="value"):
            durable.skip(made, value)
    assert durable.get_execution(made).status == "failed"
    assert history(made) == []


def test_a_run_whose_timeout_has_passed_gets_it_anew_when_a_node_is_skipped(Order):
    class Waits(Workflow):
        class Meta:
            timeout = 60

        paid = wait_for_event("paid")

        @step
        def last(self):
            return self.outputs["paid"]

    made = run(Waits)
    advance(61)
    assert after(made).error["type"] == "WorkflowTimeout"
    again = durable.skip(made, "cash")
    assert (again.timeout_at - again.ready_at).total_seconds() == 60
    assert after(made).result == "cash"


def test_a_node_that_the_code_no_longer_has_cannot_be_skipped(Order):
    made = run(Order)
    Execution.objects.filter(pk=made.pk).update(
        snapshot=made.snapshot.replace('"next":"charge"', '"next":"gone"')
    )
    assert durable.nodes_to_skip(made) == []
    with pytest.raises(InvalidState, match=r"'gone'.*retry\(node="):
        durable.skip(made)
    Execution.objects.filter(pk=made.pk).update(workflow_name="lost")
    assert durable.nodes_to_skip(made) == durable.nodes_to_go_on_at(made) == []
    with pytest.raises(InvalidState, match="not registered here"):
        durable.skip(made)


def test_a_called_workflow_that_failed_is_skipped_with_its_result(Order):
    class Calls(Workflow):
        called = call_workflow(Order)

        @step
        def last(self):
            return self.outputs["called"]

    made = run(Calls)
    assert made.error["type"] == "ChildFailed"
    durable.skip(made, "by hand")
    assert after(made).result == "by hand"


def test_a_started_child_whose_last_node_is_skipped_leaves_nothing_with_who_started_it(Order):
    class Single(Workflow):
        @step
        def only(self):
            raise ValueError("no")

    class Starts(Workflow):
        @step
        def starts(self):
            return self.start_workflow(Single)

    made = run(Starts)
    child = durable.list_children(made).get()
    durable.skip(child, 7)
    assert after(child).result == 7
    assert not made.events.exists(), "nobody waits for it, so nothing of its end is kept"
