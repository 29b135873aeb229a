"""Dispatch: what is ready is handed over once, and taken by whoever has the number of its lease."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

import durable_django as durable
from durable_django.models import Execution, Worker
from durable_django.store import clock, dispatching, leases, queues
from durable_django.store.claiming import claim, release
from durable_django.store.dispatching import Hint
from durable_django.store.gates import read_gates

from .rows import at_once, make_run, make_worker, now_of

pytestmark = pytest.mark.django_db


def take(hint, worker=None):
    found, _ = dispatching.take(worker or make_worker(), hint, read_gates())
    return found


def handed_over(count=10, queue="default"):
    return dispatching.hand_over(queue, count)


# -- handing over ------------------------------------------------------------------------------


def test_what_is_ready_is_handed_over_once_the_most_urgent_first():
    old, urgent, new = make_run(), make_run(priority=5), make_run()
    assert handed_over(2) == [Hint(urgent.pk, 0), Hint(old.pk, 0)]
    assert handed_over(2) == [Hint(new.pk, 0)]
    assert handed_over(2) == []
    assert dispatching.untaken(["default"]) == 3


def test_nothing_is_handed_over_without_room():
    make_run()
    assert handed_over(0) == handed_over(-1) == []


def test_only_what_is_ready_is_handed_over():
    running, cancelled, paused, later = (make_run() for _ in range(4))
    claim(make_worker(), ["default"], 1)
    durable.cancel(cancelled)
    durable.pause(paused)
    Execution.objects.filter(pk=later.pk).update(
        status="scheduled", due_at=clock.now() + timedelta(days=1)
    )
    other = make_run(queue="other")
    assert handed_over() == []
    ids = [run.pk for run in (running, cancelled, paused, later, other)]
    assert dispatching.hand_over_these("default", ids, 9) == []
    assert dispatching.hand_over_these("other", ids, 9) == [Hint(other.pk, 0)]


def test_of_these_none_is_handed_over_while_it_is_the_turn_of_another():
    first, urgent, last = make_run(), make_run(priority=1), make_run()
    assert dispatching.hand_over_these("default", [first.pk, last.pk], 2) is None
    assert dispatching.untaken(["default"]) == 0
    ids = [last.pk, urgent.pk, first.pk]
    assert dispatching.hand_over_these("default", ids, 2) == [Hint(urgent.pk, 0), Hint(first.pk, 0)]


def test_the_statuses_stay_as_they_are():
    run = make_run()
    handed_over()
    row = now_of(run.pk)
    assert (row.status, row.worker_id, row.lease, row.dispatched_lease) == ("pending", None, 0, 0)
    assert row.dispatched_at is not None


def test_what_was_not_sent_can_be_handed_over_again():
    make_run()
    hints = handed_over()
    dispatching.withdraw(hints)
    assert dispatching.untaken(["default"]) == 0
    assert handed_over() == hints


# -- taking ------------------------------------------------------------------------------------


def test_the_first_who_comes_gets_it_and_all_others_nothing():
    make_run('{"n":1}')
    (hint,) = handed_over()
    worker = make_worker()
    taken = take(hint, worker)
    assert (taken.id, taken.lease, taken.input_text) == (hint.execution_id, 1, '{"n":1}')
    row = now_of(hint.execution_id)
    assert (row.status, row.worker_id, row.dispatched_lease) == ("running", worker, None)
    assert take(hint) is None
    assert dispatching.untaken(["default"]) == 0


def test_a_hint_of_an_earlier_turn_is_outdated():
    make_run()
    (old,) = handed_over()
    worker = make_worker()
    release(worker, {old.execution_id: take(old, worker).lease})
    assert dispatching.take(worker, old, read_gates()) == (None, "")
    (new,) = handed_over()
    assert new == Hint(old.execution_id, 2)
    assert take(new).lease == 3


def test_a_hint_need_not_have_been_handed_over_by_us():
    run = make_run()
    assert take(Hint(run.pk, 0)).id == run.pk


def test_a_worker_with_threads_may_take_what_was_handed_over():
    make_run()
    (hint,) = handed_over()
    (claimed,) = claim(make_worker(), ["default"], 1)
    assert claimed.id == hint.execution_id
    assert take(hint) is None
    assert now_of(hint.execution_id).dispatched_lease is None


@pytest.mark.parametrize("change", [durable.cancel, durable.pause])
def test_what_was_stopped_meanwhile_is_not_taken(change):
    run = make_run()
    (hint,) = handed_over()
    change(run)
    assert take(hint) is None
    assert now_of(run.pk).worker_id is None


def test_what_was_paused_is_handed_over_again_when_it_is_resumed():
    run = make_run()
    (hint,) = handed_over()
    durable.pause(run)
    assert take(hint) is None
    durable.resume(run)
    (again,) = handed_over()
    assert take(again).id == run.pk


def test_a_run_that_is_retried_is_handed_over_though_it_was_before_it_ended():
    run = make_run()
    (hint,) = handed_over()
    durable.cancel(run)
    Execution.objects.filter(pk=run.pk).update(status="failed")
    durable.retry(run)
    (again,) = handed_over()
    assert again.lease > hint.lease
    assert take(hint) is None
    assert take(again).id == run.pk


def test_of_a_paused_queue_nothing_is_taken_until_it_is_resumed():
    make_run()
    (hint,) = handed_over()
    queues.ensure(["default"])
    durable.pause_queue("default")
    assert dispatching.take(make_worker(), hint, read_gates()) == (None, "default")
    durable.resume_queue("default")
    assert handed_over() == [hint]
    assert take(hint).id == hint.execution_id


def test_of_a_limited_queue_no_more_are_taken_than_it_has_places():
    queues.ensure(["default"])
    durable.limit_queue("default", 1)
    for _ in range(2):
        make_run()
    first, second = handed_over()
    worker = make_worker()
    taken = take(first, worker)
    assert taken.id == first.execution_id
    assert take(second) is None
    release(worker, {taken.id: taken.lease})
    # The other one is older in its turn.
    assert handed_over()[0].execution_id == first.execution_id


@pytest.mark.django_db(transaction=True)
def test_of_many_who_come_with_one_hint_one_gets_the_run():
    run = make_run()
    (hint,) = handed_over()
    workers = [make_worker() for _ in range(4)]
    found = at_once(*(lambda worker=worker: take(hint, worker) for worker in workers))
    assert [taken.id for taken in found if taken] == [run.pk]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_hand_over_at_once_each_hands_over_others():
    for _ in range(12):
        make_run()
    found = at_once(*(lambda: handed_over(3) for _ in range(4)))
    hints = [hint for hints in found for hint in hints]
    assert len(hints) == len(set(hints))
    assert {*hints, *handed_over(12)} == {
        Hint(pk, 0) for pk in Execution.objects.values_list("id", flat=True)
    }


# -- what is lost ------------------------------------------------------------------------------


def test_what_nobody_takes_is_told_with_its_age_the_oldest_first():
    make_run(), make_run(queue="other")
    (first,) = handed_over()
    clock.advance(timedelta(seconds=30))
    (second,) = handed_over(queue="other")
    clock.advance(timedelta(seconds=10))
    found = dispatching.oldest_untaken(["default", "other"])
    assert [(one.queue, one.hint, round(one.seconds)) for one in found] == [
        ("default", first, 40),
        ("other", second, 10),
    ]
    assert dispatching.oldest_untaken(["another"]) == []


def test_what_is_sent_again_is_as_young_as_new():
    make_run()
    (hint,) = handed_over()
    clock.advance(timedelta(seconds=30))
    dispatching.mark_again([hint])
    assert round(dispatching.oldest_untaken(["default"])[0].seconds) == 0
    take(hint)
    dispatching.mark_again([hint])
    assert now_of(hint.execution_id).dispatched_lease is None


# -- processes ---------------------------------------------------------------------------------


def a_process(cluster="main", threads=1, executor="engine"):
    worker = make_worker()
    Worker.objects.filter(pk=worker).update(executor=executor, threads=threads, cluster=cluster)
    return worker


def test_processes_are_counted_that_live_run_steps_and_belong_to_the_cluster():
    idle, busy, dead, late = (a_process() for _ in range(4))
    a_process(threads=0), a_process(cluster="other"), a_process(executor="threads")
    leases.declare_dead(dead, overdue_only=False)
    make_run()
    assert take(handed_over()[0], busy) is not None
    Worker.objects.filter(pk=late).update(heartbeat_at=clock.now() - timedelta(hours=1))
    assert dispatching.processes("engine", "main") == (2, 1)
    assert dispatching.processes("engine", "nobody") == (0, 0)
    assert idle != busy


def test_what_is_under_way_is_seen_in_one_look(django_assert_num_queries):
    # race: ready-and-held
    def seen(paused=()):
        with django_assert_num_queries(1):
            return dispatching.is_any_under_way(["default"], paused)

    make_run(queue="other")
    assert not seen()
    make_run()
    assert (seen(), seen({"default"})) == (True, False)
    claim(make_worker(), ["default"], 1)
    assert (seen(), seen({"default"})) == (True, True)


# -- cost --------------------------------------------------------------------------------------


def test_handing_over_reads_what_is_ready_and_what_is_handed_over_by_index():
    for _ in range(3):
        make_run()
    handed_over(1)
    ready = dispatching._ready().filter(queue="default").order_by("-priority", "ready_at", "id")
    for rows, index in (
        (ready, "durable_execution_ready"),
        (dispatching._untaken(["default"]).order_by("dispatched_at"), "durable_execution_sent"),
    ):
        with transaction.atomic():
            if connection.vendor == "postgresql":
                connection.cursor().execute("SET LOCAL enable_seqscan = off")
            assert index in rows.explain()
