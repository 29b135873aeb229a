"""What people call on runs that exist: look up, list, cancel, retry, wait for the result."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import connections, transaction

import durable_django as durable
from durable_django import ExecutionNotFound, InvalidState, Workflow, hours, step
from durable_django.models import Execution
from durable_django.store import clock, ending
from durable_django.testing import drain, run


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"
            timeout = hours(2)

        @step
        def validate(self):
            self.context.increment("validated")

        @step
        def charge(self):
            if self.input.get("declined"):
                raise ValueError("declined")
            return {"paid": True}

    return Order


@pytest.fixture
def Other(durable):
    class Other(Workflow):
        class Meta:
            name = "other"
            queue = "low"

        @step
        def only(self): ...

    return Other


# Looking up


def test_an_execution_is_found_by_its_id_its_text_or_itself(Order):
    made = Order.start()
    for way in (made.pk, str(made.pk), made.pk.hex, made):
        assert durable.get_execution(way).pk == made.pk


@pytest.mark.parametrize("wrong", [uuid4(), "nonsense", "", None, 42, object(), b"x"], ids=repr)
def test_what_is_no_execution_is_not_found(db, wrong):
    for call in (durable.get_execution, durable.cancel, durable.retry):
        with pytest.raises(ExecutionNotFound):
            call(wrong)


def test_its_steps_are_read_along_when_asked(Order, django_assert_num_queries):
    made = run(Order)
    with django_assert_num_queries(2):
        found = durable.get_execution(made, include_steps=True)
        assert [step.name for step in found.steps.all()] == ["validate", "charge"]


def names(**filters):
    return [made.workflow_name for made in durable.list_executions(**filters)]


def test_runs_are_listed_newest_first(Order, Other):
    ids = [Order.start().pk, Other.start().pk, Order.start().pk]
    assert [made.pk for made in durable.list_executions()] == ids[::-1]
    assert [made.pk for made in durable.list_executions(limit=2)] == ids[:0:-1]
    assert list(durable.list_executions(limit=0)) == []


def test_runs_are_listed_by_workflow_status_queue_and_tags(Order, Other):
    failed = run(Order, {"declined": True}, tags=["vip", "eu"])
    run(Other, tags={"customer": "42"})
    pending = Order.start(tags=["eu"])

    assert names(workflow=Order) == names(workflow="take_order") == ["take_order"] * 2
    assert names(workflow="gone_long_ago") == []
    assert names(status="completed") == ["other"]
    assert names(status=["failed", "completed"]) == ["other", "take_order"]
    assert names(queue="low") == ["other"]
    assert [made.pk for made in durable.list_executions(tags="eu")] == [pending.pk, failed.pk]
    assert [made.pk for made in durable.list_executions(tags=["eu", "vip"])] == [failed.pk]
    assert names(tags={"customer": "42"}) == ["other"]
    assert names(tags={"customer": "43"}) == []
    assert len(names(tags=[])) == len(names(tags={})) == 3
    assert [made.pk for made in durable.list_executions(workflow=Order, status="failed")] == [
        failed.pk
    ]


def test_a_list_can_be_counted_and_filtered_further(Order):
    Order.start()
    assert durable.list_executions(status="pending").filter(priority=0).count() == 1


def test_a_status_that_does_not_exist_is_refused(db):
    with pytest.raises(ValueError, match=r"'done'.*completed"):
        durable.list_executions(status="done")
    with pytest.raises(TypeError, match="tags"):
        durable.list_executions(tags=[1])


def test_members_of_blocks_are_not_listed_and_children_are(Order):
    parent = Order.start()
    child, strand = Order.start(), Order.start()
    Execution.objects.filter(pk=child.pk).update(parent=parent)
    Execution.objects.filter(pk=strand.pk).update(parent=parent, kind="strand", path="a/b")
    assert {made.pk for made in durable.list_executions()} == {parent.pk, child.pk}
    assert [made.pk for made in durable.list_children(parent)] == [child.pk]


# Cancel and retry


def test_a_cancelled_run_says_why_and_does_not_go_on(Order):
    made = Order.start()
    given = durable.cancel(made, "the customer called \0")
    assert (given.status, given.reason) == ("cancelled", "the customer called \\x00")
    drain()
    found = durable.get_execution(made)
    assert (found.status, found.steps.count()) == ("cancelled", 0)


@pytest.mark.parametrize("declined", [False, True])
def test_a_run_that_has_ended_cannot_be_cancelled(Order, declined):
    made = run(Order, {"declined": declined})
    with pytest.raises(InvalidState, match=made.status) as caught:
        durable.cancel(made)
    assert caught.value.status == made.status


def test_a_reason_is_a_text(Order):
    made = Order.start()
    with pytest.raises(TypeError, match="reason"):
        durable.cancel(made, 5)
    assert len(durable.cancel(made, "x" * 20_000).reason.encode()) <= 10_000


def test_a_failed_run_is_retried_from_the_step_that_failed(Order):
    made = run(Order, {"declined": True})
    Execution.objects.filter(pk=made.pk).update(input_text="{}")
    assert durable.retry(made).status == "pending"
    drain()
    found = durable.get_execution(made)
    assert (found.status, found.result) == ("completed", {"paid": True})
    assert found.context == {"validated": 1}
    assert [(s.seq, s.name, s.attempt, s.status) for s in found.steps.order_by("id")] == [
        (1, "validate", 1, "completed"),
        (2, "charge", 1, "failed"),
        (3, "charge", 1, "completed"),
    ]


def test_a_cancelled_run_is_retried_from_where_it_stood(Order):
    made = Order.start()
    durable.cancel(made, "mistake")
    durable.retry(made)
    drain()
    assert durable.get_execution(made).status == "completed"


def test_a_run_that_did_not_fail_cannot_be_retried(Order):
    for made in (Order.start(), run(Order)):
        with pytest.raises(InvalidState) as caught:
            durable.retry(made)
        assert caught.value.status == durable.get_execution(made).status


def test_a_retry_after_its_timeout_has_the_workflows_timeout_anew(Order):
    made = Order.start(timeout=60)
    clock.advance(timedelta(minutes=2))
    drain()
    assert durable.get_execution(made).error["type"] == "WorkflowTimeout"
    again = durable.retry(made)
    assert again.timeout_at - again.ready_at == timedelta(hours=2)
    drain()
    assert durable.get_execution(made).status == "completed"


def test_a_run_whose_code_is_gone_can_be_reopened_all_the_same(Order):
    made = Order.start(timeout=60)
    clock.advance(timedelta(minutes=2))
    drain()
    Execution.objects.filter(pk=made.pk).update(workflow_name="gone")
    assert durable.retry(made).timeout_at is None


# The result


def in_a_thread(act):
    def call():
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_the_result_of_a_run_that_completed(Order):
    made = run(Order)
    assert made.get_result() == durable.api.get_result(made.pk) == {"paid": True}
    assert async_to_sync(made.aget_result)(timeout=5) == {"paid": True}


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_result_gets_it_when_the_run_has_ended(Order):
    made = Order.start()
    thread = in_a_thread(drain)
    assert made.get_result(timeout=20) == {"paid": True}
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_who_waits_in_a_coroutine_gets_it_too(Order):
    made = Order.start()

    async def wait():
        return await made.aget_result(timeout=timedelta(seconds=20))

    thread = in_a_thread(drain)
    assert async_to_sync(wait)() == {"paid": True}
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_failed_has_no_result_but_an_error(Order):
    made = run(Order, {"declined": True})
    for wait in (made.get_result, async_to_sync(made.aget_result)):
        with pytest.raises(durable.ExecutionFailed, match="failed: ValueError: declined") as caught:
            wait()
        assert caught.value.error["node"] == "charge"
        assert caught.value.execution.pk == made.pk


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_cancelled_has_no_result_but_a_reason(Order):
    made = Order.start()
    durable.cancel(made, "too late")
    with pytest.raises(durable.ExecutionFailed, match=r"cancelled \(too late\)") as caught:
        made.get_result()
    assert caught.value.error is None


@pytest.mark.django_db(transaction=True)
def test_a_result_is_waited_for_no_longer_than_asked(Order):
    made = Order.start()
    for wait in (made.get_result, async_to_sync(made.aget_result)):
        with pytest.raises(TimeoutError, match="still pending"):
            wait(timeout=0.02)
        with pytest.raises((TypeError, ValueError), match="timeout"):
            wait(timeout=-1)


@pytest.mark.django_db(transaction=True)
def test_a_result_cannot_be_waited_for_inside_a_transaction(Order):
    made = run(Order)
    for wait in (made.get_result, async_to_sync(made.aget_result)):
        with transaction.atomic(), pytest.raises(InvalidState, match="inside a transaction"):
            wait(timeout=5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", [uuid4(), "nonsense"], ids=repr)
def test_the_result_of_what_does_not_exist_is_not_waited_for(wrong):
    with pytest.raises(ExecutionNotFound):
        durable.api.get_result(wrong)
    with pytest.raises(ExecutionNotFound):
        async_to_sync(durable.api.aget_result)(wrong)


# Coroutines


@pytest.mark.django_db(transaction=True)
def test_everything_that_is_done_to_a_run_can_be_done_from_a_coroutine(Order):
    made = Order.start()

    async def act():
        assert (await durable.aget_execution(made, include_steps=True)).pk == made.pk
        assert (await durable.acancel(made.pk, "enough")).status == "cancelled"
        with pytest.raises(InvalidState):
            await durable.acancel(made)
        assert (await durable.aretry(str(made.pk))).status == "pending"
        with pytest.raises(ExecutionNotFound):
            await durable.aget_execution("nonsense")
        return [found.status async for found in durable.list_executions()]

    assert async_to_sync(act)() == ["pending"]


@pytest.mark.django_db(transaction=True)
def test_a_cancel_in_a_transaction_rolls_back_with_it(Order):
    made = Order.start()
    with transaction.atomic():
        assert durable.cancel(made).status == "cancelled"
        transaction.set_rollback(True)
    assert durable.get_execution(made).status == "pending"
    assert ending.cancel(made.pk, "").status == "cancelled"
