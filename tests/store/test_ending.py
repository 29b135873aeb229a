"""Ending by somebody else's word, and reopening: each is one transaction under the run's lock."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from durable_django.engine.state import INLINE_OUTPUT_BYTES, from_snapshot
from durable_django.exceptions import ExecutionNotFound, InvalidState
from durable_django.models import Execution, StepRun
from durable_django.signals import execution_finished
from durable_django.store import clock
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.ending import cancel
from durable_django.store.going_on import retry
from durable_django.store.waking import wake_due

from .rows import (
    SNAPSHOT,
    at_once,
    checkpoint_of,
    claim_one,
    completion,
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


def failed(worker, seq=2, **options):
    """A run whose first step completed and whose second failed twice."""
    run = held(worker, **options)
    first = step_of(1, changes='[["set","n",1]]', output="[1]")
    write_wave(worker, [checkpoint_of(run, step=first)])
    again = step_of(2, "failed", next_path="n2", attempt=1)
    write_wave(worker, [checkpoint_of(run, step=again)])
    move = completion(
        '{"next":"n2","seq":3,"attempt":2,"context":{"n":1},"outputs":{"n1":[[1]]},"last":"n1"}', 3
    )._replace(status="failed", error='{"type":"E"}')
    last = step_of(3, "failed", path="n2", name="n2", next_path="n2", attempt=2)
    write_wave(worker, [checkpoint_of(run, step=last, move=move)])
    return run


# Cancel


def scheduled(worker):
    return make_run(scheduled_at=clock.now() + timedelta(hours=1), timeout=9e3).pk


def pending(worker):
    return make_run(timeout=9e3).pk


def running(worker):
    return held(worker, timeout=9e3).id


def sleeping(worker):
    run = held(worker, timeout=9e3)
    write_wave(worker, [checkpoint_of(run, move=sleep_of(60))])
    return run.id


@pytest.mark.parametrize("make", [scheduled, pending, running, sleeping])
def test_a_run_that_has_not_ended_can_be_cancelled_and_is_never_claimed_again(worker, make):
    pk = make(worker)
    before = now_of(pk)
    given = cancel(pk, "no longer wanted")
    row = now_of(pk)
    for run in (given, row):
        assert (run.status, run.reason) == ("cancelled", "no longer wanted")
        assert (run.worker_id, run.due_at, run.wake_at) == (None, None, None)
        assert run.finished_at is not None
        assert run.lease == before.lease + 1
    later(10_000)
    wake_due(worker)
    assert claim(worker, ["default"], 10) == []
    assert now_of(pk).status == "cancelled"


def test_the_attempt_that_was_running_is_cancelled_with_its_run(worker):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run)])
    write_wave(worker, [checkpoint_of(run, step=step_of(2, "running"), replaces=True)])
    cancel(run.id, "")
    assert list(StepRun.objects.order_by("id").values_list("status", flat=True)) == [
        "completed",
        "cancelled",
    ]


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_run_that_has_ended_cannot_be_cancelled(worker, status):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, move=completion()._replace(status=status))])
    before = Execution.objects.values().get(pk=run.id)
    with pytest.raises(InvalidState, match=f"already {status}") as caught:
        cancel(run.id, "late")
    assert caught.value.status == status
    assert Execution.objects.values().get(pk=run.id) == before


def test_what_does_not_exist_can_be_neither_cancelled_nor_retried():
    for act in (lambda: cancel(uuid4(), ""), lambda: retry(uuid4(), None)):
        with pytest.raises(ExecutionNotFound):
            act()


@pytest.mark.django_db(transaction=True)
def test_of_cancels_at_the_same_moment_one_wins_and_the_others_are_told():
    for _ in range(5):
        run = make_run()
        got = at_once(*[lambda r=run: cancel(r.pk, "").status for _ in range(4)])
        assert got.count("cancelled") == 1
        assert sum(isinstance(answer, InvalidState) for answer in got) == 3


@pytest.mark.django_db(transaction=True)
def test_a_cancel_is_told_when_it_has_committed_and_not_when_it_rolls_back():
    told = []

    def receive(sender, execution_id, status, **rest):
        told.append((sender, execution_id, status))

    execution_finished.connect(receive)
    try:
        run = make_run()
        with transaction.atomic():
            cancel(run.pk, "")
            transaction.set_rollback(True)
        assert told == []
        assert now_of(run.pk).status == "pending"
        cancel(run.pk, "")
        late = make_run(timeout=5)
        later(6)
        wake_due(make_worker())
    finally:
        execution_finished.disconnect(receive)
    assert told == [("shop", run.pk, "cancelled"), ("shop", late.pk, "failed")]


# Retry


def test_a_failed_run_goes_on_from_the_node_that_failed_with_fresh_attempts(worker):
    run = failed(worker)
    given = retry(run.id, None)
    row = now_of(run.id)
    for again in (given, row):
        assert (again.status, again.error, again.finished_at) == ("pending", None, None)
        assert (again.context, again.outputs) == ({"n": 1}, {"n1": [1]})
        assert again.lease == run.lease + 1
    assert row.ready_at > row.created_at
    claimed = claim_one(worker, run.id)
    state = from_snapshot(claimed.snapshot)
    assert (state.next_path, state.seq, state.attempt, state.last) == ("n2", 3, 0, "n1")
    assert list(claimed.recorded) == []
    assert write_wave(worker, [checkpoint_of(claimed, 4)]) == ["written"]


def test_a_cancelled_run_goes_on_where_it_stood(worker):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, step=step_of(1, changes='[["set","n",1]]'))])
    write_wave(worker, [checkpoint_of(run, step=step_of(2, "running"), replaces=True)])
    cancel(run.id, "mistake")
    retry(run.id, None)
    row = now_of(run.id)
    assert (row.status, row.reason, row.context) == ("pending", "", {"n": 1})
    state = from_snapshot(claim_one(worker, run.id).snapshot)
    # The attempt that was cancelled keeps its place in the history.
    assert (state.next_path, state.seq, state.attempt) == ("n2", 2, 0)


def test_a_run_cancelled_before_it_began_begins_at_its_first_node(worker):
    run = make_run()
    cancel(run.pk, "")
    retry(run.pk, None)
    assert claim_one(worker, run.pk).snapshot == ""


@pytest.mark.parametrize("make", [scheduled, pending, running, sleeping])
def test_a_run_that_has_not_ended_cannot_be_retried(worker, make):
    pk = make(worker)
    status = now_of(pk).status
    with pytest.raises(InvalidState, match=status) as caught:
        retry(pk, None)
    assert caught.value.status == status


def test_a_run_that_completed_cannot_be_retried(worker):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, move=completion(SNAPSHOT))])
    with pytest.raises(InvalidState, match="completed"):
        retry(run.id, None)


def test_a_timeout_that_has_not_passed_goes_on(worker):
    run = failed(worker, timeout=100)
    until = now_of(run.id).timeout_at
    later(50)
    retry(run.id, 7)
    row = now_of(run.id)
    assert row.due_at == row.timeout_at == until


@pytest.mark.parametrize("seconds", [60, None])
def test_a_timeout_that_has_passed_is_given_anew(worker, seconds):
    run = make_run(timeout=100)
    later(101)
    wake_due(worker)
    retry(run.pk, seconds)
    row = now_of(run.pk)
    assert row.due_at == row.timeout_at
    if seconds is None:
        assert row.timeout_at is None
    else:
        assert row.timeout_at - row.ready_at == timedelta(seconds=60)
    assert wake_due(worker) == 0


def test_a_large_output_is_still_kept_by_reference_when_its_run_is_reopened(worker):
    run = held(worker)
    large = f'"{"x" * INLINE_OUTPUT_BYTES}"'
    write_wave(worker, [checkpoint_of(run, step=step_of(1, output=large))])
    cancel(run.id, "")
    retry(run.id, None)
    row = now_of(run.id)
    assert large not in row.snapshot
    assert row.outputs == {"n1": "x" * INLINE_OUTPUT_BYTES}


@pytest.mark.django_db(transaction=True)
def test_of_retries_at_the_same_moment_one_wins():
    worker = make_worker()
    run = failed(worker)
    got = at_once(*[lambda: retry(run.id, None).status for _ in range(4)])
    assert got.count("pending") == 1
    assert sum(isinstance(answer, InvalidState) for answer in got) == 3
    assert now_of(run.id).lease == run.lease + 1
