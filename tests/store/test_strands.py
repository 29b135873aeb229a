"""Strands: written with their parent's parking, counted as they end, ended with what is above."""

import pytest

from durable_django.models import Execution, ExecutionStatus, StepRun
from durable_django.store import strands as module
from durable_django.store.checkpoint import fenced_write, write_wave
from durable_django.store.claiming import claim, release
from durable_django.store.ending import cancel
from durable_django.store.transactions import worker_transaction

from .forks import claim_strands, end_of, fork_of, forked, statuses_below, writing
from .rows import (
    at_once,
    checkpoint_of,
    claim_one,
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


def rows_below(pk):
    return list(Execution.objects.filter(parent_id=pk).order_by("id"))


# Fork


def test_strands_are_written_with_the_parking_of_their_parent(worker):
    run = held(worker, priority=7, timeout=60)
    assert write_wave(worker, [fork_of(run, 3)]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.worker_id, parent.remaining) == ("waiting", None, 3)
    assert parent.due_at == parent.timeout_at, "its own timeout still runs"
    strands = rows_below(run.id)
    assert [row.path for row in strands] == ["each[0]", "each[1]", "each[2]"]
    assert [row.input for row in strands] == ["item 0", "item 1", "item 2"]
    assert [row.pk.int - strands[0].pk.int for row in strands] == [0, 1, 2]
    for row in strands:
        assert (row.kind, row.status, row.lease, row.held_back) == ("strand", "pending", 0, False)
        assert (row.root_id, row.depth, row.parent_id) == (run.id, 1, run.id)
        assert (row.workflow_name, row.version, row.queue) == ("shop", 1, "default")
        assert (row.priority, row.due_at, row.tags) == (7, None, [])


def test_the_forks_of_a_wave_are_written_together(worker):
    first, second = held(worker), held(worker)
    wave = [fork_of(first, 2), checkpoint_of(held(worker)), fork_of(second, 3, 1)]
    assert write_wave(worker, wave) == ["written"] * 3
    assert statuses_below(first.id) == ["pending"] * 2
    assert statuses_below(second.id) == ["pending", "waiting", "waiting"]
    assert [row.held_back for row in rows_below(second.id)] == [False, True, True]
    assert now_of(second.id).released_id == rows_below(second.id)[0].pk


def test_who_lost_its_lease_does_not_fork(worker):
    run = held(worker)
    cancel(run.id, "")
    assert write_wave(worker, [fork_of(run)]) == ["lost"]
    assert rows_below(run.id) == []


def test_a_strand_that_forks_makes_strands_below_it(worker):
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    write_wave(worker, [fork_of(strand, 2, path="each[0]/inner")])
    below = rows_below(strand.id)
    assert [row.path for row in below] == ["each[0]/inner[0]", "each[0]/inner[1]"]
    assert {(row.root_id, row.depth) for row in below} == {(run.id, 2)}
    assert now_of(run.id).remaining == 1


# Ends


def test_each_end_is_counted_and_the_last_makes_the_parent_ready(worker):
    run = forked(worker, 3)
    before = now_of(run.id)
    first, second, third = claim_strands(worker, run.id, 3)
    assert write_wave(worker, [end_of(first), end_of(third)]) == ["written"] * 2
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.failures) == ("waiting", 1, 0)
    assert write_wave(worker, [end_of(second)]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.worker_id) == ("pending", 0, None)
    assert parent.ready_at > before.ready_at
    assert [row.result for row in rows_below(run.id)] == ["each[0]", "each[1]", "each[2]"]
    claimed = claim_one(worker, run.id)
    assert '"next":"each[]"' in claimed.snapshot


def test_a_wave_counts_the_ends_below_many_parents(worker):
    runs = [held(worker) for _ in range(3)]
    write_wave(worker, [fork_of(run, 2) for run in runs])
    found = claim(worker, ["default"], 10)
    assert len(found) == 6
    failing = [end_of(strand, "failed") for strand in found[:1]]
    wave = [*failing, *(end_of(strand) for strand in found[1:5])]
    assert write_wave(worker, wave) == ["written"] * 5
    counts = [(now_of(r.id).status, now_of(r.id).remaining, now_of(r.id).failures) for r in runs]
    assert counts == [("pending", 0, 1), ("pending", 0, 0), ("waiting", 1, 0)]


def test_each_end_lets_the_next_begin_that_is_held_back(worker):
    run = forked(worker, 6, 2)
    first, second = claim_strands(worker, run.id, 2)
    assert claim(worker, ["default"], 5) == [], "those held back are nobody's"
    write_wave(worker, [end_of(second)])
    rows = rows_below(run.id)
    assert [row.held_back for row in rows] == [False] * 3 + [True] * 3
    assert now_of(run.id).released_id == rows[2].pk
    (third,) = claim_strands(worker, run.id, 1)
    assert third.path == "each[2]"
    write_wave(worker, [end_of(first), end_of(third)])
    assert statuses_below(run.id) == ["completed"] * 3 + ["pending"] * 2 + ["waiting"]
    fourth, fifth = claim_strands(worker, run.id, 2)
    write_wave(worker, [end_of(fourth), end_of(fifth)])
    assert now_of(run.id).released_id is None, "there is none left to begin"
    (sixth,) = claim_strands(worker, run.id, 1)
    write_wave(worker, [end_of(sixth)])
    assert now_of(run.id).status == "pending"


def test_a_strand_that_parks_is_not_counted_and_keeps_its_place(worker):
    run = forked(worker, 2, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    nap = sleep_of(60)._replace(
        snapshot='{"next":"each[0]/send","seq":1,"attempt":1,'
        '"changes":[],"outputs":{},"last":"each"}'
    )
    step = step_of(1, "failed", path="each[0]/send", next_path="each[0]/send")
    assert write_wave(worker, [checkpoint_of(strand, step=step, move=nap)]) == ["written"]
    assert statuses_below(run.id) == ["sleeping", "waiting"]
    assert now_of(run.id).remaining == 2


def test_a_strand_whose_lease_was_lost_writes_nothing_and_does_not_count(worker):
    run = forked(worker, 2, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    release(worker, {strand.id: strand.lease})
    other = make_worker()
    (again,) = claim_strands(other, run.id, 1)
    for late in (end_of(strand), end_of(strand, "failed", decides=True)):
        assert write_wave(worker, [late]) == ["lost"]
    assert seqs_of(strand.id) == []
    assert statuses_below(run.id) == ["running", "waiting"]
    assert (now_of(run.id).remaining, now_of(run.id).failures) == (2, 0)
    assert write_wave(other, [end_of(again)]) == ["written"]
    assert now_of(run.id).remaining == 1


def test_an_end_is_not_counted_twice(worker):
    run = forked(worker, 3)
    strand = claim_strands(worker, run.id, 3)[0]
    assert write_wave(worker, [end_of(strand)]) == ["written"]
    assert write_wave(worker, [end_of(strand)]) == ["lost"]
    assert write_wave(worker, [end_of(strand)], uncertain=True) == ["written"]
    assert now_of(run.id).remaining == 2


@pytest.mark.django_db(transaction=True)
def test_the_last_ends_of_two_workers_at_the_same_moment_open_the_join_once():
    one, two = make_worker(), make_worker()
    for _ in range(8):
        run = forked(one, 4)
        mine, theirs = claim_strands(one, run.id, 2), claim_strands(two, run.id, 2)
        got = at_once(
            writing(one, *map(end_of, mine)),
            writing(two, *map(end_of, theirs)),
        )
        assert got == [["written"] * 2] * 2
        parent = now_of(run.id)
        assert (parent.status, parent.remaining, parent.failures) == ("pending", 0, 0)
        claims = at_once(*[lambda w=w: claim(w, ["default"], 5) for w in (one, two)])
        assert sorted(map(len, claims)) == [0, 1]
        cancel(run.id, "")


@pytest.mark.django_db(transaction=True)
def test_ends_in_transactions_that_may_wait_are_all_counted():
    """As an atomic step writes its end, inside its own transaction."""
    workers = [make_worker() for _ in range(3)]
    run = forked(workers[0], 9, 3)

    def serve(worker):
        while found := claim(worker, ["default"], 1):
            if found[0].id == run.id:
                release(worker, {run.id: found[0].lease})
                return "joined"
            with worker_transaction(worker):
                assert fenced_write(worker, [end_of(found[0])], False, wait=True) == ["written"]
        return "idle"

    got = at_once(*[lambda w=w: serve(w) for w in workers])
    assert set(got) <= {"joined", "idle"}, got
    assert statuses_below(run.id) == ["completed"] * 9
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)


# Ending what is below


def deep(worker):
    """A run with two strands, the first of which has forked into three; one step runs."""
    run = forked(worker, 3, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 3, 1, path="each[0]/inner")])
    (inner,) = claim_strands(worker, first.id, 1)
    begun = step_of(1, "running", path="each[0]/inner[0]/send")
    write_wave(worker, [checkpoint_of(inner, step=begun, replaces=True)])
    return run, first, second, inner


@pytest.mark.parametrize("batch", [1, 2, 1_000])
def test_a_cancel_ends_every_level_below(worker, monkeypatch, batch):
    monkeypatch.setattr(module, "CASCADE_BATCH", batch)
    run, _, second, inner = deep(worker)
    cancel(run.id, "")
    rows = Execution.objects.filter(root_id=run.id)
    assert set(rows.values_list("status", flat=True)) == {"cancelled"}
    assert not rows.filter(finished_at=None).exists()
    assert not rows.filter(held_back=True).exists()
    leases = {row.path: row.lease for row in rows}
    assert (leases["each[2]"], leases["each[0]/inner[2]"]) == (0, 0), "they never began"
    assert leases["each[1]"] == second.lease + 1
    assert leases["each[0]/inner[0]"] == inner.lease + 1
    assert StepRun.objects.get(execution_id=inner.id).status == "cancelled"
    assert write_wave(worker, [end_of(second), end_of(inner)]) == ["lost"] * 2
    assert claim(worker, ["default"], 10) == []


def test_what_has_ended_before_stays_as_it_is(worker):
    run = forked(worker, 3)
    first, second, _ = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(first), end_of(second, "failed")])
    before = list(Execution.objects.filter(pk__in=[first.id, second.id]).order_by("id").values())
    cancel(run.id, "")
    after = list(Execution.objects.filter(pk__in=[first.id, second.id]).order_by("id").values())
    assert before == after
    assert statuses_below(run.id) == ["completed", "failed", "cancelled"]


def test_a_strand_that_has_ended_stays_as_it_ended_when_those_beside_it_are_cancelled(worker):
    run, first, second, _ = deep(worker)
    assert write_wave(worker, [end_of(second)]) == ["written"]
    module.end_below(run.id, [run.id])
    assert statuses_below(run.id) == ["cancelled", "completed", "cancelled"]
    assert set(statuses_below(first.id)) == {ExecutionStatus.CANCELLED}


@pytest.mark.django_db(transaction=True)
def test_ends_and_forks_and_a_cancel_at_the_same_moment_leave_nothing_alive():
    one, two = make_worker(), make_worker()
    for _ in range(8):
        run = forked(one, 9, 6)
        mine, theirs = claim_strands(one, run.id, 3), claim_strands(two, run.id, 3)
        got = at_once(
            writing(one, *map(end_of, mine[:2])),
            writing(one, fork_of(mine[2], 3, 1, path=f"{mine[2].path}/inner")),
            writing(two, *map(end_of, theirs[:2])),
            writing(two, end_of(theirs[2], "failed", decides=True)),
            lambda pk=run.id: cancel(pk, "").status,
        )
        assert got[-1] == "cancelled", got
        assert all(verdict in ("written", "lost") for found in got[:-1] for verdict in found), got
        alive = Execution.objects.filter(root_id=run.id, finished_at=None)
        assert not alive.exists(), got
        assert not StepRun.objects.filter(status="running").exists()
