"""Wake: what is due becomes ready by database time; what is out of time ends, whoever drives it."""

from datetime import timedelta

import pytest

from durable_django.models import Execution, StepRun
from durable_django.store import clock, leases
from durable_django.store.checkpoint import write_wave
from durable_django.store.ending import cancel
from durable_django.store.starting import insert_many
from durable_django.store.waking import outlook, wake_due

from .rows import (
    OPTIONS,
    at_once,
    checkpoint_of,
    completion,
    held,
    make_run,
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


def in_seconds(seconds):
    return clock.now() + timedelta(seconds=seconds)


def asleep(worker, seconds, **options):
    run = held(worker, **options)
    write_wave(worker, [checkpoint_of(run, move=sleep_of(seconds))])
    return run


def test_a_scheduled_run_is_ready_when_its_time_has_come(worker):
    run = make_run(scheduled_at=in_seconds(60), timeout=10)
    assert wake_due(worker) == 0
    later(61)
    assert wake_due(worker) == 1
    row = now_of(run.pk)
    assert (row.status, row.ready_at) == ("pending", run.scheduled_at)
    assert row.due_at == row.timeout_at
    assert wake_due(worker) == 0


def test_a_sleeping_run_is_ready_when_its_delay_is_over_and_as_old_as_that(worker):
    run = asleep(worker, 60)
    later(59)
    assert wake_due(worker) == 0
    wakes = now_of(run.id).wake_at
    later(2)
    assert wake_due(worker) == 1
    row = now_of(run.id)
    assert (row.status, row.ready_at, row.wake_at, row.due_at) == ("pending", wakes, None, None)


def test_what_becomes_due_next_is_known(worker):
    assert outlook().due_at is None
    make_run(timeout=500)
    run = make_run(scheduled_at=in_seconds(60))
    assert outlook().due_at == run.scheduled_at


def test_more_runs_than_a_batch_are_woken(worker):
    insert_many(OPTIONS._replace(scheduled_at=in_seconds(60)), ["{}"] * 1_001)
    later(61)
    assert wake_due(worker) == 1_001
    assert Execution.objects.filter(status="pending").count() == 1_001


def timed_out(pk):
    row = now_of(pk)
    return (row.status, (row.error or {}).get("type"), row.due_at, row.worker_id, row.wake_at)


ENDED = ("failed", "WorkflowTimeout", None, None, None)


def test_a_run_that_never_began_ends_when_its_time_is_up(worker):
    run = make_run(timeout=60)
    later(59)
    assert wake_due(worker) == 0
    later(2)
    assert wake_due(worker) == 1
    assert timed_out(run.pk) == ENDED
    assert "did not end within its timeout" in now_of(run.pk).error["message"]
    assert wake_due(worker) == 0


def test_a_running_run_ends_when_its_time_is_up_and_its_worker_cannot_write_any_more(worker):
    run = held(worker, timeout=60)
    begun = checkpoint_of(run, step=step_of(1, "running"), replaces=True)
    write_wave(worker, [begun])
    later(61)
    assert wake_due(make_worker()) == 1
    assert timed_out(run.id) == ENDED
    step = StepRun.objects.get(execution_id=run.id)
    assert step.status == "timed_out"
    assert step.finished_at is not None
    assert write_wave(worker, [checkpoint_of(run, replaces=True)]) == ["lost"]


def test_a_run_of_a_dead_worker_ends_when_its_time_is_up(worker):
    dead = make_worker()
    run = held(dead, timeout=60)
    leases.declare_dead(dead, overdue_only=False)
    later(61)
    assert wake_due(worker) == 1
    assert timed_out(run.id) == ENDED


def test_a_sleeping_run_whose_time_is_up_ends_and_is_not_woken(worker):
    early, both = asleep(worker, 500, timeout=60), asleep(worker, 50, timeout=60)
    later(61)
    assert wake_due(worker) == 2
    assert timed_out(early.id) == timed_out(both.id) == ENDED


def test_a_scheduled_run_nobody_woke_until_its_time_was_up_ends(worker):
    run = make_run(scheduled_at=in_seconds(60), timeout=60)
    later(121)
    wake_due(worker)
    assert timed_out(run.pk) == ENDED


def test_a_run_that_ended_in_time_is_left_alone(worker):
    run = held(worker, timeout=60)
    write_wave(worker, [checkpoint_of(run, move=completion())])
    cancelled = make_run(timeout=60)
    cancel(cancelled.pk, "")
    later(61)
    assert wake_due(worker) == 0
    assert now_of(run.id).status == "completed"
    assert now_of(cancelled.pk).status == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_a_run_is_woken_once_by_workers_at_the_same_moment():
    workers = [make_worker() for _ in range(3)]
    insert_many(OPTIONS._replace(scheduled_at=in_seconds(60)), ["{}"] * 30)
    later(61)
    got = at_once(*[lambda w=worker: wake_due(w) for worker in workers])
    assert sum(got) == 30
    assert set(Execution.objects.values_list("status", flat=True)) == {"pending"}


@pytest.mark.django_db(transaction=True)
def test_a_run_completes_or_times_out_but_not_both():
    worker, other = make_worker(), make_worker()
    for _ in range(10):
        run = held(worker, timeout=60)
        later(61)
        verdicts, touched = at_once(
            lambda r=run: write_wave(worker, [checkpoint_of(r, move=completion())]),
            lambda: wake_due(other),
        )
        row = now_of(run.id)
        written = verdicts == ["written"]
        assert row.status == ("completed" if written else "failed")
        assert touched == (0 if written else 1)
        assert seqs_of(run.id) == ([1] if written else [])
