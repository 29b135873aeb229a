"""Waits that run out of time: by database time, and only if nothing was sent before."""

from datetime import timedelta

import pytest

from durable_django.models import Execution, StepRun, Wait
from durable_django.store import clock, waking
from durable_django.store.answering import answer
from durable_django.store.checkpoint import write_wave
from durable_django.store.delivering import deliver_all
from durable_django.store.waking import wake_due

from .parked import (
    called,
    ending,
    outcome_of,
    parked,
    parking,
    published,
    sent,
    wait_at,
    waiting_members,
)
from .rows import claim_one, make_worker, now_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


def test_a_sleep_is_over_at_its_time(worker):
    run = parked(worker, "sleep", "", seconds=60)
    assert now_of(run.id).status == "sleeping"
    later(59)
    assert wake_due(worker) == 0
    later(1)
    wakes = now_of(run.id).wake_at
    assert wake_due(worker) == 1
    row = now_of(run.id)
    assert (row.status, row.ready_at, row.wake_at, row.due_at) == ("pending", wakes, None, None)
    wait = wait_at(run)
    assert (wait.status, wait.value, wait.resolved_at >= wait.due_at) == ("completed", None, True)
    again = claim_one(worker, run.id)
    assert again.recorded[-1].status == "waiting"


@pytest.mark.parametrize("kind", ["event", "any", "all", "input", "callback"])
def test_a_wait_has_timed_out_at_its_time(worker, kind):
    names = {"names": ("a", "b")} if kind in ("any", "all") else {}
    run = parked(worker, kind, seconds=60, timeout=600, **names)
    later(59)
    assert wake_due(worker) == 0
    later(1)
    assert wake_due(worker) == 1
    row, wait = now_of(run.id), wait_at(run)
    assert (row.status, row.due_at) == ("pending", row.timeout_at)
    assert (wait.status, wait.resolved_at is not None) == ("timed_out", True)
    assert wake_due(worker) == 0


def test_a_wait_that_has_timed_out_gets_no_event_any_more(worker):
    run = parked(worker, seconds=60)
    later(60)
    wake_due(worker)
    sent(run, 1)
    assert deliver_all(worker).woken == 0
    assert outcome_of(run) == ("timed_out", None)


def test_an_event_sent_before_the_time_counts_though_nobody_has_delivered_it_yet(worker):
    run = parked(worker, seconds=60)
    later(59)
    sent(run, 1)
    later(10)
    assert wake_due(worker) == 0
    assert outcome_of(run)[0] == "open"
    assert deliver_all(worker).woken == 1
    assert wake_due(worker) == 0
    assert outcome_of(run) == ("completed", 1)


def test_an_event_sent_after_the_time_does_not_count_though_it_is_delivered_first(worker):
    run = parked(worker, seconds=60)
    later(61)
    sent(run, 1)
    deliver_all(worker)
    assert wake_due(worker) == 1
    assert outcome_of(run) == ("timed_out", None)


def test_an_event_for_something_else_holds_a_timeout_up_only_until_it_is_delivered(worker):
    run = parked(worker, seconds=60)
    later(61)
    sent(run, 1, "other")
    wake_due(worker)
    deliver_all(worker)
    wake_due(worker)
    assert outcome_of(run)[0] == "timed_out"


def test_a_published_event_sent_before_the_time_counts_though_it_is_not_spread_yet(worker):
    run, several = (
        parked(worker, seconds=60),
        parked(worker, "any", names=("x", "paid"), seconds=60),
    )
    other = parked(worker, key="other", seconds=60)
    later(59)
    published(1)
    later(10)
    wake_due(worker)
    assert outcome_of(other)[0] == "timed_out", "which it was not for"
    assert (outcome_of(run)[0], outcome_of(several)[0]) == ("open", "open")
    deliver_all(worker)
    wake_due(worker)
    assert outcome_of(run) == ("completed", 1)
    assert outcome_of(several) == ("completed", ("paid", 1))


def test_an_answer_in_time_counts_though_no_worker_has_seen_it_yet(worker):
    run = parked(worker, "input", "manager", seconds=60)
    later(59)
    answer(wait_at(run).pk, "5", by="anna")
    later(10)
    assert wake_due(worker) == 0
    assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", 5)


def test_a_call_that_runs_out_of_time_cancels_the_child(worker):
    run, child_id = called(worker, seconds=60)
    later(60)
    assert wake_due(worker) == 1
    assert now_of(child_id).status == "cancelled"
    assert "caller" in now_of(child_id).reason
    assert outcome_of(run)[0] == "timed_out"
    assert deliver_all(worker).woken == 0, "and its end wakes nobody"
    assert outcome_of(run)[0] == "timed_out"


def test_a_child_that_ended_in_time_counts_though_its_parent_was_not_told_yet(worker):
    run, child_id = called(worker, seconds=60)
    child = claim_one(worker, child_id)
    write_wave(worker, [ending(child, result='"parcel"')])
    later(61)
    assert wake_due(worker) == 0
    assert deliver_all(worker).woken == 1
    assert outcome_of(run) == ("completed", "parcel")


def test_a_call_whose_child_is_gone_times_out_like_any_other(worker):
    run, child_id = called(worker, seconds=60)
    now_of(child_id).delete()
    beside = parked(worker, seconds=60)
    later(60)
    assert wake_due(worker) == 2
    assert outcome_of(run)[0] == outcome_of(beside)[0] == "timed_out"


def test_more_waits_than_a_batch_time_out(worker, monkeypatch):
    monkeypatch.setattr(waking, "BATCH", 5)
    runs = [parked(worker, seconds=60) for _ in range(17)]
    later(61)
    assert wake_due(worker) == 17
    assert {outcome_of(run)[0] for run in runs} == {"timed_out"}


def test_waits_that_are_held_up_keep_no_others_from_timing_out(worker, monkeypatch):
    """More of them than a batch, and due before the others."""
    monkeypatch.setattr(waking, "BATCH", 5)
    busy = [parked(worker, seconds=60) for _ in range(7)]
    others = [parked(worker, seconds=61) for _ in range(7)]
    later(59)
    for run in busy:
        sent(run, 1)
    later(10)
    wake_due(worker)
    assert {outcome_of(run)[0] for run in busy} == {"open"}
    assert {outcome_of(run)[0] for run in others} == {"timed_out"}


def test_a_run_out_of_time_ends_and_waits_no_longer(worker):
    run = parked(worker, seconds=600, timeout=60)
    child_run, child_id = called(worker)
    later(61)
    assert wake_due(worker) == 1
    row = now_of(run.id)
    assert (row.status, row.error["type"]) == ("failed", "WorkflowTimeout")
    assert outcome_of(run)[0] == "cancelled"
    assert StepRun.objects.get(execution_id=run.id).status == "timed_out"
    assert now_of(child_run.id).status == "waiting"
    assert now_of(child_id).status == "pending"


def test_what_is_due_of_a_run_that_has_several_waits_is_only_that(worker):
    run = parked(worker, "input")
    now = clock.now()
    due = [now + timedelta(seconds=seconds) for seconds in (5, 50)]
    members = waiting_members(run, [{"due_at": moment} for moment in due])
    for pk, moment in zip(members, due, strict=True):
        Execution.objects.filter(pk=pk).update(wake_at=moment, due_at=moment)
    later(6)
    assert wake_due(worker) == 1
    assert [now_of(pk).status for pk in members] == ["pending", "waiting"]
    assert outcome_of(run, "each[0]/paid")[0] == "timed_out"
    assert outcome_of(run, "each[1]/paid")[0] == "open"


def test_a_wait_without_a_limit_is_never_due(worker):
    run = parked(worker)
    later(10 * 365 * 86_400)
    assert wake_due(worker) == 0
    assert now_of(run.id).due_at is None
    assert Wait.objects.get().status == "open"
    assert write_wave(worker, [parking(run)]) == ["lost"]
