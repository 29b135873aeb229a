"""Races of waits on real connections of either database: whoever is first, there is one outcome,
and nothing is stuck.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from durable_django.exceptions import InvalidState
from durable_django.models import Event, Execution, Wait
from durable_django.store import clock, spreading
from durable_django.store.answering import answer
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.waking import wake_due
from tests.waiting import until

from .forks import claim_strands, fork_of, writing
from .parked import (
    called,
    calling,
    ending,
    held_now,
    kept,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    wait_at,
)
from .rows import at_once, claim_one, make_worker, now_of

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


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


def waking(worker_id: UUID, run):
    """As a keeper does, until the wait of the run is over."""

    def wake():
        until(lambda: wake_due(worker_id) or outcome_of(run)[0] != "open")

    return wake


def no_errors(got):
    assert not [each for each in got if isinstance(each, Exception)], got


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
    monkeypatch.setattr(spreading, "COPIES", 5)
    workers = [make_worker() for _ in range(3)]
    runs = [parked(worker) for _ in range(23)]
    event = published(1)
    no_errors(at_once(*(delivering_all(each) for each in workers)))
    delivering_all(worker)()
    assert [outcome_of(run) for run in runs] == [("completed", 1)] * 23
    assert Event.objects.filter(source_id=event.pk).count() == 23


def test_an_event_or_the_timeout_of_its_wait_wins_and_the_other_changes_nothing(worker):
    # race: event-or-timeout
    other = make_worker()
    for number in range(ROUNDS):
        run = parked(worker, seconds=60)
        later(60)
        no_errors(
            at_once(
                lambda r=run, n=number: (sent(r, n), delivering_all(worker)()),
                waking(other, run),
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

        said, _ = at_once(give, waking(other, run))
        delivering_all(worker)()
        expected = ("completed", number) if said == "accepted" else ("timed_out", None)
        assert outcome_of(run) == expected
        assert now_of(run.id).status == "pending"
        claim_one(worker, run.id)


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


def test_members_that_park_at_the_same_moment_share_what_was_kept(worker):
    """Each event is for one of them, though they are parked by different workers."""
    workers = [worker, make_worker(), make_worker()]
    for _ in range(ROUNDS):
        run = held_now(worker)
        assert write_wave(worker, [fork_of(run, 6)]) == ["written"]
        members = [claim_strands(each, run.id, 2) for each in workers]
        kept(run.id, ["", "", ""])
        waves = [[parking(m, path=f"{m.path}/paid") for m in theirs] for theirs in members]
        pairs = zip(workers, waves, strict=True)
        no_errors(at_once(*(writing(each, *wave) for each, wave in pairs)))
        waits = list(Wait.objects.filter(execution_id=run.id))
        ended = {wait.pk for wait in waits if wait.status == "completed"}
        assert (len(waits), len(ended)) == (6, 3), "three events, three members"
        events = Event.objects.filter(execution_id=run.id, status="delivered")
        assert set(events.values_list("wait_id", flat=True)) == ended
        Execution.objects.filter(root_id=run.id).update(priority=-1)
