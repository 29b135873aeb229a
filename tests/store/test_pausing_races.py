"""Races of pause and resume on real connections of either database: whoever is first, all of a run
stops or none of it, nothing that was done is lost, and nothing is stuck.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from durable_django.exceptions import InvalidState
from durable_django.models import AuditEntry, Execution, Wait
from durable_django.store import clock
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.leases import declare_dead, take_back
from durable_django.store.pausing import pause, resume
from durable_django.store.waking import wake_due
from tests.waiting import until

from .forks import claim_strands, end_of, fork_of, forked, statuses_below, writing, written
from .parked import outcome_of, parked, sent, wait_at
from .rows import at_once, checkpoint_of, claim_one, completion, held, make_worker, now_of, seqs_of

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12


@pytest.fixture
def worker(transactional_db):
    return make_worker()


def pausing(pk):
    return lambda: pause(pk)


def resuming(pk):
    return lambda: resume(pk)


def taking_back(worker, dead):
    """As keepers do: again while something was locked."""
    rows = Execution.objects.filter(worker_id=dead)
    return lambda: until(lambda: take_back(worker) or not rows.exists())


def statuses(pk):
    return {row.status for row in Execution.objects.filter(root=pk, finished_at=None)}


def check_that_all_of_it_stops(worker, pk):
    """Whatever is still held ends its node; then nothing runs, and all of it is paused."""
    for row in Execution.objects.filter(root=pk, worker__isnull=False):
        assert row.paused_at is not None
    rows = Execution.objects.filter(root=pk, finished_at=None)
    assert not rows.filter(paused_at=None).exists()
    assert not claim(worker, ["default"], 9)


def test_a_pause_and_a_checkpoint_at_once_stop_it_before_the_next_node_or_after_it(worker):
    # race: pause-and-checkpoint
    told = Counter()
    for _ in range(ROUNDS):
        run = held(worker)
        [verdict], paused = at_once(writing(worker, checkpoint_of(run)), pausing(run.id))
        assert paused.pk == run.id
        told[verdict] += 1
        assert seqs_of(run.id) == [1]
        if verdict == "written":  # the pause came after it: the next node is in hand
            assert now_of(run.id).status == "running"
            assert written(worker, [checkpoint_of(run, 2)]) == ["parked"]
        assert now_of(run.id).status == "paused"
        check_that_all_of_it_stops(worker, run.id)
    assert set(told) <= {"written", "parked"}


def test_a_pause_and_the_end_of_a_run_at_once_leave_it_ended(worker):
    for _ in range(ROUNDS):
        run = held(worker)
        [verdict], paused = at_once(
            writing(worker, checkpoint_of(run, move=completion())), pausing(run.id)
        )
        assert verdict == "written"
        assert isinstance(paused, InvalidState | Execution), paused
        assert (now_of(run.id).status, now_of(run.id).paused_at) == ("completed", None)


def test_a_pause_and_a_fork_at_once_stop_all_of_its_members(worker):
    # race: fork-under-pause
    for _ in range(ROUNDS):
        run = forked(worker, 1)
        (strand,) = claim_strands(worker, run.id, 1)
        fork = fork_of(strand, 3, 2, path="each[0]/inner")
        [verdict], paused = at_once(writing(worker, fork), pausing(run.id))
        assert (verdict, paused.pk) == ("written", run.id)
        assert statuses(run.id) == {"paused"}
        assert statuses_below(strand.id) == ["paused"] * 3
        resume(run.id)
        assert statuses_below(strand.id) == ["pending", "pending", "waiting"]
        cancel(run.id, "")


def test_a_pause_and_the_last_end_at_once_keep_the_join_for_the_resumption(worker):
    for _ in range(ROUNDS):
        run = forked(worker, 2)
        first, second = claim_strands(worker, run.id, 2)
        ends = [writing(worker, end_of(strand)) for strand in (first, second)]
        found = at_once(*ends, pausing(run.id))
        assert found[:2] == [["written"]] * 2
        assert (now_of(run.id).status, now_of(run.id).remaining) == ("paused", 0)
        resume(run.id)
        assert claim_one(worker, run.id).id == run.id


def test_a_pause_and_a_waking_at_once_leave_it_paused_and_woken_when_it_is_resumed(worker):
    for _ in range(ROUNDS):
        run = parked(worker, "sleep", "", seconds=30)
        clock.advance(timedelta(seconds=31))
        _, paused = at_once(lambda: wake_due(worker), pausing(run.id))
        assert paused.pk == run.id
        assert now_of(run.id).status == "paused"
        check_that_all_of_it_stops(worker, run.id)
        resume(run.id)
        assert wait_at(run).status == "completed"
        assert claim_one(worker, run.id).id == run.id


def test_a_pause_and_a_claim_at_once_stop_it_one_way_or_the_other(worker):
    for _ in range(ROUNDS):
        run = forked(worker, 3)
        claimed, paused = at_once(lambda: claim(worker, ["default"], 9), pausing(run.id))
        assert paused.pk == run.id
        wave = [checkpoint_of(strand) for strand in claimed]
        assert written(worker, wave) == ["parked"] * len(wave)
        assert statuses(run.id) == {"paused"}
        check_that_all_of_it_stops(worker, run.id)


def test_a_pause_and_a_taking_back_at_once_leave_it_paused_and_suspect(worker):
    for _ in range(ROUNDS):
        dead = make_worker("there")
        run = held(dead)
        declare_dead(dead, overdue_only=False)

        _, paused = at_once(taking_back(worker, dead), pausing(run.id))
        assert paused.pk == run.id
        row = now_of(run.id)
        assert (row.status, row.worker_id, row.suspect) == ("paused", None, True)
        resume(run.id)
        assert claim_one(worker, run.id).suspect


def test_of_two_pauses_at_once_one_counts(worker):
    for _ in range(ROUNDS):
        run = forked(worker, 2)
        found = at_once(pausing(run.id), pausing(run.id))
        assert sorted(type(each).__name__ for each in found) == ["Execution", "InvalidState"]
        assert AuditEntry.objects.filter(execution=run.id).count() == 1
        found = at_once(resuming(run.id), resuming(run.id))
        assert sorted(type(each).__name__ for each in found) == ["Execution", "InvalidState"]
        assert statuses_below(run.id) == ["pending"] * 2
        cancel(run.id, "")


def test_a_pause_and_a_cancel_at_once_leave_it_cancelled(worker):
    for _ in range(ROUNDS):
        run = forked(worker, 2)
        paused, ended = at_once(pausing(run.id), lambda pk=run.id: cancel(pk, ""))
        assert isinstance(paused, InvalidState | Execution), paused
        assert ended.status == "cancelled"
        rows = Execution.objects.filter(root=run.id)
        assert {(row.status, row.paused_at) for row in rows} == {("cancelled", None)}


def test_a_resumption_and_a_delivery_at_once_lose_no_event(worker):
    for number in range(ROUNDS):
        run = parked(worker)
        pause(run.id)
        sent(run, number)
        found = at_once(resuming(run.id), lambda: until(lambda: not deliver_all(worker).is_locked))
        assert found[0].pk == run.id
        assert outcome_of(run) == ("completed", number)
        assert claim_one(worker, run.id).id == run.id


def test_a_resumption_and_a_waking_at_once_wake_it_once(worker):
    for _ in range(ROUNDS):
        run = parked(worker, seconds=30)
        pause(run.id)
        clock.advance(timedelta(seconds=31))
        at_once(resuming(run.id), lambda: wake_due(worker))
        wake_due(worker)
        assert wait_at(run).status == "timed_out"
        assert claim_one(worker, run.id).id == run.id


def test_a_resumption_and_a_checkpoint_at_once_leave_it_to_one_worker(worker):
    for _ in range(ROUNDS):
        run = held(worker)
        pause(run.id)
        [verdict], resumed = at_once(writing(worker, checkpoint_of(run)), resuming(run.id))
        assert resumed.pk == run.id
        # Either it stopped and is ready again, or it never stopped.
        status = {"parked": "pending", "written": "running"}[verdict]
        assert (now_of(run.id).status, now_of(run.id).paused_at) == (status, None)
        found = claim(worker, ["default"], 9)
        assert [each.id for each in found] == ([run.id] if verdict == "parked" else [])
        lease = now_of(run.id).lease
        ends = checkpoint_of(run, 2, lease=lease, move=completion(seq=2))
        assert write_wave(worker, [ends]) == ["written"]


def test_pauses_and_resumptions_beside_everything_else_leave_nothing_stuck(worker):
    runs = [parked(worker, seconds=600) for _ in range(6)]

    def flips(number):
        for run in runs[number::2]:
            pause(run.id)
            resume(run.id)
            pause(run.id)
            resume(run.id)

    def sends():
        for run in runs:
            sent(run, "x")
            until(lambda: not deliver_all(worker).is_locked)

    at_once(lambda: flips(0), lambda: flips(1), sends)
    until(lambda: not deliver_all(worker).is_locked)
    assert not Wait.objects.filter(resolved_at=None).exists()
    assert {run.id for run in claim(worker, ["default"], 9)} == {run.id for run in runs}
