"""Delivering: what was sent reaches who waits for it, in its order, once; what nobody waits for is
kept."""

from datetime import timedelta
from uuid import UUID

import pytest

from durable_django.models import Event, Execution, Wait
from durable_django.store import clock, delivering, spreading
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel

from .parked import (
    held_now,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    state_of,
    wait_at,
    waiting_members,
)
from .rows import claim_one, make_run, make_worker, now_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


# To one run


def test_an_event_wakes_the_run_that_waits_for_it(worker):
    run = parked(worker, seconds=60, timeout=90)
    event = sent(run, {"n": 1})
    assert deliver_all(worker).woken == 1
    row, wait = now_of(run.id), wait_at(run)
    assert (row.status, row.worker_id, row.wake_at) == ("pending", None, None)
    assert row.due_at == row.timeout_at, "of the two only the run's own time is left"
    assert (wait.status, wait.value) == ("completed", {"n": 1})
    event.refresh_from_db()
    assert (event.status, event.wait_id) == ("delivered", wait.pk)
    assert event.examined_at == event.ended_at == wait.resolved_at
    assert row.ready_at == event.created_at, "of two, the one that was sent before is claimed first"
    assert deliver_all(worker) == (0, False, False)


def test_an_event_that_nobody_waits_for_is_kept(worker):
    run = parked(worker, name="shipped")
    event = sent(run)
    assert deliver_all(worker).woken == 0
    event.refresh_from_db()
    assert (event.status, event.ended_at, event.examined_at is not None) == ("kept", None, True)
    assert now_of(run.id).status == "waiting"


def test_events_for_one_wait_are_delivered_in_their_order_and_the_rest_is_kept(worker):
    run = parked(worker)
    events = [sent(run, number) for number in (1, 2, 3)]
    assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", 1)
    assert [state_of(event) for event in events] == ["delivered", "kept", "kept"]


def test_the_oldest_wait_of_a_run_gets_the_event_unless_its_key_picks_another(worker):
    run = parked(worker, "input")
    members = waiting_members(run, [{"key": key} for key in ("", "a", "b")])
    sent(run, "of b", key="b")
    sent(run, "of anybody")
    sent(run, "of nobody", key="c")
    assert deliver_all(worker).woken == 2
    assert outcome_of(run, "each[2]/paid") == ("completed", "of b")
    assert outcome_of(run, "each[0]/paid") == ("completed", "of anybody")
    statuses = [now_of(pk).status for pk in members]
    assert statuses == ["pending", "waiting", "pending"]
    assert now_of(run.id).status == "waiting"


def test_a_callback_reaches_the_item_it_was_made_in(worker):
    run = parked(worker, "input")
    waiting_members(run, [{"kind": "callback"} for _ in range(12)])
    sent(run, 5, kind="callback", scope="each[1]/")
    sent(run, 6, kind="callback")
    sent(run, 7)
    assert deliver_all(worker).woken == 2
    assert outcome_of(run, "each[1]/paid") == ("completed", 5)
    assert outcome_of(run, "each[0]/paid") == ("completed", 6)
    assert Event.objects.filter(status="kept").count() == 1


def test_any_and_all_of_several_are_delivered(worker):
    any_of, all_of = (
        parked(worker, "any", names=("a", "b")),
        parked(worker, "all", names=("a", "b")),
    )
    for run in (any_of, all_of):
        sent(run, "of b", "b")
    assert deliver_all(worker).woken == 1
    assert outcome_of(any_of) == ("completed", ("b", "of b"))
    assert outcome_of(all_of)[0] == "open"
    sent(all_of, "of a", "a")
    assert deliver_all(worker).woken == 1
    assert outcome_of(all_of) == ("completed", {"a": "of a", "b": "of b"})
    assert set(Event.objects.values_list("status", flat=True)) == {"delivered"}


def test_an_event_sent_after_the_time_of_a_wait_is_kept_for_another(worker):
    run = parked(worker, seconds=60)
    later(61)
    event = sent(run, "late")
    assert deliver_all(worker).woken == 0
    assert (state_of(event), outcome_of(run)[0]) == ("kept", "open")


def test_an_event_of_a_run_that_has_ended_wakes_nobody(worker):
    run = parked(worker)
    event = sent(run)
    cancel(run.id, "")
    assert deliver_all(worker).woken == 0
    assert (now_of(run.id).status, state_of(event)) == ("cancelled", "kept")


def test_a_run_that_somebody_drives_is_not_woken(worker):
    run = parked(worker)
    Execution.objects.filter(pk=run.id).update(status="running", worker_id=worker, lease=2)
    sent(run)
    assert deliver_all(worker) == (0, False, True)
    assert outcome_of(run)[0] == "open"


# Many


def test_each_of_three_thousand_members_gets_the_event_with_its_key(worker):
    run = parked(worker, "input")
    members = waiting_members(run, [{"key": f"{n}"} for n in range(3_000)])
    for number in (2_999, 0, 1_500):
        sent(run, number, key=f"{number}")
    assert deliver_all(worker).woken == 3
    pending = set(Execution.objects.filter(status="pending").values_list("id", flat=True))
    assert pending == {members[number] for number in (0, 1_500, 2_999)}
    assert outcome_of(run, "each[2999]/paid") == ("completed", 2_999)


def test_of_many_that_wait_for_any_of_several_the_one_that_waits_for_this_is_found(worker):
    run = parked(worker, "input")
    columns = [{"kind": "any", "name": "", "names_text": f'["a{n}","b{n}"]'} for n in range(2_100)]
    waiting_members(run, columns)
    sent(run, 1, "b2099")
    assert deliver_all(worker).woken == 1
    assert outcome_of(run, "each[2099]/paid") == ("completed", ("b2099", 1))


def test_of_many_that_wait_for_all_of_several_the_one_that_waits_for_this_is_found(worker):
    run = parked(worker, "input")
    columns = [{"kind": "all", "name": "", "names_text": f'["a{n}"]'} for n in range(2_100)]
    waiting_members(run, columns)
    sent(run, 1, "a2099")
    assert deliver_all(worker).woken == 1
    assert outcome_of(run, "each[2099]/paid") == ("completed", {"a2099": 1})


def test_many_that_miss_something_else_hide_nobody_whom_an_event_is_enough_for(worker):
    run = parked(worker, "input")
    columns = [{"kind": "all", "name": "", "names_text": f'["a","b{n}"]'} for n in range(2_100)]
    columns.append({"kind": "any", "name": "", "names_text": '["a","c"]'})
    waiting_members(run, columns)
    sent(run, 1, "b2099")
    assert deliver_all(worker).woken == 0
    sent(run, 2, "a")
    assert deliver_all(worker).woken == 1
    assert outcome_of(run, "each[2099]/paid") == ("completed", {"a": 2, "b2099": 1})
    sent(run, 3, "a")
    assert deliver_all(worker).woken == 1
    assert outcome_of(run, "each[2100]/paid") == ("completed", ("a", 3))


def test_of_many_events_and_members_each_goes_where_it_belongs(worker):
    run = parked(worker, "input")
    waiting_members(run, [{"key": f"{n % 700}"} for n in range(2_100)])
    for number in range(150):
        sent(run, number, key=f"{number % 50}")
    assert deliver_all(worker).woken == 150
    for number in (0, 49, 50, 99, 100, 149):  # the oldest three of each key, in their order
        place = number % 50 + 700 * (number // 50)
        assert outcome_of(run, f"each[{place}]/paid") == ("completed", number)


def test_events_of_many_runs_are_all_delivered_though_some_have_several(worker):
    runs = [parked(worker) for _ in range(130)]
    for run in runs:
        sent(run, 1)
        sent(run, 2)
    assert deliver_all(worker).woken == 130
    assert set(Event.objects.values_list("status", flat=True)) == {"delivered", "kept"}


def test_more_events_than_are_looked_at_at_once_are_all_delivered(worker, monkeypatch):
    monkeypatch.setattr(delivering, "EVENTS_MAX", 3)
    run = parked(worker, "input")
    waiting_members(run, [{} for _ in range(10)])
    for number in range(10):
        sent(run, number)
    assert deliver_all(worker).woken == 10
    assert outcome_of(run, "each[9]/paid") == ("completed", 9)


# Published


def test_a_published_event_wakes_every_run_that_waits_for_its_name_and_key(worker):
    runs = [parked(worker, key="inv_1") for _ in range(3)]
    others = [parked(worker, key="inv_2"), parked(worker), parked(worker, name="shipped")]
    several = parked(worker, "any", names=("x", "paid"), key="inv_1")
    event = published({"n": 1}, key="inv_1")
    assert deliver_all(worker).woken == 4
    assert [outcome_of(run) for run in runs] == [("completed", {"n": 1})] * 3
    assert outcome_of(several) == ("completed", ("paid", {"n": 1}))
    assert [outcome_of(run)[0] for run in others] == ["open"] * 3
    event.refresh_from_db()
    assert (event.status, event.ended_at is not None) == ("delivered", True)
    assert Event.objects.filter(source_id=event.pk).count() == 4


def test_a_published_event_without_keep_does_not_reach_waits_that_begin_later(worker):
    published(1)
    assert deliver_all(worker).woken == 0
    assert outcome_of(parked(worker))[0] == "open"
    assert deliver_all(worker).woken == 0


def test_a_published_event_reaches_a_run_once_whoever_in_it_waits(worker):
    run = parked(worker, "input")
    waiting_members(run, [{}, {}])
    published(1)
    assert deliver_all(worker).woken == 1
    assert [outcome_of(run, f"each[{n}]/paid")[0] for n in (0, 1)] == ["completed", "open"]


def test_published_events_reach_a_run_in_their_order(worker):
    run = parked(worker, "all", names=("a", "b"))
    beside = parked(worker, name="a")
    for number, name in enumerate(("a", "a", "b")):
        published(number, name)
    assert deliver_all(worker).woken == 2
    assert outcome_of(run) == ("completed", {"a": 0, "b": 2})
    assert outcome_of(beside) == ("completed", 0)


def test_more_runs_than_are_written_to_at_once_get_a_published_event(worker, monkeypatch):
    monkeypatch.setattr(spreading, "COPIES", 4)
    runs = [parked(worker) for _ in range(11)]
    published(1)
    assert deliver_all(worker).woken == 11
    assert {outcome_of(run) for run in runs} == {("completed", 1)}


def test_copies_that_a_worker_left_unfinished_are_finished_by_the_next(worker, monkeypatch):
    monkeypatch.setattr(spreading, "COPIES", 4)
    runs = [parked(worker) for _ in range(11)]
    event = published(1)
    spreading._copy_batch(worker, event, 0)  # and here he dies
    assert Event.objects.filter(source_id=event.pk).count() == 4
    other = make_worker()
    assert deliver_all(other).woken == 11
    assert {outcome_of(run) for run in runs} == {("completed", 1)}
    assert Event.objects.filter(source_id=event.pk).count() == 11


def test_a_published_event_sent_after_the_time_of_a_wait_does_not_end_it(worker):
    run = parked(worker, seconds=60)
    later(61)
    published(1)
    deliver_all(worker)
    assert outcome_of(run)[0] == "open"


# Answers


def answered(wait, value="5"):
    now = clock.now()
    Wait.objects.filter(pk=wait.pk).update(status="answered", value_text=value, answered_at=now)


def test_an_answer_wakes_the_run_that_asked(worker):
    run = parked(worker, "input", "manager", seconds=60)
    answered(wait_at(run))
    assert deliver_all(worker).woken == 1
    assert now_of(run.id).status == "pending"
    wait = wait_at(run)
    assert (wait.status, wait.value, wait.resolved_at is not None) == ("completed", 5, True)
    assert deliver_all(worker) == (0, False, False)
    claim_one(worker, run.id)


def test_many_answers_are_all_delivered(worker, monkeypatch):
    monkeypatch.setattr(delivering, "BATCH", 4)
    runs = [parked(worker, "input", "manager") for _ in range(11)]
    for run in runs:
        answered(wait_at(run))
    assert deliver_all(worker).woken == 11
    assert {now_of(run.id).status for run in runs} == {"pending"}


def test_an_answer_to_a_run_that_has_ended_wakes_nobody(worker):
    run = parked(worker, "input", "manager")
    answered(wait_at(run))
    cancel(run.id, "")
    assert deliver_all(worker).woken == 0
    assert now_of(run.id).status == "cancelled"


def test_a_run_that_ends_while_its_answer_is_delivered_stays_ended(worker, monkeypatch):
    """Cancelled after the answer was read, before its run is locked."""
    run, beside = (parked(worker, "input", "manager") for _ in range(2))
    for each in (run, beside):
        answered(wait_at(each))
    lock_parked = delivering._lock_parked

    def locked_too_late(ids):
        if run.id in ids and now_of(run.id).status == "waiting":
            cancel(run.id, "")
        return lock_parked(ids)

    monkeypatch.setattr(delivering, "_lock_parked", locked_too_late)
    deliver_all(worker)
    assert (now_of(run.id).status, wait_at(run).status) == ("cancelled", "cancelled")
    assert now_of(beside.id).status == "pending"


def test_a_run_that_ends_while_its_event_is_delivered_stays_ended(worker, monkeypatch):
    run = parked(worker)
    event = sent(run)
    lock_parked = delivering._lock_parked

    def locked_too_late(ids):
        if now_of(run.id).status == "waiting":
            cancel(run.id, "")
        return lock_parked(ids)

    monkeypatch.setattr(delivering, "_lock_parked", locked_too_late)
    while deliver_all(worker).is_locked:
        pass
    assert (now_of(run.id).status, wait_at(run).status) == ("cancelled", "cancelled")
    assert state_of(event) == "kept"


def test_nothing_is_delivered_where_nothing_was_sent(worker):
    run = parked(worker)
    make_run()
    held_now(worker)
    assert deliver_all(worker) == (0, False, False)
    assert write_wave(worker, [parking(run)]) == ["lost"]
    assert isinstance(worker, UUID)
