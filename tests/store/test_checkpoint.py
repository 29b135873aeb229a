"""Checkpoint: every write is fenced, and what is told to be written is written once."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from durable_django.models import Execution, StepRun
from durable_django.store import checkpoint as module
from durable_django.store import leases
from durable_django.store.checkpoint import fence, record_start, write_wave
from durable_django.store.claiming import release
from durable_django.store.ending import cancel
from durable_django.worker import committer
from durable_django.worker.committer import Committer

from .rows import (
    SNAPSHOT,
    at_once,
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


def test_a_step_that_completed_is_recorded_and_the_run_goes_on(worker):
    run = held(worker)
    record = step_of(
        1,
        changes='[["set","n",1]]',
        logs='[{"message":"ü"}]',
        progress=0.5,
        progress_message="half",
        output='"€"',
    )
    assert write_wave(worker, [checkpoint_of(run, step=record)]) == ["written"]
    row = StepRun.objects.get(execution_id=run.id)
    assert (row.seq, row.path, row.name, row.kind, row.attempt) == (1, "n1", "n1", "step", 1)
    assert (row.status, row.next_path, row.output) == ("completed", "n2", "€")
    assert (row.changes, row.error, row.logs) == ([("set", "n", 1)], None, [{"message": "ü"}])
    assert (row.progress, row.progress_message, row.worker_id) == (0.5, "half", worker)
    assert (row.started_at, row.finished_at) == (record.started_at, record.finished_at)
    now = now_of(run.id)
    assert (now.status, now.worker_id, now.lease) == ("running", worker, run.lease)


def test_a_wave_writes_what_it_holds_and_tells_what_it_lost(worker):
    runs = [held(worker) for _ in range(3)]
    cancel(runs[1].id, "")
    wave = [checkpoint_of(run) for run in runs]
    assert write_wave(worker, wave) == ["written", "lost", "written"]
    assert [seqs_of(run.id) for run in runs] == [[1], [], [1]]
    assert write_wave(worker, []) == []


@pytest.mark.parametrize("move", [None, completion(), sleep_of])
def test_who_lost_its_lease_writes_nothing_at_all(worker, move):
    run = held(worker)
    release(worker, {run.id: run.lease})
    other = make_worker()
    again = claim_one(other, run.id)
    before = Execution.objects.values().get(pk=run.id)
    moved = move(5) if callable(move) else move
    late = checkpoint_of(run, move=moved, snapshot=SNAPSHOT, clears=True, bumps=True)
    assert write_wave(worker, [late, late._replace(replaces=True)]) == ["lost", "lost"]
    assert record_start(worker, late, 3) == "lost"
    assert Execution.objects.values().get(pk=run.id) == before
    assert seqs_of(run.id) == []
    assert write_wave(other, [checkpoint_of(again)]) == ["written"]


def test_a_run_that_was_deleted_is_lost(worker):
    run = held(worker)
    Execution.objects.filter(pk=run.id).delete()
    assert write_wave(worker, [checkpoint_of(run)]) == ["lost"]


def test_a_run_that_completes_is_final_and_nobodys(worker):
    run = held(worker, timeout=60)
    assert write_wave(worker, [checkpoint_of(run, move=completion(SNAPSHOT))]) == ["written"]
    row = now_of(run.id)
    assert (row.status, row.result, row.worker_id, row.due_at) == ("completed", "done", None, None)
    assert (row.snapshot, row.snapshot_seq, row.suspect) == (SNAPSHOT, 1, False)
    assert row.finished_at >= row.started_at
    assert write_wave(worker, [checkpoint_of(run, 2)]) == ["lost"]


def test_a_run_that_fails_keeps_its_error(worker):
    run = held(worker)
    failed = completion()._replace(status="failed", result="null", error='{"type":"E"}')
    write_wave(worker, [checkpoint_of(run, move=failed)])
    row = now_of(run.id)
    assert (row.status, row.error, row.result) == ("failed", {"type": "E"}, None)
    assert row.finished_at is not None


@pytest.mark.parametrize(("timeout", "earlier"), [(None, "wake"), (9e3, "wake"), (5, "timeout")])
def test_a_run_that_sleeps_is_due_when_it_wakes_or_when_its_time_is_up(worker, timeout, earlier):
    run = held(worker, timeout=timeout)
    nap = sleep_of(60)
    assert write_wave(worker, [checkpoint_of(run, move=nap)]) == ["written"]
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.finished_at) == ("sleeping", None, None)
    assert row.wake_at == row.ready_at == nap.wake_at
    assert row.due_at == (row.wake_at if earlier == "wake" else row.timeout_at)


def test_moves_of_all_kinds_go_in_one_wave(worker):
    runs = [held(worker) for _ in range(4)]
    moves = [completion(), sleep_of(60), None, completion()._replace(status="failed", error="{}")]
    wave = [checkpoint_of(run, move=move) for run, move in zip(runs, moves, strict=True)]
    assert write_wave(worker, wave) == ["written"] * 4
    assert [now_of(run.id).status for run in runs] == ["completed", "sleeping", "running", "failed"]


def test_an_attempt_given_up_without_its_own_word_raises_the_lease(worker):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, move=sleep_of(5), bumps=True)])
    assert now_of(run.id).lease == run.lease + 1


def test_a_snapshot_is_written_while_the_run_stays_in_memory(worker):
    run = held(worker)
    write_wave(worker, [checkpoint_of(run, snapshot=SNAPSHOT)])
    row = now_of(run.id)
    assert (row.status, row.snapshot, row.snapshot_seq) == ("running", SNAPSHOT, 1)


def test_the_end_of_an_attempt_takes_its_running_row_over(worker):
    run = held(worker)
    begun = step_of(1, "running", progress=0.2)
    for progress in (0.2, 0.6):
        note = checkpoint_of(run, step=begun._replace(progress=progress), replaces=True)
        assert write_wave(worker, [note]) == ["written"]
    row = StepRun.objects.get(execution_id=run.id)
    assert (row.status, row.progress, row.finished_at) == ("running", 0.6, None)
    end = checkpoint_of(run, step=step_of(1, started_at=begun.started_at), replaces=True)
    assert write_wave(worker, [end]) == ["written"]
    after = StepRun.objects.get(execution_id=run.id)
    assert (after.pk, after.status, after.output) == (row.pk, "completed", 1)
    assert after.finished_at is not None


def test_a_late_note_does_not_open_an_attempt_that_has_ended(worker):
    # race: late-note
    run, other = held(worker), held(worker)
    write_wave(worker, [checkpoint_of(run)])
    notes = [checkpoint_of(one, step=step_of(1, "running"), replaces=True) for one in (run, other)]
    assert write_wave(worker, notes) == ["written", "written"]
    statuses = dict(StepRun.objects.values_list("execution_id", "status"))
    assert statuses == {run.id: "completed", other.id: "running"}


def test_the_start_of_an_attempt_is_committed_with_the_number_of_workers_it_cost(worker):
    run = held(worker)
    note = checkpoint_of(run, step=step_of(1, "running"), replaces=True)
    assert record_start(worker, note, 2) == "written"
    row = now_of(run.id)
    assert (row.recoveries, row.recovery_seq) == (2, 1)
    assert record_start(worker, note) == "written"
    assert now_of(run.id).recoveries == 2
    assert StepRun.objects.get(execution_id=run.id).status == "running"


def test_a_suspect_that_checkpoints_is_suspect_no_longer(worker):
    run = held(worker)
    leases.declare_dead(worker, overdue_only=False)
    other = make_worker()
    leases.take_back(other)
    again = claim_one(other, run.id)
    record_start(other, checkpoint_of(again, step=step_of(1, "running"), replaces=True), 1)
    write_wave(other, [checkpoint_of(again, clears=True, replaces=True)])
    row = now_of(run.id)
    assert (row.suspect, row.recoveries, row.status) == (False, 0, "running")


def test_a_fence_tells_which_runs_are_still_held(worker):
    runs = [held(worker) for _ in range(3)]
    cancel(runs[1].id, "")
    wanted = {run.id: run.lease for run in runs}
    assert fence(wanted) == {runs[0].id, runs[2].id}
    assert fence({**wanted, runs[0].id: 99}) == {runs[2].id}
    assert fence({}) == set()


@pytest.mark.parametrize("move", [None, completion(), sleep_of])
def test_a_commit_whose_answer_was_lost_is_found_and_not_written_twice(worker, move, monkeypatch):
    # race: lost-answer
    run, other = held(worker), held(worker)
    moved = move(5) if callable(move) else move
    wave = [checkpoint_of(run, move=moved), checkpoint_of(other)]
    answers = []

    def committed_but_not_answered(*given):
        answers.append(write_wave(*given))
        if len(answers) == 1:
            raise OperationalError("server closed the connection unexpectedly")
        return answers[-1]

    monkeypatch.setattr(committer, "write_wave", committed_but_not_answered)
    monkeypatch.setattr(committer.connections[module.settings.DATABASE], "close", lambda: None)
    assert Committer(lambda: True).write(worker, wave) == ["written", "written"]
    assert len(answers) == 2
    assert (seqs_of(run.id), seqs_of(other.id)) == ([1], [1])


def test_a_commit_that_did_fail_is_written_when_it_is_tried_again(worker):
    run = held(worker)
    wave = [checkpoint_of(run, 1, move=completion())]
    assert write_wave(worker, wave, uncertain=True) == ["written"]
    assert seqs_of(run.id) == [1]
    assert write_wave(worker, wave, uncertain=True) == ["written"]
    assert seqs_of(run.id) == [1]


def test_what_another_worker_wrote_is_not_taken_for_ones_own(worker):
    run = held(worker)
    leases.declare_dead(worker, overdue_only=False)
    other = make_worker()
    leases.take_back(other)
    again = claim_one(other, run.id)
    write_wave(other, [checkpoint_of(again)])
    assert write_wave(worker, [checkpoint_of(run)], uncertain=True) == ["lost"]


@pytest.mark.django_db(transaction=True)
def test_a_cancel_comes_wholly_before_or_wholly_after_a_checkpoint():
    # race: fence-before-write
    worker = make_worker()
    for number in range(40):
        run = held(worker)
        move = completion() if number % 2 else None
        verdicts, cancelled = at_once(
            lambda r=run, m=move: write_wave(worker, [checkpoint_of(r, move=m)]),
            lambda r=run: cancel(r.id, "enough"),
        )
        row = now_of(run.id)
        # A wave passes over a row that is being cancelled at this moment, and asks again.
        if verdicts == ["locked"]:
            verdicts = write_wave(worker, [checkpoint_of(run, move=move)])
        if verdicts == ["lost"]:
            assert (row.status, seqs_of(run.id)) == ("cancelled", [])
        else:
            assert verdicts == ["written"]
            assert seqs_of(run.id) == [1]
            assert row.status == ("completed" if move else "cancelled")
            assert isinstance(cancelled, Exception) is bool(move)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_both_believe_to_hold_a_run_never_both_write():
    first, second = make_worker(), make_worker()
    for _ in range(20):
        run = held(first)
        wrong = run._replace(lease=run.lease + 1)
        got = at_once(
            lambda r=run: write_wave(first, [checkpoint_of(r)]),
            lambda r=wrong: write_wave(second, [checkpoint_of(r)]),
        )
        assert got[1] in (["lost"], ["locked"])
        assert seqs_of(run.id) == ([1] if got[0] == ["written"] else [])


def test_time_in_rows_is_kept_to_the_microsecond(worker):
    run = held(worker)
    record = step_of(1)
    exact = record._replace(finished_at=record.started_at + timedelta(microseconds=1))
    write_wave(worker, [checkpoint_of(run, step=exact)])
    assert StepRun.objects.get().duration_seconds == pytest.approx(1e-6)
