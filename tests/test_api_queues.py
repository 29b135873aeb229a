"""Queues as people call them: arguments are judged, and the caller's transaction decides."""

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

import durable_django as durable
from durable_django import Workflow, step
from durable_django import api_queues as api
from durable_django.models import AuditEntry, Queue

pytestmark = pytest.mark.django_db


def make_greeting():
    class Greeting(Workflow):
        class Meta:
            name = "greeting"

        @step
        def greet(self):
            return "hello"

    return Greeting


def test_a_queue_is_paused_resumed_and_limited_by_name():
    assert durable.pause_queue("default", reason="down", by="ops").is_paused
    assert not durable.resume_queue("default").is_paused
    assert durable.limit_queue("default", 2).concurrency_limit == 2
    assert durable.limit_queue("default", None).concurrency_limit is None
    verbs = AuditEntry.objects.filter(queue="default").order_by("id").values_list("verb", "by")
    assert list(verbs) == [("pause", "ops"), ("resume", ""), ("limit", ""), ("limit", "")]


@pytest.mark.parametrize("wrong", [0, -1, 10**7])
def test_a_limit_is_at_least_one(wrong):
    with pytest.raises(ValueError, match="limit is between 1 and 1000000"):
        durable.limit_queue("default", wrong)
    assert not Queue.objects.exists()


@pytest.mark.parametrize("wrong", [True, "3", 2.0])
def test_a_limit_is_a_whole_number(wrong):
    with pytest.raises(TypeError, match="limit is a whole number"):
        durable.limit_queue("default", wrong)


@pytest.mark.parametrize("wrong", [None, 7, b"default"])
def test_the_name_of_a_queue_is_a_text(wrong):
    for act in (
        durable.pause_queue,
        durable.resume_queue,
        lambda name: durable.limit_queue(name, 1),
    ):
        with pytest.raises(TypeError, match="name"):
            act(wrong)


def test_a_reason_is_a_text():
    with pytest.raises(TypeError, match="reason must be a string"):
        durable.pause_queue("default", reason=7)
    assert not Queue.objects.exists()


def test_what_is_decided_about_a_queue_is_undone_with_the_callers_transaction():
    with transaction.atomic():
        durable.pause_queue("default")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
    assert not any(queue.is_paused for queue in durable.list_queues())


@pytest.mark.django_db(transaction=True)
def test_each_has_a_coroutine():
    async def all_of_them():
        paused = await durable.apause_queue("default", by="ops")
        resumed = await durable.aresume_queue("default")
        limited = await durable.alimit_queue("default", 4)
        return paused.is_paused, resumed.is_paused, limited.concurrency_limit

    assert async_to_sync(all_of_them)() == (True, False, 4)
    assert [queue.name for queue in async_to_sync(durable.alist_queues)()][:1] == ["default"]


def test_a_test_that_drains_leaves_a_paused_queue_alone(durable):
    greeting = make_greeting()
    api.pause_queue("default")
    execution = durable.run(greeting)
    assert execution.status == "pending"
    assert durable.drain() == 0
    api.resume_queue("default")
    assert durable.drain() == 1
    durable.assert_status(execution, "completed")


def test_a_test_that_drains_comes_through_a_limited_queue(durable):
    greeting = make_greeting()
    api.limit_queue("default", 1)
    runs = [greeting.start() for _ in range(5)]
    assert durable.drain() == 5
    for run in runs:
        durable.assert_status(run, "completed")
