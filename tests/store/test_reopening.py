"""A run that is retried at its join: the members that failed, or were cancelled by that, go on."""

import pytest

from durable_django import Workflow, foreach, step
from durable_django.definition import registry
from durable_django.engine.state import from_snapshot
from durable_django.exceptions import InvalidState
from durable_django.models import Execution
from durable_django.models.history import base_state
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.ending import cancel
from durable_django.store.going_on import retry
from durable_django.store.records import Move

from .forks import claim_strands, end_of, fork_of, forked, snapshot_at, statuses_below
from .rows import at_once, checkpoint_of, claim_one, completion, make_worker, now_of, step_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def rows_below(pk):
    return list(Execution.objects.filter(parent_id=pk).order_by("id"))


def fork_text(run):
    return base_state(now_of(run.id).snapshot).fork


def fail_join(worker, run):
    """The run's join fails, and the run with it."""
    claimed = claim_one(worker, run.id)
    snapshot = snapshot_at("each[]", seq=2, fork=fork_text(run))
    step = step_of(2, "failed", path="each[]", next_path="each[]", output="null")
    move = completion(snapshot, 2)._replace(status="failed", result="null", error='{"type":"E"}')
    assert write_wave(worker, [checkpoint_of(claimed, step=step, move=move)]) == ["written"]


def failed(worker, items=4, concurrency=None):
    """A run of which one member completed and the next failed, which ended the others."""
    run = forked(worker, items, concurrency)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [end_of(first)])
    write_wave(worker, [end_of(second, "failed", decides=True)])
    fail_join(worker, run)
    return run


def test_completed_strands_stay_and_the_others_go_on(worker):
    run = failed(worker)
    before = rows_below(run.id)
    assert [row.status for row in before] == ["completed", "failed", "cancelled", "cancelled"]
    retry(run.id, None)
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.failures) == ("waiting", 3, 0)
    assert (parent.error, parent.finished_at, parent.released_id) == (None, None, None)
    rows = rows_below(run.id)
    assert [row.status for row in rows] == ["completed"] + ["pending"] * 3
    assert [row.lease - old.lease for row, old in zip(rows, before, strict=True)] == [0, 1, 1, 1]
    assert [row.error for row in rows] == [None] * 4
    assert [row.finished_at is None for row in rows] == [False, True, True, True]


def test_a_strand_that_failed_goes_on_at_its_node_with_fresh_attempts(worker):
    run = failed(worker)
    retry(run.id, None)
    second, third, _ = claim_strands(worker, run.id, 3)
    state = from_snapshot(second.snapshot, "each", second.inherited.state)
    assert (state.next_path, state.seq, state.attempt) == ("each[1]/send", 1, 0)
    assert state.context == {"n": "1"}
    assert third.snapshot == "", "it never began"
    wave = [end_of(second, seq=2), end_of(third)]
    assert write_wave(worker, wave) == ["written"] * 2
    assert now_of(run.id).remaining == 1


def test_the_join_opens_again_when_those_have_ended(worker):
    run = failed(worker)
    retry(run.id, None)
    second, third, fourth = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(second, seq=2), end_of(third), end_of(fourth)])
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)
    claimed = claim_one(worker, run.id)
    assert from_snapshot(claimed.snapshot).next_path == "each[]"


def test_a_worker_of_the_time_before_the_retry_writes_nothing(worker):
    run = forked(worker, 3)
    first, second, third = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(first, "failed", decides=True)])
    fail_join(worker, run)
    retry(run.id, None)
    assert write_wave(worker, [end_of(second), end_of(third)]) == ["lost"] * 2
    claim_strands(worker, run.id, 3)
    assert write_wave(worker, [end_of(second), end_of(third)]) == ["lost"] * 2


def test_no_more_than_the_concurrency_begin_again(worker):
    with registry.isolate():

        class Shop(Workflow):
            class Meta:
                name = "shop"

            with foreach(lambda self: range(6), concurrency=2) as each:

                @step
                def send(self): ...

        run = failed(worker, 6, 2)
        retry(run.id, None)
    assert statuses_below(run.id) == ["completed"] + ["pending"] * 2 + ["waiting"] * 3
    rows = rows_below(run.id)
    assert [row.held_back for row in rows] == [False] * 3 + [True] * 3
    assert now_of(run.id).released_id == rows[2].pk
    second, third = claim_strands(worker, run.id, 2)
    write_wave(worker, [end_of(second, seq=2), end_of(third)])
    assert statuses_below(run.id) == ["completed"] * 3 + ["pending"] * 2 + ["waiting"]


def test_a_run_that_is_retried_by_itself_reopens_its_members_with_the_failed_attempt(worker):
    run = forked(worker, 3)
    first, second, _ = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(first)])
    write_wave(worker, [end_of(second, "failed", decides=True)])
    claimed = claim_one(worker, run.id)
    snapshot = snapshot_at("each[]", seq=2, fork=fork_text(run)).replace(
        '"last"', '"retries":1,"last"'
    )
    step = step_of(2, "failed", path="each[]", next_path="each[]", output="null")
    move = Move("waiting", snapshot, 2)
    checkpoint = checkpoint_of(claimed, step=step, move=move, reopens=True)
    assert checkpoint.is_alone
    assert write_wave(worker, [checkpoint]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.worker_id) == ("waiting", 2, None)
    assert statuses_below(run.id) == ["completed", "pending", "pending"]
    again = claim_strands(worker, run.id, 2)
    write_wave(worker, [end_of(again[0], seq=2), end_of(again[1])])
    assert from_snapshot(claim_one(worker, run.id).snapshot).retries == 1


def test_members_below_members_go_on_where_they_stood(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 3, path="each[0]/inner")])
    one, two, _ = claim_strands(worker, first.id, 3)
    write_wave(worker, [end_of(one)])
    write_wave(worker, [end_of(two, "failed")])
    write_wave(worker, [end_of(second, "failed", decides=True)])
    assert statuses_below(first.id) == ["completed", "failed", "cancelled"]
    fail_join(worker, run)
    retry(run.id, None)
    assert statuses_below(run.id) == ["waiting", "pending"]
    assert statuses_below(first.id) == ["completed", "pending", "pending"]
    assert now_of(first.id).remaining == 2
    again = {strand.path: strand for strand in claim(worker, ["default"], 10)}
    assert sorted(again) == ["each[0]/inner[1]", "each[0]/inner[2]", "each[1]"]
    below = [end_of(again["each[0]/inner[1]"], seq=2), end_of(again["each[0]/inner[2]"])]
    write_wave(worker, below)
    assert (now_of(first.id).status, now_of(first.id).remaining) == ("pending", 0)
    (joining,) = claim_strands(worker, run.id, 1)
    write_wave(worker, [end_of(joining, seq=2), end_of(again["each[1]"], seq=2)])
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)


def test_a_cancelled_run_goes_on_in_all_members_that_had_not_completed(worker):
    run = forked(worker, 3)
    first, second, _ = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(first)])
    begun = step_of(1, "running", path="each[1]/send", next_path="each[1]/send")
    write_wave(worker, [checkpoint_of(second, step=begun, replaces=True)])
    cancel(run.id, "mistake")
    retry(run.id, None)
    assert now_of(run.id).remaining == 2
    again, _ = claim_strands(worker, run.id, 2)
    state = from_snapshot(again.snapshot, "each", again.inherited.state)
    assert (state.next_path, state.seq, state.attempt) == ("each[1]/send", 1, 0)


def test_a_run_all_of_whose_members_had_completed_goes_on_at_its_join(worker):
    run = forked(worker, 2)
    write_wave(worker, [end_of(strand) for strand in claim_strands(worker, run.id, 2)])
    cancel(run.id, "")
    retry(run.id, None)
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)
    assert statuses_below(run.id) == ["completed"] * 2


def test_many_members_are_reopened(worker, monkeypatch):
    monkeypatch.setattr("durable_django.store.reopening.BATCH", 3)
    run = forked(worker, 10)
    cancel(run.id, "")
    retry(run.id, None)
    assert statuses_below(run.id) == ["pending"] * 10
    assert now_of(run.id).remaining == 10


@pytest.mark.django_db(transaction=True)
def test_of_retries_at_the_same_moment_one_reopens_the_members():
    worker = make_worker()
    run = failed(worker)
    before = [row.lease for row in rows_below(run.id)]
    got = at_once(*[lambda: retry(run.id, None).status for _ in range(3)])
    assert got.count("waiting") == 1
    assert sum(isinstance(answer, InvalidState) for answer in got) == 2
    leases = [row.lease for row in rows_below(run.id)]
    assert leases == [before[0], *(lease + 1 for lease in before[1:])]
