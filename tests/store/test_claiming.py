"""Claim: every ready run becomes one worker's, the most urgent first."""

from datetime import timedelta

import pytest

from durable_django.models import Execution
from durable_django.store import clock, leases
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim, is_ready, postpone, release
from durable_django.store.starting import insert_many

from .rows import (
    OPTIONS,
    SNAPSHOT,
    at_once,
    checkpoint_of,
    claim_one,
    held,
    make_run,
    make_worker,
    now_of,
    step_of,
)

pytestmark = pytest.mark.django_db


def claimed_names(queues, count=10):
    found = claim(make_worker(), queues, count)
    names = dict(Execution.objects.values_list("id", "workflow_name"))
    return [names[run.id] for run in found]


def test_a_claim_gives_a_lease_and_all_that_driving_the_run_needs():
    worker = make_worker()
    made = make_run('{"n":1}', timeout=60)
    (run,) = claim(worker, ["default"], 5)
    assert (run.id, run.lease, run.workflow_name, run.version) == (made.pk, 1, "shop", 1)
    assert (run.input_text, run.snapshot, run.snapshot_seq, list(run.recorded)) == (
        '{"n":1}',
        "",
        0,
        [],
    )
    assert (run.queue, run.suspect, run.recoveries, run.recovery_seq) == ("default", False, 0, 0)
    row = now_of(made.pk)
    assert (row.status, row.worker_id, row.lease) == ("running", worker, 1)
    assert row.started_at >= row.created_at
    assert claim(worker, ["default"], 5) == []


def test_the_most_urgent_run_comes_first_and_of_equals_the_oldest():
    for name, priority in [("old", 0), ("urgent", 5), ("new", 0), ("later", -1), ("second", 5)]:
        make_run(workflow_name=name, priority=priority)
        clock.advance(timedelta(seconds=1))
    assert claimed_names(["default"]) == ["urgent", "second", "old", "new", "later"]


def test_the_queue_named_first_comes_first_whatever_the_priorities():
    make_run(workflow_name="a", queue="low", priority=9)
    make_run(workflow_name="b", queue="high")
    make_run(workflow_name="c", queue="other")
    assert claimed_names(["high", "low"]) == ["b", "a"]
    assert claimed_names(["high", "low", "other"]) == ["c"]


def test_no_more_are_claimed_than_asked_for_over_all_queues():
    for queue in ("high", "low", "low"):
        make_run(queue=queue)
    worker = make_worker()
    assert len(claim(worker, ["high", "low"], 2)) == 2
    assert claim(worker, ["high", "low"], 0) == []
    assert is_ready(["low"])
    assert not is_ready(["high"])
    assert not is_ready([])


def test_only_runs_that_are_ready_are_claimed():
    make_run(scheduled_at=clock.now() + timedelta(hours=1))
    held(make_worker())
    assert claim(make_worker(), ["default"], 10) == []


def test_a_claim_brings_what_was_recorded_after_the_snapshot_in_order():
    worker = make_worker()
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, 1)])
    write_wave(worker, [checkpoint_of(run, 2, snapshot=SNAPSHOT)])
    for seq in (3, 4):
        write_wave(worker, [checkpoint_of(run, seq)])
    other = held(worker)
    write_wave(worker, [checkpoint_of(other, 1)])
    assert release(worker, {run.id: run.lease, other.id: other.lease}) == 2
    found = {again.id: again for again in claim(worker, ["default"], 2)}
    again = found[run.id]
    assert (again.snapshot, again.snapshot_seq) == (SNAPSHOT, 2)
    assert [row.seq for row in again.recorded] == [3, 4]
    assert [row.seq for row in found[other.id].recorded] == [1]
    last = again.recorded[-1]
    assert (last.path, last.status, last.attempt, last.output) == ("n4", "completed", 1, "4")
    assert (last.changes, last.next_path) == ("[]", "n5")


def test_a_run_that_is_handed_back_keeps_its_place_and_its_old_lease_is_worth_nothing():
    worker = make_worker()
    first = make_run()
    make_run()
    run = claim_one(worker, first.pk)
    assert release(worker, {run.id: run.lease}) == 1
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.lease, row.suspect) == ("pending", None, 2, False)
    assert write_wave(worker, [checkpoint_of(run)]) == ["lost"]
    assert claim_one(worker, first.pk).lease == 3


def test_a_run_that_was_lost_meanwhile_is_not_handed_back():
    worker, other = make_worker(), make_worker()
    run = held(worker)
    assert release(worker, {run.id: run.lease - 1}) == 0
    assert release(other, {run.id: run.lease}) == 0
    assert release(worker, {}) == 0
    assert now_of(run.id).status == "running"


def test_a_run_whose_code_is_missing_is_put_back_for_a_while():
    worker = make_worker()
    run = held(worker, timeout=3600)
    postpone(worker, run.id, run.lease, 60)
    row = now_of(run.id)
    assert (row.status, row.worker_id) == ("sleeping", None)
    assert row.due_at == row.wake_at < row.timeout_at
    short = held(worker, timeout=5)
    postpone(worker, short.id, short.lease, 60)
    assert now_of(short.id).due_at == now_of(short.id).timeout_at
    lost = held(worker)
    postpone(worker, lost.id, lost.lease + 1, 60)
    assert now_of(lost.id).status == "running"


def test_a_committed_start_without_an_end_is_brought_along():
    worker = make_worker()
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, step=step_of(1, "running"), replaces=True)])
    leases.declare_dead(worker, overdue_only=False)
    leases.take_back(make_worker())
    again = claim_one(make_worker(), run.id)
    assert again.suspect
    assert [(row.seq, row.status) for row in again.recorded] == [(1, "running")]


@pytest.mark.django_db(transaction=True)
def test_claimers_at_the_same_moment_never_get_the_same_run_and_leave_none():
    workers = [make_worker(f"host{number}") for number in range(4)]
    for _ in range(8):
        ids = set(insert_many(OPTIONS, ["{}"] * 20))
        got = at_once(*[lambda w=worker: claim(w, ["default"], 8) for worker in workers])
        found = [run.id for runs in got for run in runs]
        assert len(found) == len(set(found))
        # On PostgreSQL a claimer passes over rows that another is taking: a second look finds them.
        found += [run.id for run in claim(workers[0], ["default"], 20)]
        assert len(found) == 20
        assert set(found) == ids
    for runs, worker in zip(got, workers, strict=True):
        for run in runs:
            row = now_of(run.id)
            assert (row.worker_id, row.lease) == (worker, run.lease)


@pytest.mark.django_db(transaction=True)
def test_a_run_is_handed_back_or_cancelled_but_not_both_wins():
    from durable_django.store.ending import cancel

    worker = make_worker()
    for _ in range(15):
        run = held(worker)
        at_once(lambda r=run: release(worker, {r.id: r.lease}), lambda r=run: cancel(r.id, ""))
        row = now_of(run.id)
        assert (row.status, row.worker_id) == ("cancelled", None)
        assert row.lease in (run.lease + 1, run.lease + 2)
