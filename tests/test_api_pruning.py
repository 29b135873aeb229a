"""`prune` as people call it: its arguments are judged, and the caller's transaction decides."""

from datetime import timedelta
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import transaction

import durable_django as durable
from durable_django import Workflow, step
from durable_django.exceptions import WorkflowNotFound
from durable_django.models import AuditEntry, Execution, ExecutionStatus
from durable_django.testing import isolate_registry, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def Plain(durable):
    """The class, with three runs that ended two days ago; the registry and time are put back."""

    class Plain(Workflow):
        class Meta:
            name = "plain"

        @step
        def work(self):
            return 1

    for _ in range(3):
        run(Plain)
    durable.advance(timedelta(days=2))
    return Plain


@pytest.mark.parametrize("wrong", ["30d", None, True, b"1"])
def test_an_age_is_a_duration(Plain, wrong):
    with pytest.raises(TypeError, match="older_than is a timedelta or a number of seconds"):
        durable.prune(wrong)


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), timedelta(days=-1)])
def test_an_age_is_not_negative_nor_without_end(Plain, wrong):
    with pytest.raises(ValueError, match="older_than"):
        durable.prune(wrong)


@pytest.mark.parametrize("wrong", ["running", "done", ["completed", "waiting"], "", []])
def test_only_final_statuses_can_be_asked_for(Plain, wrong):
    with pytest.raises(ValueError, match="status is"):
        durable.prune(0, status=wrong)


@pytest.mark.parametrize("wrong", [7, [7], object()])
def test_a_status_is_a_text(Plain, wrong):
    with pytest.raises((TypeError, ValueError), match="status is"):
        durable.prune(0, status=wrong)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"batch_size": 0}, ValueError),
        ({"batch_size": 10_001}, ValueError),
        ({"batch_size": "5"}, TypeError),
        ({"limit": 0}, ValueError),
        ({"limit": True}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"reason": 7}, TypeError),
        ({"by": 7}, TypeError),
        ({"workflow": 7}, TypeError),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_deleted(Plain, wrong, error):
    with pytest.raises(error, match=next(iter(wrong))):
        durable.prune(0, **wrong)
    assert Execution.objects.count() == 3


def test_a_workflow_is_a_class_or_a_name_that_code_or_a_run_has(Plain):
    with pytest.raises(WorkflowNotFound, match='did you mean "plain"'):
        durable.prune(0, workflow="plan")
    assert durable.prune(timedelta(days=3), workflow=Plain).trees == 0
    assert durable.prune(0, workflow="plain", limit=1).trees == 1
    with isolate_registry():
        Execution.objects.update(workflow_name="gone")
        assert durable.prune(0, workflow="gone").trees == 2


def test_a_status_may_be_one_of_the_enum(Plain):
    assert durable.prune(0, status=ExecutionStatus.FAILED).trees == 0
    assert durable.prune(0, status={ExecutionStatus.COMPLETED}).trees == 3


def test_progress_is_told_after_each_batch(Plain):
    told = []
    done = durable.prune(0, batch_size=2, progress=told.append)
    assert [sum_so_far.trees for sum_so_far in told] == [2, 3]
    assert told[-1] == done


def test_a_limit_takes_the_oldest_and_says_that_there_is_more(Plain):
    newest = Execution.objects.order_by("-id").first()
    done = durable.prune(0, limit=2)
    assert (done.trees, done.is_more) == (2, True)
    assert Execution.objects.get() == newest
    assert not durable.prune(0).is_more


def test_it_stops_when_its_time_is_up(Plain):
    done = durable.prune(0, timeout=0)
    assert (done.trees, done.is_more) == (0, True)
    assert not AuditEntry.objects.exists()


def test_a_dry_run_counts_what_would_go_and_writes_nothing(Plain):
    counted = durable.prune(0, dry_run=True)
    assert not AuditEntry.objects.exists()
    assert counted == durable.prune(0)
    assert counted.trees == 3


def test_who_did_it_and_why_is_kept(Plain):
    user = User.objects.create_user("ada")
    durable.prune(timedelta(days=1), status="completed", reason="room", by=user)
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.by, entry.reason) == ("prune", "ada", "room")
    assert (entry.execution_id, entry.queue, entry.schedule) == (None, "", "")
    assert entry.detail == {
        "older_than": 86_400.0,
        "status": ["completed"],
        "workflow": None,
        "trees": 3,
        "executions": 3,
    }


def test_what_was_deleted_before_something_went_wrong_is_kept_in_the_trail(Plain):
    def fail(done):
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError):
        durable.prune(0, batch_size=1, progress=fail)
    assert AuditEntry.objects.get().detail["trees"] == 1
    assert Execution.objects.count() == 2


def test_in_a_transaction_that_rolls_back_nothing_was_deleted(Plain):
    with transaction.atomic():
        assert durable.prune(0).trees == 3
        transaction.set_rollback(True)
    assert Execution.objects.count() == 3
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_coroutine_does_the_same(Plain):
    assert async_to_sync(durable.aprune)(0, workflow=Plain).trees == 3


def test_of_a_deleted_run_nothing_can_be_had_any_more(Plain):
    gone = Execution.objects.first()
    durable.prune(0)
    for act in (durable.get_execution, durable.cancel, durable.retry, durable.pause):
        with pytest.raises(durable.ExecutionNotFound):
            act(gone.pk)
    with pytest.raises(durable.ExecutionNotFound):
        durable.get_execution(uuid4())
