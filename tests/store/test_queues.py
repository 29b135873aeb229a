"""Queues: rows are made where they are missing, and each decision is told in the audit trail."""

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings

from durable_django.exceptions import InvalidState, QueueNotFound
from durable_django.models import AuditEntry, Queue, Worker
from durable_django.store import queues

from .rows import at_once, held, make_run, make_worker

pytestmark = pytest.mark.django_db


def told(name):
    rows = AuditEntry.objects.filter(queue=name, execution__isnull=True).order_by("id")
    return [(row.verb, row.by, row.reason, row.detail) for row in rows]


def test_a_worker_makes_the_rows_of_its_queues_that_are_missing():
    assert queues.ensure(["high", "low"]) == 2
    first_seen = Queue.objects.get(pk="high").created_at
    queues.pause("high", "", None)
    assert queues.ensure(["high", "low", "new"]) == 1
    high = Queue.objects.get(pk="high")
    assert (high.created_at, high.is_paused) == (first_seen, True)
    assert list(Queue.objects.values_list("name", flat=True)) == ["high", "low", "new"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_start_at_the_same_moment_make_each_row_once():
    made = at_once(*[lambda: queues.ensure(["high", "low"])] * 3)
    assert set(made) <= {0, 2}
    assert Queue.objects.count() == 2


def test_pausing_and_resuming_keep_who_when_and_why():
    user = get_user_model().objects.create_user("ada")
    queue = queues.pause("default", "provider down", user)
    assert (queue.name, queue.is_paused) == ("default", True)
    assert Queue.objects.get(pk="default").paused_at == queue.paused_at
    assert not queues.resume("default", "it is back", "night shift").is_paused
    assert told("default") == [
        ("pause", "ada", "provider down", {}),
        ("resume", "night shift", "it is back", {}),
    ]


def test_a_limit_is_kept_with_the_one_before():
    assert queues.limit("default", 3, "", None).concurrency_limit == 3
    assert queues.limit("default", None, "enough", "bo").concurrency_limit is None
    assert told("default") == [
        ("limit", "", "", {"limit": 3, "before": None}),
        ("limit", "bo", "enough", {"limit": None, "before": 3}),
    ]


def test_a_limit_leaves_a_pause_as_it_is_and_a_pause_the_limit():
    queues.limit("default", 3, "", None)
    assert queues.pause("default", "", None).concurrency_limit == 3
    assert queues.limit("default", 4, "", None).is_paused
    assert queues.resume("default", "", None).concurrency_limit == 4


def test_what_is_paused_is_not_paused_again_and_what_is_open_not_resumed():
    with pytest.raises(InvalidState, match="queue 'default' is not paused"):
        queues.resume("default", "", None)
    queues.pause("default", "", None)
    with pytest.raises(InvalidState, match="is already paused") as refused:
        queues.pause("default", "", None)
    assert refused.value.status == "paused"
    assert [verb for verb, *_ in told("default")] == ["pause"], "what was refused left nothing"


def test_a_wrong_by_leaves_nothing():
    with pytest.raises(TypeError, match="by is a user"):
        queues.pause("default", "", 7)
    assert not Queue.objects.filter(paused_at__isnull=False).exists()
    assert told("default") == []


def test_a_queue_that_nobody_knows_is_not_found_and_the_nearest_is_named():
    queues.ensure(["reports"])
    for act in (queues.pause, queues.resume):
        with pytest.raises(QueueNotFound, match="'reprots'; did you mean \"reports\""):
            act("reprots", "", None)
    with pytest.raises(QueueNotFound):
        queues.limit("reprots", 3, "", None)
    assert not Queue.objects.filter(pk="reprots").exists()


def test_settings_rows_workers_and_runs_make_a_queue_known():
    assert queues.is_known("default")
    for name in ("set", "row", "served", "ready", "held"):
        assert not queues.is_known(name)
    with override_settings(DURABLE={"QUEUES": {"set": {}}}):
        assert queues.is_known("set")
    queues.ensure(["row"])
    worker = make_worker()
    Worker.objects.filter(pk=worker).update(queues=["served"])
    make_run(queue="ready")
    held(worker)
    from durable_django.models import Execution

    Execution.objects.filter(queue="default").update(queue="held")
    assert all(queues.is_known(name) for name in ("row", "served", "ready", "held"))
    Worker.objects.update(status="stopped")
    assert not queues.is_known("served"), "a worker that is gone serves nothing"


def test_the_list_has_every_queue_once_by_name():
    for queue in ("ready", "ready", "alpha", "row"):
        make_run(queue=queue)
    queues.ensure(["row"])
    queues.pause("row", "", None)
    Worker.objects.filter(pk=make_worker()).update(queues=["served"])
    with override_settings(DURABLE={"QUEUES": {"set": {}}}):
        found = queues.listed()
    names = [queue.name for queue in found]
    assert names == sorted(names)
    assert {"alpha", "default", "ready", "row", "served", "set"} <= set(names)
    assert [queue.name for queue in found if queue.is_paused] == ["row"]
    assert Queue.objects.count() == 1, "to look writes nothing"
    assert len(names) == len(set(names))


def test_however_many_queues_there_are_a_list_takes_three_statements(django_assert_num_queries):
    for n in range(5):
        make_run(queue=f"queue{n}")
    queues.listed()
    with django_assert_num_queries(3):
        queues.listed()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_pause_at_the_same_moment_one_is_told_that_it_is_paused():
    for _ in range(5):
        gave = at_once(*[lambda: queues.pause("default", "", None)] * 2)
        assert sorted(type(each).__name__ for each in gave) == ["InvalidState", "Queue"]
        queues.resume("default", "", None)
    assert [verb for verb, *_ in told("default")] == ["pause", "resume"] * 5
