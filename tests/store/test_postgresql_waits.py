"""Races of waits on real connections: whoever is first, there is one outcome and nothing is stuck.

Collected on PostgreSQL only; see conftest.py.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections, transaction

from durable_django.exceptions import InvalidState
from durable_django.models import Event, Execution, Wait
from durable_django.store import advisory, clock, delivering
from durable_django.store.answering import answer
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.transactions import lock_execution
from durable_django.store.waking import wake_due
from tests.waiting import until

from .forks import writing
from .parked import (
    called,
    calling,
    ending,
    held_now,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    state_of,
    wait_at,
)
from .rows import OpenTransaction, at_once, claim_one, make_worker, now_of
from .test_postgresql_strands import Behind

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


@pytest.fixture(autouse=True)
def _no_waiting_for_locks():
    """Whoever waits for a lock of a row fails at once."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
    yield
    connections["default"].close()


@pytest.fixture
def worker(transactional_db):
    return make_worker()


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


def delivering_all(worker_id: UUID):
    """As a keeper does: again while something was locked."""

    def deliver():
        until(lambda: not deliver_all(worker_id).is_locked)

    return deliver


def no_errors(got):
    assert not [each for each in got if isinstance(each, Exception)], got


# An event and the parking of its run


def test_a_run_that_parks_while_its_inbox_is_delivered_tries_again(worker):
    run, beside = held_now(worker), held_now(worker)
    wave = [parking(run), parking(beside)]
    with OpenTransaction(lambda: advisory.hold([advisory.inbox_of(run.id)])):
        assert write_wave(worker, wave) == ["locked", "written"]
    assert not Wait.objects.filter(execution_id=run.id).exists()
    assert write_wave(worker, wave[:1]) == ["written"]


def test_an_inbox_is_not_delivered_while_its_run_parks(worker):
    run, beside = held_now(worker), parked(worker)
    for each in (run, beside):
        sent(each, 1)
    with OpenTransaction(lambda: write_wave(worker, [parking(run)])):
        done = deliver_all(make_worker())
        assert (done.woken, done.is_locked) == (1, True)
    assert outcome_of(beside) == ("completed", 1)
    assert deliver_all(worker) == (1, False, False)
    assert outcome_of(run) == ("completed", 1)


def test_an_event_sent_while_its_run_parks_is_found_by_one_of_the_two(worker):
    # race: park-and-publish
    other = make_worker()
    for number in range(ROUNDS):
        run = held_now(worker)
        no_errors(
            at_once(
                writing(worker, parking(run)),
                lambda r=run, n=number: (sent(r, n), delivering_all(other)()),
            )
        )
        assert outcome_of(run) == ("completed", number)
        assert now_of(run.id).status == "pending"
        assert Event.objects.get(execution_id=run.id).status == "delivered"


def test_an_event_published_while_runs_park_reaches_each_that_was_parked_before(worker):
    # race: publish-and-park
    """The parking is not committed when the worker that spreads the event first looks."""
    other = make_worker()
    before, meanwhile, after = parked(worker), held_now(worker), held_now(worker)
    with OpenTransaction(lambda: write_wave(worker, [parking(meanwhile)])) as its_parking:
        published(1)
        spreading = Behind(delivering_all(other))
        assert write_wave(worker, [parking(after)]) == ["locked"], "who asks is not overtaken"
        its_parking.end()
        assert spreading.end() is None
    assert outcome_of(before) == outcome_of(meanwhile) == ("completed", 1)
    assert write_wave(worker, [parking(after)]) == ["written"]
    assert outcome_of(after)[0] == "open", "without keep it is not for who comes later"


def test_an_event_that_is_kept_reaches_every_run_that_parks_at_the_same_moment(worker):
    workers = [make_worker() for _ in range(2)]
    for number in range(ROUNDS):
        key = f"k{number}"
        runs = [held_now(worker) for _ in range(3)]
        no_errors(
            at_once(
                *(writing(worker, parking(run, key=key)) for run in runs),
                lambda n=number, k=key: published(n, key=k, keep_seconds=60),
                *(delivering_all(each) for each in workers),
            )
        )
        delivering_all(worker)()
        assert [outcome_of(run) for run in runs] == [("completed", number)] * 3
        assert {now_of(run.id).status for run in runs} == {"pending"}
        copies = Event.objects.filter(execution_id__in=[run.id for run in runs])
        assert copies.count() == 3


def test_a_child_that_ends_while_its_parent_parks_wakes_it(worker):
    """It cannot be claimed before the parking is committed, but the next moment."""
    other = make_worker()
    for _ in range(ROUNDS):
        run = held_now(worker)
        call, child_id = calling(run)

        def end_child(child_id=child_id):
            until(lambda: Execution.objects.filter(pk=child_id).exists())
            Execution.objects.filter(pk=child_id).update(priority=30_000)
            until(lambda: write_wave(other, [ending(claim_one(other, child_id))]) == ["written"])
            delivering_all(other)()

        no_errors(at_once(writing(worker, call), end_child))
        assert outcome_of(run)[0] == "completed"
        assert now_of(run.id).status == "pending"


# Several at once


def test_workers_that_deliver_at_the_same_moment_deliver_everything_once(worker):
    workers = [make_worker() for _ in range(3)]
    runs = [parked(worker) for _ in range(30)]
    for number in (1, 2):
        for run in runs:
            sent(run, number)
    published("to all", "other")
    no_errors(at_once(*(delivering_all(each) for each in workers)))
    assert [outcome_of(run) for run in runs] == [("completed", 1)] * 30
    counts = Event.objects.filter(execution_id__isnull=False)
    assert counts.filter(status="delivered").count() == 30
    assert counts.filter(status="kept").count() == 30


def test_workers_that_spread_one_event_at_the_same_moment_copy_it_once_to_each(worker, monkeypatch):
    monkeypatch.setattr(delivering, "COPIES", 5)
    workers = [make_worker() for _ in range(3)]
    runs = [parked(worker) for _ in range(23)]
    event = published(1)
    no_errors(at_once(*(delivering_all(each) for each in workers)))
    delivering_all(worker)()
    assert [outcome_of(run) for run in runs] == [("completed", 1)] * 23
    assert Event.objects.filter(source_id=event.pk).count() == 23


# An event, an answer, and a timeout


def test_an_event_or_the_timeout_of_its_wait_wins_and_the_other_changes_nothing(worker):
    # race: event-or-timeout
    other = make_worker()
    for number in range(ROUNDS):
        run = parked(worker, seconds=60)
        later(60)
        no_errors(
            at_once(
                lambda r=run, n=number: (sent(r, n), delivering_all(worker)()),
                lambda: until(lambda: wake_due(other) or outcome_of(run)[0] != "open"),
            )
        )
        delivering_all(worker)()
        status, value = outcome_of(run)
        (event,) = Event.objects.filter(execution_id=run.id)
        assert (status, value, event.status) in [
            ("completed", number, "delivered"),
            ("timed_out", None, "kept"),
        ]
        assert now_of(run.id).status == "pending"
        claim_one(worker, run.id)


def test_an_event_sent_in_time_counts_though_its_inbox_is_held_when_the_time_is_up(worker):
    run = parked(worker, seconds=60)
    later(59)
    sent(run, 1)
    later(10)
    with OpenTransaction(lambda: advisory.hold([advisory.inbox_of(run.id)])):
        assert deliver_all(worker) == (0, False, True)
        assert wake_due(worker) == 0
    deliver_all(worker)
    assert outcome_of(run) == ("completed", 1)


def test_an_event_whose_transaction_is_open_when_the_time_is_up_comes_too_late(worker):
    run = parked(worker, seconds=60)
    with OpenTransaction(lambda: sent(run, 1)) as sending:
        later(61)
        assert wake_due(worker) == 1, "an open transaction holds nobody up"
    deliver_all(worker)
    assert (outcome_of(run)[0], state_of(sending.gave)) == ("timed_out", "kept")


def test_an_input_that_is_being_answered_is_not_timed_out(worker):
    run, beside = (parked(worker, "input", "manager", seconds=60) for _ in range(2))
    with OpenTransaction(lambda: answer(wait_at(run).pk, "5", by="anna")):
        later(61)
        assert wake_due(worker) == 1
        assert outcome_of(beside)[0] == "timed_out"
    assert wake_due(worker) == 0
    deliver_all(worker)
    assert outcome_of(run) == ("completed", 5)
    assert now_of(run.id).status == "pending"


def test_an_answer_that_is_rolled_back_leaves_the_wait_to_its_time(worker):
    run = parked(worker, "input", "manager", seconds=60)
    with OpenTransaction(lambda: answer(wait_at(run).pk, "5"), commits=False):
        later(61)
        assert wake_due(worker) == 0
    assert wake_due(worker) == 1
    assert outcome_of(run)[0] == "timed_out"


def test_a_run_whose_input_is_being_answered_does_not_run_out_of_time_meanwhile(worker):
    run = parked(worker, "input", "manager", timeout=60)
    with OpenTransaction(lambda: answer(wait_at(run).pk, "5")):
        later(61)
        assert wake_due(worker) == 0
        assert now_of(run.id).status == "waiting"
    wake_due(worker)
    assert now_of(run.id).status == "failed"


def test_an_answer_or_a_timeout_wins(worker):
    other = make_worker()
    for number in range(ROUNDS):
        run = parked(worker, "input", "manager", seconds=60)
        pk = wait_at(run).pk
        later(60 - 0.002)

        def give(pk=pk, number=number):
            try:
                answer(pk, str(number))
            except InvalidState:
                return "refused"
            return "accepted"

        said, _ = at_once(give, lambda: until(lambda: wake_due(other) or outcome_of(run)[0] != "open"))
        delivering_all(worker)()
        expected = ("completed", number) if said == "accepted" else ("timed_out", None)
        assert outcome_of(run) == expected
        assert now_of(run.id).status == "pending"
        claim_one(worker, run.id)


# A cancel


def test_a_cancel_or_a_wake_wins_and_a_cancelled_run_stays_so(worker):
    other = make_worker()
    for number in range(ROUNDS):
        waits, sleeps = parked(worker), parked(worker, "sleep", "", seconds=60)
        asks = parked(worker, "input", "manager")
        sent(waits, number)
        answer(wait_at(asks).pk, str(number))
        later(60)
        no_errors(
            at_once(
                *(lambda pk=run.id: cancel(pk, "") for run in (waits, sleeps, asks)),
                delivering_all(worker),
                lambda: wake_due(other),
            )
        )
        delivering_all(worker)()
        wake_due(worker)
        for run in (waits, sleeps, asks):
            assert now_of(run.id).status == "cancelled"
            assert outcome_of(run)[0] in ("completed", "cancelled")


def test_a_caller_and_its_child_may_end_at_the_same_moment(worker):
    other = make_worker()
    for _ in range(ROUNDS):
        run, child_id = called(worker)
        Execution.objects.filter(pk=child_id).update(priority=30_000)
        child = claim_one(worker, child_id)
        no_errors(
            at_once(
                writing(worker, ending(child)),
                lambda pk=run.id: cancel(pk, ""),
                delivering_all(other),
            )
        )
        delivering_all(other)()
        assert now_of(run.id).status == "cancelled"
        assert now_of(child_id).status in ("completed", "cancelled")
        assert outcome_of(run)[0] in ("completed", "cancelled")


# Nobody is held up


def test_a_run_that_somebody_holds_keeps_no_other_from_its_event(worker):
    run, beside = parked(worker), parked(worker)
    for each in (run, beside):
        sent(each, 1)
    with OpenTransaction(lambda: lock_execution(run.id)):
        done = deliver_all(worker)
        assert (done.woken, done.is_locked) == (1, True)
    assert outcome_of(beside)[0] == "completed"
    assert deliver_all(worker).woken == 1


def test_a_run_that_somebody_holds_keeps_no_other_from_its_event_however_many_it_has(worker):
    run, beside = parked(worker), parked(worker)
    for number in range(delivering.BATCH + 50):
        sent(run, number)
    sent(beside, 1)
    with OpenTransaction(lambda: lock_execution(run.id)):
        deliver_all(worker)
        deliver_all(worker)
        assert outcome_of(beside) == ("completed", 1)
    delivering_all(worker)()
    assert outcome_of(run) == ("completed", 0)


def test_a_run_that_somebody_holds_keeps_no_published_event_from_the_others(worker):
    run, beside = parked(worker), parked(worker, name="opened")
    sent(run, 1)
    published(2, "opened")
    with OpenTransaction(lambda: lock_execution(run.id)):
        deliver_all(worker)
        deliver_all(worker)
        assert outcome_of(beside) == ("completed", 2)


def test_a_child_that_somebody_holds_keeps_no_other_wait_from_its_time(worker):
    run, child_id = called(worker, seconds=60)
    beside = parked(worker, seconds=60)
    later(61)
    with OpenTransaction(lambda: lock_execution(child_id)):
        until(lambda: _woken_or_refused(worker, beside))
    until(lambda: wake_due(worker) or outcome_of(run)[0] == "timed_out")
    assert now_of(child_id).status == "cancelled"


def _woken_or_refused(worker, run):
    wake_due(worker)
    return outcome_of(run)[0] == "timed_out"


def test_senders_wait_for_nobody_and_hold_nobody_up(worker):
    run = parked(worker)
    with OpenTransaction(lambda: lock_execution(run.id)):
        sent(run, 1)
    with OpenTransaction(lambda: sent(run, 2)):
        assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", 1)


def test_what_a_caller_sends_is_delivered_when_he_commits_and_not_before(worker):
    run = parked(worker)
    with transaction.atomic():
        sent(run, 1)
        at_once(delivering_all(make_worker()))
        assert outcome_of(run)[0] == "open"
    deliver_all(worker)
    assert outcome_of(run) == ("completed", 1)
