"""Rollback as rows: who begins one, how it is claimed, parked, handed back and taken over."""

from datetime import timedelta

import pytest
from django.db import transaction

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.engine.rollback import START
from durable_django.engine.state import from_snapshot
from durable_django.exceptions import InvalidState
from durable_django.models import Execution, StepRun
from durable_django.store import clock, leases
from durable_django.store.checkpoint import fence, write_wave
from durable_django.store.claiming import claim, is_ready, postpone, release
from durable_django.store.definitions import record_definitions
from durable_django.store.ending import cancel, fail_timed_out
from durable_django.store.going_on import retry
from durable_django.store.records import LOST, WRITTEN, Move
from durable_django.store.rollback import PAGE, can_compensate, completed_visits
from durable_django.store.waking import outlook, wake_due

from .rows import (
    at_once,
    checkpoint_of,
    claim_one,
    completion,
    held,
    make_run,
    make_worker,
    now_of,
    step_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


@pytest.fixture(autouse=True)
def shop():
    """The workflow of the rows: it can be compensated."""
    with registry.isolate():

        class Shop(Workflow):
            class Meta:
                name = "shop"

            @step
            def n1(self): ...

            @n1.compensate
            def undo_n1(self): ...

            @step
            def n2(self): ...

        yield Shop


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


def begun(worker, **options):
    """A run with one completed step, held by the worker."""
    run = held(worker, **options)
    changes = '[["set","n",1]]'
    write_wave(worker, [checkpoint_of(run, step=step_of(1, changes=changes))])
    return run


def rolling_back(worker, **options):
    """A run whose rollback is ready to be claimed."""
    run = begun(worker, **options)
    cancel(run.id, "enough", compensate=True)
    return run


def retried(run, seconds):
    """The checkpoint of a handler that is tried again later."""
    snapshot = now_of(run.id).snapshot
    move = Move("compensating", snapshot, 2, wake_at=clock.now() + timedelta(seconds=seconds))
    failed = step_of(2, "failed", kind="compensation", path="n1~undo_n1", next_path="~1:n1")
    return checkpoint_of(run, step=failed, move=move)


# What begins one


def test_a_run_that_is_cancelled_to_be_undone_is_ready_for_that(worker):
    run = begun(worker, timeout=9e3)
    before = now_of(run.id)
    given = cancel(run.id, "enough", compensate=True)
    row = now_of(run.id)
    for found in (given, row):
        assert (found.status, found.reason, found.error) == ("compensating", "enough", None)
        assert (found.worker_id, found.wake_at, found.due_at) == (None, None, None)
        assert found.finished_at is None
        assert found.lease == before.lease + 1
    state = from_snapshot(row.snapshot)
    assert (state.undo, state.seq, state.attempt) == (START, 1, 0)
    assert (row.snapshot_seq, state.context, state.next_path) == (1, {"n": "1"}, "n2")
    assert write_wave(worker, [checkpoint_of(run, 2)]) == [LOST]


def test_a_run_whose_time_is_up_is_undone_as_well(worker):
    run = begun(worker, timeout=100)
    later(101)
    wake_due(worker)
    row = now_of(run.id)
    assert (row.status, row.error["type"]) == ("compensating", "WorkflowTimeout")
    assert (row.finished_at, row.due_at) == (None, None)
    assert outlook().due_at is None


@pytest.mark.parametrize("compensates", [True, False])
def test_a_run_without_a_step_has_nothing_to_undo(worker, compensates):
    for run in (make_run(), make_run(timeout=5)):
        cancel(run.pk, "", compensate=compensates)
        assert now_of(run.pk).status == "cancelled"
    late = make_run(timeout=5)
    later(6)
    wake_due(worker)
    assert now_of(late.pk).status == "failed"


def test_a_cancel_that_does_not_ask_for_it_undoes_nothing(worker):
    run = begun(worker)
    cancel(run.id, "")
    assert now_of(run.id).status == "cancelled"
    assert not is_ready(["default"])


def test_the_attempt_that_was_running_is_cut_off_and_keeps_its_place(worker):
    run = begun(worker)
    write_wave(worker, [checkpoint_of(run, step=step_of(2, "running"), replaces=True)])
    cancel(run.id, "", compensate=True)
    assert StepRun.objects.get(seq=2).status == "cancelled"
    state = from_snapshot(now_of(run.id).snapshot)
    assert (state.seq, state.attempt) == (2, 0)


def test_a_cancel_that_is_rolled_back_begins_nothing(worker):
    run = begun(worker)
    with transaction.atomic():
        cancel(run.id, "", compensate=True)
        transaction.set_rollback(True)
    assert now_of(run.id).status == "running"
    assert write_wave(worker, [checkpoint_of(run, 2)]) == [WRITTEN]


@pytest.mark.django_db(transaction=True)
def test_of_cancels_at_the_same_moment_one_begins_the_rollback():
    worker = make_worker()
    for run in [begun(worker) for _ in range(3)]:
        got = at_once(*[lambda r=run: cancel(r.id, "", True).status for _ in range(4)])
        assert got.count("compensating") == 1
        assert sum(isinstance(answer, InvalidState) for answer in got) == 3


def test_whether_there_is_anything_to_undo_is_known_without_the_code(worker):
    assert can_compensate("shop", 1)
    assert not can_compensate("shop", 2)

    class Plain(Workflow):
        class Meta:
            name = "plain"

        @step
        def only(self): ...

    record_definitions(cls.definition for cls in registry.all())
    run = begun(worker)
    with registry.isolate():
        registry._classes.clear()
        assert can_compensate("shop", 1)
        assert not can_compensate("plain", 1)
        assert not can_compensate("unknown", 1)
        cancel(run.id, "", compensate=True)
    assert now_of(run.id).status == "compensating"


# What nobody can do to one


def test_a_rollback_can_be_neither_cancelled_nor_retried_nor_timed_out(worker):
    run = rolling_back(worker, timeout=100)
    later(200)
    before = Execution.objects.values().get(pk=run.id)
    for act in (
        lambda: cancel(run.id, "again"),
        lambda: cancel(run.id, "again", compensate=True),
        lambda: retry(run.id, None),
    ):
        with pytest.raises(InvalidState) as caught:
            act()
        assert caught.value.status == "compensating"
    assert not fail_timed_out(worker, run.id)
    wake_due(worker)
    assert Execution.objects.values().get(pk=run.id) == before


@pytest.mark.parametrize("status", ["compensated", "compensation_failed"])
def test_what_was_undone_is_final(worker, status):
    run = rolling_back(worker)
    claimed = claim_one(worker, run.id)
    move = completion(now_of(run.id).snapshot, 2)._replace(status=status, result="null")
    assert write_wave(worker, [checkpoint_of(claimed, 2, move=move)]) == [WRITTEN]
    row = now_of(run.id)
    assert (row.status, row.is_final, row.worker_id) == (status, True, None)
    assert row.finished_at is not None
    for act in (lambda: cancel(run.id, ""), lambda: retry(run.id, None)):
        with pytest.raises(InvalidState, match=status):
            act()
    assert not is_ready(["default"])


# Who drives it


def test_a_rollback_is_claimed_and_keeps_its_status_in_the_workers_hands(worker):
    run = rolling_back(worker)
    assert is_ready(["default"])
    claimed = claim_one(worker, run.id)
    assert (claimed.status, claimed.lease) == ("compensating", run.lease + 2)
    row = now_of(run.id)
    assert (row.status, row.worker_id) == ("compensating", worker)
    assert not is_ready(["default"])
    assert claim(make_worker("there"), ["default"], 10) == []
    assert fence({run.id: claimed.lease}) == {run.id}


def test_a_failed_run_brings_its_error_along(worker):
    run = begun(worker, timeout=100)
    later(101)
    wake_due(worker)
    assert "WorkflowTimeout" in claim_one(worker, run.id).error_text


def test_one_that_is_handed_back_is_still_a_rollback_and_ready(worker):
    run = rolling_back(worker)
    claimed = claim_one(worker, run.id)
    assert release(worker, {run.id: claimed.lease}) == 1
    row = now_of(run.id)
    assert (row.status, row.worker_id) == ("compensating", None)
    assert claim_one(worker, run.id).lease == claimed.lease + 2


def test_one_whose_worker_died_is_taken_back_as_a_suspect(worker):
    run = rolling_back(worker)
    claimed = claim_one(worker, run.id)
    assert leases.declare_dead(worker, overdue_only=False)
    other = make_worker("there")
    assert leases.take_back(other) == 1
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.suspect) == ("compensating", None, True)
    again = claim_one(other, run.id)
    assert (again.suspect, again.status) == (True, "compensating")
    late = completion(now_of(run.id).snapshot, 2)._replace(status="compensated")
    assert write_wave(worker, [checkpoint_of(claimed, 2, move=late)]) == [LOST]


def test_between_two_attempts_it_is_parked_and_wakes_when_due(worker):
    run = rolling_back(worker, timeout=10)
    claimed = claim_one(worker, run.id)
    assert write_wave(worker, [retried(claimed, 60)]) == [WRITTEN]
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.due_at) == ("compensating", None, row.wake_at)
    assert outlook().due_at == row.wake_at
    assert not is_ready(["default"])
    later(30)
    wake_due(worker)
    assert claim(worker, ["default"], 10) == []
    later(31)
    assert wake_due(worker) == 1
    woken = now_of(run.id)
    assert (woken.status, woken.wake_at, woken.due_at) == ("compensating", None, None)
    assert woken.ready_at == row.wake_at
    assert claim_one(worker, run.id).status == "compensating"


def test_one_whose_code_is_not_there_is_put_back_beyond_its_timeout(worker):
    run = rolling_back(worker, timeout=10)
    claimed = claim_one(worker, run.id)
    postpone(worker, run.id, claimed.lease, 30)
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.due_at) == ("compensating", None, row.wake_at)
    later(31)
    wake_due(worker)
    assert claim_one(worker, run.id).status == "compensating"


def test_a_handler_that_was_given_up_raises_the_lease_though_the_run_goes_on(worker):
    run = rolling_back(worker)
    claimed = claim_one(worker, run.id)
    late = step_of(2, "timed_out", kind="compensation", path="n1~undo_n1", next_path="~1:n1")
    assert write_wave(worker, [checkpoint_of(claimed, step=late, bumps=True)]) == [WRITTEN]
    row = now_of(run.id)
    assert (row.status, row.worker_id) == ("compensating", worker)
    assert row.lease == claimed.lease + 1
    assert write_wave(worker, [checkpoint_of(claimed, 3)]) == [LOST]
    onward = claimed._replace(lease=claimed.lease + 1)
    assert write_wave(worker, [checkpoint_of(onward, 3)]) == [WRITTEN]


# What is to be undone


def test_completed_visits_come_newest_first_a_page_at_a_time(worker):
    run = held(worker)
    count = PAGE + 5
    for seq in range(1, count + 1):
        name = "n1" if seq % 2 else "n2"
        write_wave(worker, [checkpoint_of(run, step=step_of(seq, name=name, path=f"{name}#{seq}"))])
    first = completed_visits(run.id, None, None)
    assert [row.path.partition("#")[2] for row in first] == [
        str(seq) for seq in range(count, 5, -1)
    ]
    rest = completed_visits(run.id, None, first[-1].step_id - 1)
    assert [row.path for row in rest] == ["n1#5", "n2#4", "n1#3", "n2#2", "n1#1"]
    assert completed_visits(run.id, None, rest[0].step_id)[0] == rest[0]
    named = completed_visits(run.id, ["n2"], rest[0].step_id)
    assert [row.path for row in named] == ["n2#4", "n2#2"]


def test_only_completed_visits_of_this_run_are_undone_and_no_compensations(worker):
    other = begun(worker)
    run = begun(worker)
    for seq, status in enumerate(("failed", "timed_out", "cancelled"), start=2):
        write_wave(worker, [checkpoint_of(run, step=step_of(seq, status))])
    undoing = step_of(5, kind="compensation", path="n1~undo_n1", next_path="")
    write_wave(worker, [checkpoint_of(run, step=undoing)])
    write_wave(worker, [checkpoint_of(run, step=step_of(6, "running"), replaces=True)])
    (found,) = completed_visits(run.id, None, None)
    assert (found.path, found.kind, found.next_path, found.base) == ("n1", "step", "n2", "")
    assert found.execution_id == run.id != other.id
