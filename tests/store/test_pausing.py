"""Pause and resume of rows: what stops, what goes on being told, and what it is when it goes on."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from durable_django.exceptions import ExecutionNotFound, InvalidState
from durable_django.models import AuditEntry
from durable_django.store import clock
from durable_django.store.answering import answer
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.pausing import pause, resume
from durable_django.store.waking import outlook, wake_due

from .parked import outcome_of, parked, parking, sent, state_of, wait_at
from .rows import (
    checkpoint_of,
    claim_one,
    held,
    make_run,
    make_worker,
    now_of,
    sleep_of,
    step_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


def ready(worker):
    return [run.id for run in claim(worker, ["default"], 9)]


def standing(run):
    row = now_of(getattr(run, "id", run))
    return row.status, row.paused_at is not None, row.worker_id is not None


# What nobody holds


def test_a_run_that_is_ready_is_not_claimed_until_it_is_resumed(worker):
    run = make_run(timeout=60)
    paused = pause(run.pk, reason="look first", by="ada")
    assert (paused.status, paused.due_at) == ("paused", run.timeout_at)
    assert standing(run.pk) == ("paused", True, False)
    assert ready(worker) == []
    resumed = resume(run.pk, by="bob")
    assert (resumed.status, resumed.paused_at, resumed.ready_at) == ("pending", None, run.ready_at)
    assert resumed.due_at == run.timeout_at
    assert ready(worker) == [run.pk]
    told = AuditEntry.objects.order_by("id").values_list("execution", "verb", "by", "reason")
    assert list(told) == [(run.pk, "pause", "ada", "look first"), (run.pk, "resume", "bob", "")]


def test_a_scheduled_run_begins_at_its_time_if_it_is_resumed_before(worker):
    run = make_run(scheduled_at=clock.now() + timedelta(seconds=60), timeout=30)
    pause(run.pk)
    assert now_of(run.pk).due_at == run.timeout_at
    resumed = resume(run.pk)
    assert (resumed.status, resumed.due_at) == ("scheduled", run.scheduled_at)
    later(61)
    assert wake_due(worker) == 1
    assert ready(worker) == [run.pk]


def test_a_scheduled_run_whose_time_has_come_meanwhile_begins_when_it_is_resumed(worker):
    run = make_run(scheduled_at=clock.now() + timedelta(seconds=60))
    pause(run.pk)
    later(61)
    assert wake_due(worker) == 0
    resumed = resume(run.pk)
    assert (resumed.status, resumed.ready_at) == ("pending", run.scheduled_at)
    assert ready(worker) == [run.pk]


def test_a_sleep_goes_on_while_it_is_paused_and_wakes_nothing(worker):
    run = parked(worker, "sleep", "", seconds=60, timeout=600)
    before = now_of(run.id)
    pause(run.id)
    assert (now_of(run.id).wake_at, now_of(run.id).due_at) == (before.wake_at, before.timeout_at)
    resume(run.id)
    after = now_of(run.id)
    assert (after.status, after.due_at, after.paused_at) == ("sleeping", before.due_at, None)
    pause(run.id)
    later(61)
    assert wake_due(worker) == 0
    assert wait_at(run).status == "open"
    resumed = resume(run.id)
    assert (resumed.status, resumed.ready_at) == ("pending", before.wake_at)
    assert outcome_of(run) == ("completed", None)
    assert resumed.due_at == before.timeout_at


def test_the_timeout_of_a_run_that_is_nearer_stays_what_is_due(worker):
    run = parked(worker, "sleep", "", seconds=60, timeout=30)
    pause(run.id)
    resumed = resume(run.id)
    assert (resumed.status, resumed.due_at) == ("sleeping", resumed.timeout_at)


def test_the_delay_of_a_retry_goes_on_too(worker):
    run = held(worker)
    retried = checkpoint_of(run, step=step_of(1, "failed"), move=sleep_of(60))
    write_wave(worker, [retried])
    pause(run.id)
    later(61)
    assert (wake_due(worker), ready(worker)) == (0, [])
    resume(run.id)
    assert ready(worker) == [run.id]


def test_a_sleep_beyond_the_calendar_waits_on(worker):
    run = held(worker)
    parks = parking(run, "sleep", "")
    write_wave(worker, [parks._replace(move=parks.move._replace(status="waiting"))])
    pause(run.id)
    assert resume(run.id).status == "waiting"


def test_an_event_is_delivered_while_it_is_paused_and_wakes_it_when_it_is_resumed(worker):
    run = parked(worker, seconds=60)
    pause(run.id)
    event = sent(run, {"n": 1})
    deliver_all(worker)
    assert (outcome_of(run), state_of(event)) == (("completed", {"n": 1}), "delivered")
    assert standing(run) == ("paused", True, False)
    later(61)
    assert (wake_due(worker), ready(worker)) == (0, [])
    resumed = resume(run.id)
    assert (resumed.status, resumed.ready_at) == ("pending", event.created_at)
    assert ready(worker) == [run.id]


def test_one_that_still_waits_goes_on_waiting(worker):
    run = parked(worker, seconds=60)
    due_at = now_of(run.id).due_at
    pause(run.id)
    resumed = resume(run.id)
    assert (resumed.status, resumed.due_at) == ("waiting", due_at)
    sent(run, 1)
    deliver_all(worker)
    assert ready(worker) == [run.id]


def test_a_wait_whose_time_is_up_meanwhile_has_timed_out_when_it_is_resumed(worker):
    run = parked(worker, seconds=60)
    pause(run.id)
    later(61)
    event = sent(run, "too late")
    deliver_all(worker)
    assert (wake_due(worker), wait_at(run).status) == (0, "open")
    resume(run.id)
    assert (wait_at(run).status, state_of(event)) == ("timed_out", "kept")
    assert ready(worker) == [run.id]


def test_an_event_that_is_still_on_its_way_is_delivered_before_the_wait_times_out(worker):
    run = parked(worker, seconds=60)
    pause(run.id)
    sent(run, "in time")
    later(61)
    assert resume(run.id).status == "waiting"
    deliver_all(worker)
    assert outcome_of(run) == ("completed", "in time")
    assert ready(worker) == [run.id]


def test_an_answer_is_taken_while_it_is_paused(worker):
    run = parked(worker, "input", "manager")
    pause(run.id)
    answer(wait_at(run).pk, '"yes"', by="ada")
    assert resume(run.id).status == "waiting", "no worker has brought it yet"
    pause(run.id)
    deliver_all(worker)
    assert standing(run) == ("paused", True, False)
    assert resume(run.id).status == "pending"


def test_its_timeout_ends_a_paused_run(worker):
    run = make_run(timeout=60)
    pause(run.pk)
    assert outlook().due_at == run.timeout_at
    later(61)
    assert wake_due(worker) == 1
    ended = now_of(run.pk)
    assert (ended.status, ended.error["type"]) == ("failed", "WorkflowTimeout")
    assert (ended.paused_at, ended.due_at) == (None, None)


def test_a_run_whose_timeout_has_passed_is_not_woken_by_its_resumption(worker):
    run = parked(worker, "sleep", "", seconds=30, timeout=60)
    pause(run.id)
    later(61)
    assert resume(run.id).status == "sleeping"
    wake_due(worker)
    assert now_of(run.id).error["type"] == "WorkflowTimeout"


def test_a_paused_run_can_be_cancelled(worker):
    run = make_run()
    pause(run.pk)
    ended = cancel(run.pk, "no more")
    assert (ended.status, ended.paused_at, now_of(run.pk).paused_at) == ("cancelled", None, None)


# What does not go


def test_what_is_paused_cannot_be_paused_again(worker):
    run, other = make_run(priority=1), make_run()
    claim_one(worker, run.pk)
    pause(run.pk)
    pause(other.pk)
    with pytest.raises(InvalidState, match="already to be paused when its node ends") as running:
        pause(run.pk)
    with pytest.raises(InvalidState, match="already paused") as paused:
        pause(other.pk)
    assert (running.value.status, paused.value.status) == ("running", "paused")


def test_what_has_ended_cannot_be_paused(worker):
    run = make_run()
    cancel(run.pk, "")
    with pytest.raises(InvalidState, match="it is already cancelled"):
        pause(run.pk)


def test_what_is_not_paused_cannot_be_resumed(worker):
    run = make_run()
    with pytest.raises(InvalidState, match="it is pending, not paused") as refused:
        resume(run.pk)
    assert refused.value.status == "pending"


@pytest.mark.parametrize("verb", [pause, resume])
def test_a_run_that_does_not_exist_is_not_found(db, verb):
    with pytest.raises(ExecutionNotFound):
        verb(uuid4())


def test_it_is_undone_with_the_transaction_of_the_caller(worker):
    run = make_run()
    with transaction.atomic():
        pause(run.pk)
        transaction.set_rollback(True)
    assert (standing(run.pk), AuditEntry.objects.count()) == (("pending", False, False), 0)
