"""Parking: the wait, the step run and the parked run are one write; the inbox is looked into."""

from datetime import timedelta

import pytest

from durable_django.models import Event, Execution, StepRun, Wait
from durable_django.models.ids import uuid7
from durable_django.store import clock, spreading
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.waits import recorded_waits, remember

from .parked import (
    called,
    calling,
    held_now,
    kept,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    state_of,
    wait_at,
    wait_of,
)
from .rows import claim_one, make_worker, now_of, seqs_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


# What is written


def test_the_wait_the_step_run_and_the_parked_run_are_written_at_once(worker):
    run = parked(worker, key="inv_1", seconds=60)
    row, wait, step = now_of(run.id), wait_at(run), StepRun.objects.get()
    assert (row.status, row.wake_at, row.due_at) == ("waiting", wait.due_at, wait.due_at)
    assert (row.worker_id, row.lease) == (None, run.lease)
    assert (wait.member_id, wait.kind, wait.name, wait.key) == (run.id, "event", "paid", "inv_1")
    assert (wait.status, wait.resolved_at, wait.seq) == ("open", None, 1)
    assert (step.status, step.finished_at, step.path) == ("waiting", None, "paid")


def test_a_wait_is_due_before_the_run_is_and_the_run_before_a_longer_wait(worker):
    short, long = parked(worker, seconds=5, timeout=60), parked(worker, seconds=90, timeout=60)
    assert now_of(short.id).due_at == wait_at(short).due_at
    assert now_of(long.id).due_at == now_of(long.id).timeout_at


def test_whoever_has_lost_the_lease_parks_nothing(worker):
    run, calls = held_now(worker), held_now(worker)
    call, child_id = calling(calls)
    late = [parking(run), call]
    for each in (run, calls):
        cancel(each.id, "")
    assert write_wave(worker, late) == ["lost", "lost"]
    assert not Wait.objects.exists()
    assert not StepRun.objects.exists()
    assert not Execution.objects.filter(pk=child_id).exists()
    assert now_of(run.id).status == "cancelled"


def test_a_wave_parks_many_each_with_its_own_inbox(worker):
    runs = [held_now(worker) for _ in range(4)]
    for n in (1, 3):
        kept(runs[n].id, [f"k{n}"])
    wave = [parking(run, key=f"k{n}") for n, run in enumerate(runs)]
    assert write_wave(worker, wave) == ["written"] * 4
    assert [now_of(run.id).status for run in runs] == ["waiting", "pending"] * 2
    assert outcome_of(runs[3]) == ("completed", "k3")


def test_a_parked_run_goes_on_with_the_same_step_run(worker):
    run = parked(worker)
    sent(run, 5)
    deliver_all(worker)
    again = claim_one(worker, run.id)
    (row,) = again.recorded
    assert (row.status, row.seq, row.attempt) == ("waiting", 1, 1)
    assert again.lease == run.lease + 1
    ((found,),) = again.waits.values()
    assert (found.path, found.status, found.value_text) == ("paid", "completed", "5")
    assert seqs_of(run.id) == [1]


def test_a_wait_made_anew_stands_in_the_place_of_the_old_one(worker):
    run = held_now(worker)
    write_wave(worker, [parking(run, key="old", seconds=5)])
    Wait.objects.update(status="timed_out", resolved_at=clock.now())
    Execution.objects.update(status="pending", wake_at=None, due_at=None)
    again = claim_one(worker, run.id)
    assert write_wave(worker, [parking(again, key="new", seq=2, anew=True)]) == ["written"]
    (wait,) = Wait.objects.all()
    assert (wait.key, wait.status, wait.seq, wait.due_at) == ("new", "open", 2, None)


# What was there before


def test_an_event_that_came_before_ends_the_wait_as_it_is_parked(worker):
    run = held_now(worker)
    event = sent(run, {"n": 1})
    deliver_all(worker)
    assert state_of(event) == "kept"
    assert write_wave(worker, [parking(run, seconds=60)]) == ["written"]
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.wake_at, row.due_at) == ("pending", None, None, None)
    assert outcome_of(run) == ("completed", {"n": 1})
    event.refresh_from_db()
    assert (event.status, event.wait_id) == ("delivered", wait_at(run).pk)
    assert event.ended_at is not None
    claim_one(worker, run.id)


def test_an_event_nobody_has_looked_at_yet_is_delivered_after_the_parking(worker):
    run = held_now(worker)
    sent(run, 1)
    write_wave(worker, [parking(run)])
    assert now_of(run.id).status == "waiting"
    assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", 1)


def test_events_that_came_before_are_taken_in_their_order(worker):
    run = held_now(worker)
    for number in (1, 2, 3):
        sent(run, number)
    deliver_all(worker)
    for number in (1, 2, 3):
        write_wave(worker, [parking(run, path=f"poll[{number}]/paid", seq=number)])
        assert outcome_of(run, f"poll[{number}]/paid") == ("completed", number)
        run = claim_one(worker, run.id)
    write_wave(worker, [parking(run, path="poll[4]/paid", seq=4)])
    assert outcome_of(run, "poll[4]/paid") == ("open", None)


def test_an_event_given_back_comes_before_those_that_were_sent_after_it(worker):
    run = held_now(worker)
    first, _ = sent(run, 1), sent(run, 2)
    deliver_all(worker)
    # As a member leaves it that had been given it, and has lost since.
    Event.objects.filter(pk=first.pk).update(status="new", examined_at=None)
    write_wave(worker, [parking(run)])
    deliver_all(worker)
    assert outcome_of(run) == ("completed", 1)


def test_of_an_inbox_that_nobody_reads_the_event_with_the_right_key_is_found(worker):
    run = held_now(worker)
    kept(run.id, [f"other {n}" for n in range(1_200)])
    kept(run.id, ["mine"])
    write_wave(worker, [parking(run, key="mine")])
    assert outcome_of(run) == ("completed", "mine")


def test_of_an_inbox_that_nobody_reads_the_oldest_of_each_name_are_found(worker):
    run = held_now(worker)
    kept(run.id, [f"{n}" for n in range(1_200)], "other")
    kept(run.id, [""], "a")
    kept(run.id, [""], "b")
    every = parking(run, "all", names=("a", "b"))
    write_wave(worker, [every])
    assert outcome_of(run) == ("completed", {"a": "", "b": ""})


def test_all_of_several_takes_what_was_kept_only_when_nothing_is_missing(worker):
    run = held_now(worker)
    first = sent(run, 1, "a")
    deliver_all(worker)
    write_wave(worker, [parking(run, "all", names=("a", "b"))])
    assert (now_of(run.id).status, state_of(first)) == ("waiting", "kept")
    sent(run, 2, "b")
    deliver_all(worker)
    assert outcome_of(run) == ("completed", {"a": 1, "b": 2})
    assert state_of(first) == "delivered"


def test_what_was_sent_after_the_time_of_a_wait_that_is_due_at_once_is_kept(worker):
    run = held_now(worker)
    event = sent(run, 1)
    deliver_all(worker)
    write_wave(worker, [parking(run, due_at=event.created_at - timedelta(seconds=1))])
    assert (now_of(run.id).status, state_of(event)) == ("waiting", "kept")


def test_an_inbox_is_not_looked_into_for_what_comes_from_elsewhere(worker):
    for kind in ("sleep", "input"):
        run = held_now(worker)
        kept(run.id, [""])
        write_wave(worker, [parking(run, kind, seconds=60)])
        assert outcome_of(run)[0] == "open"


# Published events that are kept


def test_a_published_event_that_is_kept_reaches_waits_that_begin_later(worker):
    event = published(7, key="inv_1", keep_seconds=60)
    deliver_all(worker)
    assert state_of(event) == "kept"
    runs = [parked(worker, key="inv_1") for _ in range(2)]
    assert [outcome_of(run) for run in runs] == [("completed", 7)] * 2
    other = parked(worker, key="inv_2")
    assert outcome_of(other)[0] == "open"
    assert state_of(event) == "kept", "it is there for more"


def test_a_published_event_that_is_kept_reaches_a_run_once(worker):
    published(7, keep_seconds=60)
    run = parked(worker)
    assert outcome_of(run) == ("completed", 7)
    again = claim_one(worker, run.id)
    write_wave(worker, [parking(again, path="more", seq=2)])
    deliver_all(worker)
    assert outcome_of(run, "more") == ("open", None)
    assert Event.objects.filter(execution_id=run.id).count() == 1


def test_a_published_event_is_kept_no_longer_than_it_says(worker):
    event = published(7, keep_seconds=60)
    deliver_all(worker)
    later(61)
    run = parked(worker)
    assert outcome_of(run)[0] == "open"
    assert spreading.expire(worker) == 1
    assert state_of(event) == "expired"
    assert spreading.expire(worker) == 0


def test_several_that_wait_for_any_or_all_take_published_events_that_are_kept(worker):
    for name in ("a", "b"):
        published(name, name, keep_seconds=60)
    deliver_all(worker)
    any_of, all_of = (
        parked(worker, "any", names=("x", "b")),
        parked(worker, "all", names=("a", "b")),
    )
    assert outcome_of(any_of) == ("completed", ("b", "b"))
    assert outcome_of(all_of) == ("completed", {"a": "a", "b": "b"})


def test_a_run_that_waits_for_a_callback_gets_no_copy_of_a_published_event(worker):
    published(7, keep_seconds=60)
    deliver_all(worker)
    callback, event = held_now(worker), held_now(worker)
    write_wave(worker, [parking(callback, "callback"), parking(event)])
    assert outcome_of(event) == ("completed", 7)
    assert not Event.objects.filter(execution_id=callback.id).exists()


# Within a step


def test_what_a_step_remembers_is_written_under_its_lease(worker):
    run = held_now(worker)
    once = wait_of(run, "once", "token", position=1, status="completed", value_text="5")
    once = once._replace(resolved_at=clock.now())
    assert remember(run.lease, once) is True
    found = recorded_waits([(run.id, "paid")])
    assert [row.value_text for row in found[run.id, "paid"]] == ["5"]
    cancel(run.id, "")
    assert remember(run.lease, once._replace(position=2)) is False
    assert Wait.objects.count() == 1


def test_what_is_recorded_is_read_by_visit_and_position(worker):
    run, other = held_now(worker), held_now(worker)
    for each, path, position in ((run, "b", 2), (run, "a", 1), (run, "b", 1), (other, "a", 1)):
        once = wait_of(each, "once", "key", path=path, position=position, status="completed")
        remember(each.lease, once._replace(resolved_at=clock.now()))
    found = recorded_waits([(run.id, "b"), (other.id, "a")])
    places = {key: [row.position for row in rows] for key, rows in found.items()}
    # Others may be read with them, and are not asked for.
    assert places[run.id, "b"] == [1, 2]
    assert places[other.id, "a"] == [1]


# Stopping


def test_a_run_that_ends_waits_for_nothing_any_more(worker):
    run = parked(worker)
    cancel(run.id, "")
    wait = wait_at(run)
    assert (wait.status, wait.resolved_at is not None) == ("cancelled", True)
    assert StepRun.objects.get().status == "cancelled"
    event = published(1)
    deliver_all(worker)
    assert state_of(event) == "delivered"
    assert now_of(run.id).status == "cancelled"


def test_a_run_that_ends_cancels_what_it_has_called_and_leaves_what_it_abandons(worker):
    run, child_id = called(worker)
    cancel(run.id, "no longer")
    assert now_of(child_id).status == "cancelled"
    assert now_of(child_id).reason == "its caller has ended"
    run, child_id = called(worker, shares=False)
    cancel(run.id, "")
    assert now_of(child_id).status == "pending"


def test_a_child_that_has_ended_already_keeps_its_status(worker):
    run, child_id = called(worker)
    Execution.objects.filter(pk=child_id).update(status="completed", finished_at=clock.now())
    cancel(run.id, "")
    assert now_of(child_id).status == "completed"


def test_a_run_can_be_cancelled_though_the_row_of_its_child_is_gone(worker):
    run, child_id = called(worker)
    Execution.objects.filter(pk=child_id).delete()
    assert cancel(run.id, "").status == "cancelled"


def test_runs_that_have_called_each_other_as_deep_as_may_be_can_be_cancelled(worker):
    """The depth of the cascade is that of the rows, not that of Python's stack."""
    now, ids = clock.now(), [uuid7() for _ in range(600)]
    runs, waits = [], []
    for depth, pk in enumerate(ids):
        parent_id = ids[depth - 1] if depth else None
        known = {"created_at": now, "ready_at": now, "workflow_name": "deep", "status": "waiting"}
        runs.append(
            Execution(pk=pk, root_id=ids[0], parent_id=parent_id, depth=depth, lease=1, **known)
        )
        if depth:
            called_ = {"child_id": pk, "key": pk.hex, "on_cancel": "cancel", "name": "deep"}
            at = {"path": "call", "node": "call", "kind": "call", "created_at": now}
            waits.append(Wait(execution_id=parent_id, member_id=parent_id, **called_, **at))
    Execution.objects.bulk_create(runs, batch_size=50)
    Wait.objects.bulk_create(waits, batch_size=30)
    cancel(ids[0], "")
    assert set(Execution.objects.values_list("status", flat=True)) == {"cancelled"}
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()
