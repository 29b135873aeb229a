"""What only row locks can show: nothing waits for a lock that somebody else holds."""

from datetime import timedelta

import pytest
from django.db import connections

from durable_django.models import Execution
from durable_django.store import clock, leases
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim, release
from durable_django.store.ending import cancel
from durable_django.store.transactions import lock_execution
from durable_django.store.waking import wake_due

from .rows import (
    OpenTransaction,
    checkpoint_of,
    held,
    make_run,
    make_worker,
    now_of,
    seqs_of,
    sleep_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_waiting_for_locks():
    """Whoever waits for a lock fails at once."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
    yield
    connections["default"].close()


def test_a_wave_passes_over_a_run_that_somebody_holds_and_writes_the_others():
    worker = make_worker()
    run, other = held(worker), held(worker)
    wave = [checkpoint_of(run), checkpoint_of(other)]
    with OpenTransaction(lambda: lock_execution(run.id)):
        assert write_wave(worker, wave) == ["locked", "written"]
    assert write_wave(worker, wave[:1]) == ["written"]
    assert (seqs_of(run.id), seqs_of(other.id)) == ([1], [1])


def test_a_run_that_is_being_cancelled_is_locked_first_and_lost_then():
    worker = make_worker()
    run = held(worker)
    with OpenTransaction(lambda: cancel(run.id, "")):
        assert write_wave(worker, [checkpoint_of(run)]) == ["locked"]
    assert write_wave(worker, [checkpoint_of(run)]) == ["lost"]


def test_a_cancel_that_is_rolled_back_has_not_happened():
    worker = make_worker()
    run = held(worker)
    with OpenTransaction(lambda: cancel(run.id, ""), commits=False):
        assert write_wave(worker, [checkpoint_of(run)]) == ["locked"]
    assert write_wave(worker, [checkpoint_of(run)]) == ["written"]


def test_a_claim_passes_over_a_run_that_somebody_holds():
    first, second = make_run(), make_run()
    with OpenTransaction(lambda: lock_execution(first.pk)):
        assert [run.id for run in claim(make_worker(), ["default"], 5)] == [second.pk]
    assert [run.id for run in claim(make_worker(), ["default"], 5)] == [first.pk]


def test_a_claim_of_somebody_else_that_is_not_committed_yet_is_passed_over():
    make_run()
    other = make_worker()
    with OpenTransaction(lambda: claim(other, ["default"], 1)) as taken:
        assert claim(make_worker(), ["default"], 1) == []
    assert len(taken.gave) == 1


def test_handing_back_and_taking_back_and_waking_pass_over_what_somebody_holds():
    worker, other = make_worker(), make_worker()
    run = held(worker)
    with OpenTransaction(lambda: lock_execution(run.id)):
        assert release(worker, {run.id: run.lease}) == 0
        leases.declare_dead(worker, overdue_only=False)
        assert leases.take_back(other) == 0
    assert leases.take_back(other) == 1
    (again,) = claim(other, ["default"], 1)
    write_wave(other, [checkpoint_of(again, move=sleep_of(-1))])
    with OpenTransaction(lambda: lock_execution(run.id)):
        assert wake_due(other) == 0
    assert wake_due(other) == 1


def test_a_run_whose_time_is_up_but_that_somebody_holds_keeps_no_other_run_from_waking():
    worker = make_worker()
    late, beside = make_run(timeout=5), make_run(timeout=5)
    clock.advance(timedelta(seconds=6))
    with OpenTransaction(lambda: lock_execution(late.pk)):
        assert wake_due(worker) == 1
    assert (now_of(late.pk).status, now_of(beside.pk).status) == ("pending", "failed")
    assert wake_due(worker) == 1
    assert now_of(late.pk).status == "failed"


def test_a_wave_does_not_wait_for_a_row_that_refers_to_the_run():
    """Inserting a child takes a key lock on its parent; a wave's lock goes beside it."""
    worker = make_worker()
    run = held(worker)

    def add_child():
        child = make_run()
        Execution.objects.filter(pk=child.pk).update(parent_id=run.id)

    with OpenTransaction(add_child):
        assert write_wave(worker, [checkpoint_of(run)]) == ["written"]
    assert now_of(run.id).status == "running"
