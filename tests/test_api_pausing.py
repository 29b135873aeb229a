"""pause and resume, as people call them."""

from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import transaction

import durable_django as durable
from durable_django import ExecutionNotFound, InvalidState, Workflow, hours, step
from durable_django.models import AuditEntry
from durable_django.testing import advance, drain


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            timeout = hours(2)

        @step
        def charge(self):
            return 1

        @step
        def ship(self):
            return self.outputs["charge"] + 1

    return Order


@pytest.mark.parametrize("way", [lambda run: run, lambda run: run.pk, lambda run: str(run.pk)])
def test_a_run_is_named_by_itself_or_its_id(Order, way):
    run = Order.start()
    assert durable.pause(way(run)).status == "paused"
    assert drain() == 0
    assert durable.resume(way(run)).status == "pending"
    drain()
    assert durable.get_execution(run).result == 2


def test_who_did_it_and_why_is_kept_with_its_history(Order):
    ada = get_user_model().objects.create_user("ada")
    run = Order.start()
    durable.pause(run, "look\x00first", by=ada)
    durable.resume(run, "fine", by="a script")
    rows = AuditEntry.objects.filter(execution=run).order_by("id")
    assert [(row.verb, row.by, row.reason) for row in rows] == [
        ("pause", "ada", "look\\x00first"),
        ("resume", "a script", "fine"),
    ]


def test_a_paused_run_is_found_by_its_status_and_says_so(Order):
    run, other = Order.start(), Order.start()
    durable.pause(run)
    assert list(durable.list_executions(status="paused")) == [run]
    assert list(durable.list_executions(status=["pending"])) == [other]
    paused = durable.get_execution(run)
    assert (paused.is_final, paused.error, paused.finished_at) == (False, None, None)
    assert paused.paused_at is not None


def test_a_paused_run_is_cancelled_but_not_retried(Order):
    run = Order.start()
    durable.pause(run)
    with pytest.raises(InvalidState, match="it is paused, and only a failed or cancelled run"):
        durable.retry(run)
    assert durable.cancel(run).status == "cancelled"
    retried = durable.retry(run)
    assert (retried.status, retried.paused_at) == ("pending", None)


@pytest.mark.django_db(transaction=True)
def test_the_result_of_a_paused_run_is_waited_for(Order):
    run = Order.start()
    durable.pause(run)
    with pytest.raises(TimeoutError, match="is still paused"):
        durable.get_result(run, timeout=0.01)


def test_events_can_be_sent_to_a_paused_run(Order):
    run = Order.start()
    durable.pause(run)
    assert durable.send_event(run, "go", 1).execution_id == run.pk


def test_its_timeout_goes_on(Order):
    run = Order.start()
    durable.pause(run)
    advance(hours(3))
    drain()
    ended = durable.get_execution(run)
    assert (ended.status, ended.error["type"]) == ("failed", "WorkflowTimeout")


@pytest.mark.parametrize("verb", [durable.pause, durable.resume])
def test_arguments_are_judged_before_anything_is_written(Order, verb):
    run = Order.start()
    with pytest.raises(TypeError, match="reason must be a string, not 7"):
        verb(run, 7)
    with pytest.raises(TypeError, match="by is a user, a string or None, not 7"):
        verb(run, by=7)
    with pytest.raises(ExecutionNotFound):
        verb(uuid4())
    assert not AuditEntry.objects.exists()


def test_it_is_undone_with_the_transaction_of_the_caller(Order):
    run = Order.start()
    with transaction.atomic():
        durable.pause(run)
        transaction.set_rollback(True)
    drain()
    assert durable.get_execution(run).status == "completed"


@pytest.mark.django_db(transaction=True)
def test_each_has_a_coroutine(Order):
    run = Order.start()

    async def both():
        paused = await durable.apause(run, "wait", by="ada")
        return paused.status, (await durable.aresume(run)).status

    assert async_to_sync(both)() == ("paused", "pending")
