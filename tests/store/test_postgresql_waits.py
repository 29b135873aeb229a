"""What only row locks can show of waits: who waits for whom, who passes by, and who is too late.

Collected on PostgreSQL only; see conftest.py.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections, transaction

from durable_django.models import Event, Wait
from durable_django.store import advisory, clock, delivering
from durable_django.store.answering import answer
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.transactions import lock_execution
from durable_django.store.waking import wake_due
from tests.waiting import until

from .forks import claim_strands, end_of, fork_of
from .parked import (
    called,
    held_now,
    kept,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    state_of,
    wait_at,
)
from .rows import OpenTransaction, at_once, make_worker, now_of
from .test_postgresql_strands import Behind

pytestmark = pytest.mark.django_db(transaction=True)


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


# The locks


def got_by_another(of, *locks):
    with OpenTransaction(lambda: of(locks)) as other:
        pass
    return other.gave


def test_many_share_a_lock_and_one_holds_it():
    with transaction.atomic():
        advisory.share([1])
        assert got_by_another(advisory.share, 1, 2) == {1, 2}
        assert got_by_another(advisory.hold, 1, 2) == {2}
    with transaction.atomic():
        advisory.hold([1])
        assert got_by_another(advisory.share, 1, 2) == {2}
        assert got_by_another(advisory.hold, 1, 2) == {2}
    assert got_by_another(advisory.hold, 1, 2) == {1, 2}, "it ends with the transaction"


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


def test_a_younger_published_event_does_not_overtake_one_that_another_worker_spreads(worker):
    """Who waits for any of several gets the first that was published."""
    run = parked(worker, kind="any", name="", names=("paid", "refused"))
    older, younger = published(1, name="paid"), published(2, name="refused")

    def spread():
        list(Event.objects.select_for_update(no_key=True).filter(pk=older.pk))

    with OpenTransaction(spread):
        assert deliver_all(make_worker()) == (0, False, True)
        assert state_of(younger) == "new"
    assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", ("paid", 1))


def test_an_event_given_back_while_another_parks_for_it_reaches_that_one(worker):
    """Of a member that has lost, beside which somebody else begins to wait for the same."""
    run = held_now(worker)
    write_wave(worker, [fork_of(run, 2)])
    racing, beside = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(racing, 2, path="each[0]/inner")])
    winner, loser = claim_strands(worker, racing.id, 2)
    write_wave(worker, [parking(loser, path="each[0]/inner[1]/paid")])
    sent(run, 5)
    assert deliver_all(worker).woken == 1
    wins = end_of(winner, decides=True)
    with OpenTransaction(lambda: write_wave(worker, [wins])) as winning:
        assert write_wave(worker, [parking(beside, path="each[1]/paid")]) == ["written"]
    assert winning.gave == ["written"]
    delivering_all(worker)()
    assert outcome_of(run, "each[0]/inner[1]/paid")[0] == "cancelled"
    assert outcome_of(run, "each[1]/paid") == ("completed", 5)
    assert now_of(beside.id).status == "pending"


def test_two_members_that_park_at_once_do_not_both_get_what_was_kept(worker):
    other = make_worker()
    run = held_now(worker)
    write_wave(worker, [fork_of(run, 2)])
    (mine,), (theirs,) = claim_strands(worker, run.id, 1), claim_strands(other, run.id, 1)
    kept(run.id, [""])
    wave = [parking(theirs, path="each[1]/paid")]
    with OpenTransaction(lambda: write_wave(worker, [parking(mine, path="each[0]/paid")])):
        verdicts = write_wave(other, wave)
    if verdicts == ["locked"]:
        assert write_wave(other, wave) == ["written"]
    assert outcome_of(run, "each[0]/paid") == ("completed", "")
    assert outcome_of(run, "each[1]/paid") == ("open", None)
    assert Event.objects.get().wait_id == wait_at(run, "each[0]/paid").pk


# An event, an answer, and a timeout


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
