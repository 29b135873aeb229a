"""Pausing what a worker holds: its node ends and is recorded, then it stops."""

from datetime import timedelta

import pytest

from durable_django.exceptions import InvalidState
from durable_django.models import StepRun
from durable_django.store import clock, leases
from durable_django.store.checkpoint import fence, record_start, write_wave
from durable_django.store.claiming import claim, postpone, release
from durable_django.store.leases import declare_dead, take_back
from durable_django.store.pausing import pause, resume
from durable_django.store.records import Move
from durable_django.store.waking import wake_due

from .rows import (
    SNAPSHOT,
    checkpoint_of,
    claim_one,
    completion,
    held,
    make_worker,
    now_of,
    seqs_of,
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
    row = now_of(run.id)
    return row.status, row.paused_at is not None, row.worker_id is not None


def test_what_is_held_ends_its_node_and_stops_then(worker):
    run = held(worker, timeout=60)
    paused = pause(run.id)
    assert (paused.status, paused.paused_at is not None) == ("running", True)
    assert standing(run) == ("running", True, True)
    assert write_wave(worker, [checkpoint_of(run)]) == ["parked"]
    assert standing(run) == ("paused", True, False)
    assert (now_of(run.id).lease, seqs_of(run.id)) == (run.lease + 1, [1])
    assert now_of(run.id).due_at == now_of(run.id).timeout_at
    assert write_wave(worker, [checkpoint_of(run, 2)]) == ["lost"]
    resume(run.id)
    again = claim_one(worker, run.id)
    assert [row.path for row in again.recorded] == ["n1"]


def test_of_a_wave_only_what_is_paused_stops(worker):
    first, second = held(worker), held(worker)
    pause(first.id)
    wave = [checkpoint_of(first), checkpoint_of(second)]
    assert write_wave(worker, wave) == ["parked", "written"]
    assert standing(second) == ("running", False, True)


def test_what_is_resumed_before_its_node_ends_never_stops(worker):
    run = held(worker)
    pause(run.id)
    assert resume(run.id).status == "running"
    assert write_wave(worker, [checkpoint_of(run)]) == ["written"]
    assert standing(run) == ("running", False, True)


def test_the_end_of_its_last_node_ends_the_run(worker):
    run = held(worker)
    pause(run.id)
    assert write_wave(worker, [checkpoint_of(run, move=completion())]) == ["written"]
    assert standing(run) == ("completed", False, False)
    with pytest.raises(InvalidState, match="completed, not paused"):
        resume(run.id)


def test_a_node_that_fails_and_is_to_be_retried_stops_with_its_delay(worker):
    run = held(worker, timeout=600)
    pause(run.id)
    retried = checkpoint_of(run, step=step_of(1, "failed"), move=sleep_of(60))
    assert write_wave(worker, [retried]) == ["written"]
    row = now_of(run.id)
    assert (row.status, row.due_at) == ("paused", row.timeout_at)
    assert row.wake_at == retried.move.wake_at
    assert resume(run.id).due_at == retried.move.wake_at


def test_where_a_rollback_begins_the_pause_is_over(worker):
    run = held(worker, timeout=600)
    pause(run.id)
    move = Move("compensating", SNAPSHOT, 1, error='{"type":"E","message":"no"}')
    failed = checkpoint_of(run, step=step_of(1, "failed"), move=move)
    assert write_wave(worker, [failed]) == ["written"]
    assert standing(run) == ("compensating", False, False)
    assert now_of(run.id).due_at is None
    assert ready(worker) == [run.id]
    with pytest.raises(InvalidState, match="a rollback cannot be paused"):
        pause(run.id)


def test_a_note_that_the_node_still_runs_stops_nothing(worker):
    run = held(worker)
    pause(run.id)
    note = checkpoint_of(run, step=step_of(1, "running"), replaces=True)
    assert write_wave(worker, [note]) == ["written"]
    assert write_wave(worker, [checkpoint_of(run, replaces=True)]) == ["parked"]
    assert StepRun.objects.get().status == "completed"


def test_an_attempt_whose_start_is_to_be_committed_does_not_begin(worker):
    run = held(worker)
    pause(run.id)
    start = checkpoint_of(run, step=step_of(1, "running"), replaces=True)
    assert record_start(worker, start, 1) == "parked"
    assert standing(run) == ("paused", True, False)
    assert (seqs_of(run.id), now_of(run.id).recoveries) == ([], 0)
    resume(run.id)
    assert ready(worker) == [run.id]


def test_the_fence_keeps_what_is_to_stop_from_starting(worker):
    run, other = held(worker), held(worker)
    pause(run.id)
    assert fence({run.id: run.lease, other.id: other.lease}) == {other.id}


def test_what_is_handed_back_is_paused(worker):
    run = held(worker, timeout=60)
    pause(run.id)
    assert release(worker, {run.id: run.lease}) == 1
    assert standing(run) == ("paused", True, False)
    assert (now_of(run.id).lease, ready(worker)) == (run.lease + 1, [])


def test_what_is_put_back_for_want_of_its_code_is_paused(worker):
    run = held(worker, timeout=600)
    pause(run.id)
    postpone(worker, run.id, run.lease, 30)
    row = now_of(run.id)
    assert (row.status, row.due_at) == ("paused", row.timeout_at)
    assert resume(run.id).status == "sleeping"
    later(31)
    wake_due(worker)
    assert ready(worker) == [run.id]


def test_what_a_dead_worker_held_is_paused_as_a_suspect(worker):
    dead = make_worker("there")
    run = held(dead)
    pause(run.id)
    declare_dead(dead, overdue_only=False)
    assert take_back(worker) == 1
    assert standing(run) == ("paused", True, False)
    assert ready(worker) == []
    resume(run.id)
    assert claim_one(worker, run.id).suspect


def test_who_asks_again_after_a_lost_answer_learns_that_it_has_stopped(worker):
    run = held(worker)
    pause(run.id)
    wave = [checkpoint_of(run)]
    write_wave(worker, wave)
    assert write_wave(worker, wave, uncertain=True) == ["parked"]
    other = held(worker)
    wave = [checkpoint_of(other)]
    write_wave(worker, wave)
    assert write_wave(worker, wave, uncertain=True) == ["written"]


def test_it_counts_as_held_until_its_node_has_ended(worker):
    run = held(worker)
    pause(run.id)
    assert leases.held_by(worker) == {run.id: run.lease}
    write_wave(worker, [checkpoint_of(run)])
    assert leases.held_by(worker) == {}
