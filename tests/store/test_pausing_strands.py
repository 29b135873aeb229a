"""Pause and resume of a run with strands: all of it stops, is counted, and goes on together."""

from datetime import timedelta

import pytest

from durable_django.exceptions import InvalidState
from durable_django.models import Execution
from durable_django.store import clock
from durable_django.store import pausing as module
from durable_django.store.checkpoint import fenced_write, write_wave
from durable_django.store.claiming import claim
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.pausing import pause, resume
from durable_django.store.records import Taking
from durable_django.store.transactions import worker_transaction
from durable_django.store.waking import wake_due

from .forks import claim_strands, end_of, fork_of, forked, statuses_below, written
from .parked import called, ending, outcome_of, parked, sent, waiting_members
from .rows import checkpoint_of, claim_one, completion, held, make_worker, now_of, step_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def rows_below(pk):
    return list(Execution.objects.filter(parent_id=pk).order_by("id"))


def ready(worker):
    return [run.id for run in claim(worker, ["default"], 99)]


def test_members_stop_with_their_run_at_any_depth(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 2, path="each[0]/inner")])
    pause(run.id)
    assert (now_of(run.id).status, statuses_below(run.id)) == ("paused", ["paused", "running"])
    assert statuses_below(first.id) == ["paused"] * 2
    assert {row.paused_at for row in Execution.objects.all()} == {now_of(run.id).paused_at}
    assert ready(worker) == []
    assert write_wave(worker, [checkpoint_of(second)]) == ["parked"]
    assert statuses_below(run.id) == ["paused"] * 2
    resume(run.id)
    assert (now_of(run.id).status, statuses_below(run.id)) == ("waiting", ["waiting", "pending"])
    assert statuses_below(first.id) == ["pending"] * 2
    assert not Execution.objects.filter(paused_at__isnull=False).exists()


def test_very_many_members_stop_and_go_on_in_batches(worker, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    run = forked(worker, 10)
    pause(run.id)
    assert statuses_below(run.id) == ["paused"] * 10
    resume(run.id)
    assert statuses_below(run.id) == ["pending"] * 10


def test_what_forks_while_it_is_to_stop_makes_paused_members(worker):
    run = held(worker)
    pause(run.id)
    assert write_wave(worker, [fork_of(run, 3, 1)]) == ["written"]
    assert (now_of(run.id).status, statuses_below(run.id)) == ("paused", ["paused"] * 3)
    assert [row.held_back for row in rows_below(run.id)] == [False, True, True]
    assert ready(worker) == []
    resume(run.id)
    assert now_of(run.id).status == "waiting"
    assert statuses_below(run.id) == ["pending", "waiting", "waiting"]


def test_a_member_that_forks_while_it_is_to_stop_makes_paused_members(worker):
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    pause(run.id)
    write_wave(worker, [fork_of(strand, 2, path="each[0]/inner")])
    assert (statuses_below(run.id), statuses_below(strand.id)) == (["paused"], ["paused"] * 2)


def test_ends_are_counted_and_the_join_waits_for_the_resumption(worker):
    run = forked(worker, 2)
    strands = claim_strands(worker, run.id, 2)
    pause(run.id)
    assert write_wave(worker, [end_of(strand) for strand in strands]) == ["written"] * 2
    assert statuses_below(run.id) == ["completed"] * 2
    parent = now_of(run.id)
    assert (parent.status, parent.remaining) == ("paused", 0)
    assert ready(worker) == []
    assert resume(run.id).status == "pending"
    assert ready(worker) == [run.id]


@pytest.mark.parametrize("takes", [False, True])
def test_the_turn_of_one_that_is_held_back_comes_but_it_begins_when_resumed(worker, takes):
    run = forked(worker, 3, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    pause(run.id)
    taking = Taking(worker, 9) if takes else None
    assert write_wave(worker, [end_of(strand)], taking=taking) == ["written"]
    assert statuses_below(run.id) == ["completed", "paused", "paused"]
    assert [row.held_back for row in rows_below(run.id)] == [False, False, True]
    assert taking is None or taking.rows == []
    resume(run.id)
    assert statuses_below(run.id) == ["completed", "pending", "waiting"]


def test_a_failure_that_ends_its_block_ends_paused_members(worker):
    run = forked(worker, 3)
    (strand,) = claim_strands(worker, run.id, 1)
    pause(run.id)
    failed = end_of(strand, "failed", decides=True)
    assert write_wave(worker, [failed]) == ["written"]
    assert statuses_below(run.id) == ["failed", "cancelled", "cancelled"]
    assert {row.paused_at for row in rows_below(run.id)} == {None}
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("paused", 0)
    assert resume(run.id).status == "pending"


def test_a_member_that_finishes_the_run_ends_it_though_it_is_paused(worker):
    run = forked(worker, 2)
    (strand,) = claim_strands(worker, run.id, 1)
    pause(run.id)
    assert write_wave(worker, [end_of(strand, decides=True, finishes='"all"')]) == ["written"]
    ended = now_of(run.id)
    assert (ended.status, ended.result, ended.paused_at) == ("completed", "all", None)
    assert statuses_below(run.id) == ["completed", "cancelled"]


def test_a_member_whose_atomic_step_is_its_last_ends_though_it_is_to_stop(worker):
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    pause(run.id)
    end = end_of(strand)
    own = end._replace(move=None, end=None, precedes_end=True)
    with worker_transaction(worker):
        assert fenced_write(worker, [own], False, wait=True) == ["written"]
    assert written(worker, [end._replace(step=None)]) == ["written"]
    assert (statuses_below(run.id), now_of(run.id).remaining) == (["completed"], 0)


def test_cancel_ends_what_is_paused_at_any_depth(worker):
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    write_wave(worker, [fork_of(strand, 2, path="each[0]/inner")])
    pause(run.id)
    cancel(run.id, "")
    assert {row.status for row in Execution.objects.all()} == {"cancelled"}
    assert {row.paused_at for row in Execution.objects.all()} == {None}


def test_a_member_is_not_paused_or_resumed_alone(worker):
    run = forked(worker, 1)
    (strand,) = rows_below(run.id)
    with pytest.raises(InvalidState, match=f"a member of the run {run.id}; pause that"):
        pause(strand.pk)
    pause(run.id)
    with pytest.raises(InvalidState, match=f"a member of the run {run.id}; resume that"):
        resume(strand.pk)


def test_the_runs_it_has_called_go_on(worker):
    run, child_id = called(worker)
    pause(run.id)
    child = claim_one(worker, child_id)
    assert write_wave(worker, [ending(child, result="42")]) == ["written"]
    deliver_all(worker)
    assert (now_of(run.id).status, outcome_of(run)) == ("paused", ("completed", 42))
    assert resume(run.id).status == "pending"


def test_of_a_fork_that_waits_each_member_goes_on_as_it_is(worker):
    run = parked(worker)
    Execution.objects.filter(pk=run.id).update(remaining=3)
    now = clock.now()
    first, second, third = waiting_members(
        run,
        [
            {"name": "a"},
            {"name": "b", "due_at": now + timedelta(seconds=60)},
            {"kind": "sleep", "name": "", "due_at": now + timedelta(seconds=90)},
        ],
    )
    for pk, seconds in ((second, 60), (third, 90)):
        due_at = now + timedelta(seconds=seconds)
        Execution.objects.filter(pk=pk).update(wake_at=due_at, due_at=due_at)
    pause(run.id)
    sent(run, 1, name="a")
    deliver_all(worker)
    resume(run.id)
    assert statuses_below(run.id) == ["pending", "waiting", "sleeping"]
    assert ready(worker) == [first]


def test_what_came_due_meanwhile_is_ready_in_the_order_of_its_times(worker):
    # race: resume-and-due
    run = parked(worker)
    Execution.objects.filter(pk=run.id).update(remaining=2)
    due_at = clock.now() + timedelta(seconds=30)
    hears, sleeps = waiting_members(
        run, [{"name": "late"}, {"kind": "sleep", "name": "", "due_at": due_at}]
    )
    Execution.objects.filter(pk=sleeps).update(wake_at=due_at, due_at=due_at)
    pause(run.id)
    clock.advance(timedelta(seconds=60))
    sent(run, 1, name="late")
    deliver_all(worker)
    assert wake_due(worker) == 0
    resume(run.id)
    assert ready(worker) == [sleeps, hears], "its time was up before the event was sent"


def test_what_ends_a_paused_member_leaves_the_others_paused(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    pause(run.id)
    assert write_wave(worker, [end_of(first), checkpoint_of(second)]) == ["written", "parked"]
    assert statuses_below(run.id) == ["completed", "paused"]
    assert now_of(run.id).remaining == 1
    resume(run.id)
    again = claim_one(worker, second.id)
    assert write_wave(worker, [end_of(again, seq=2)]) == ["written"]
    assert claim_one(worker, run.id).id == run.id


def test_a_run_that_ends_by_its_word_while_others_are_paused_pauses_nobody(worker):
    run, other = held(worker), held(worker)
    pause(run.id)
    wave = [checkpoint_of(run, move=completion()), checkpoint_of(other, step=step_of(1))]
    assert write_wave(worker, wave) == ["written", "written"]
    assert now_of(other.id).paused_at is None
