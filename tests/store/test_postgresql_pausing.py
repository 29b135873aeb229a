"""What only row locks show of a pause: whom it waits for, and who does not wait for it."""

from datetime import timedelta

import pytest
from django.db import transaction

from durable_django.models import Execution
from durable_django.store import clock
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.pausing import pause, resume
from durable_django.store.waking import wake_due

from .forks import claim_strands, end_of, fork_of, forked
from .parked import called, wait_at
from .rows import OpenTransaction, at_once, checkpoint_of, held, make_worker, now_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(transactional_db):
    return make_worker()


def test_a_wave_does_not_wait_for_a_pause_in_an_open_transaction(worker):
    run, other = held(worker), held(worker)
    wave = [checkpoint_of(run), checkpoint_of(other)]
    with OpenTransaction(lambda: pause(run.id)):
        assert write_wave(worker, wave) == ["locked", "written"]
    assert write_wave(worker, wave[:1]) == ["parked"]


def test_a_pause_that_is_rolled_back_stops_nothing(worker):
    run = held(worker)
    with OpenTransaction(lambda: pause(run.id), commits=False):
        assert write_wave(worker, [checkpoint_of(run)]) == ["locked"]
    assert write_wave(worker, [checkpoint_of(run)]) == ["written"]


def test_nothing_that_a_pause_has_locked_is_claimed_or_counted_meanwhile(worker):
    run = forked(worker, 3)
    (strand,) = claim_strands(worker, run.id, 1)
    with OpenTransaction(lambda: pause(run.id)):
        assert claim(worker, ["default"], 9) == []
        assert write_wave(worker, [end_of(strand)]) == ["locked"]
    assert write_wave(worker, [end_of(strand)]) == ["written"]
    assert now_of(run.id).remaining == 2


def test_a_pause_waits_for_a_wave_that_forks(worker):
    run = held(worker)

    with OpenTransaction(lambda: write_wave(worker, [fork_of(run, 3)])) as forking:
        _, paused = at_once(forking.end, lambda: pause(run.id))
    assert paused.pk == run.id
    rows = Execution.objects.filter(root=run.id)
    assert {row.status for row in rows} == {"paused"}
    assert rows.count() == 4


def test_a_resumption_does_not_wait_for_who_holds_a_child_that_is_late(worker):
    """The call has timed out meanwhile: the child is to be cancelled, which a worker then does."""
    run, child_id = called(worker, seconds=30)
    pause(run.id)
    clock.advance(timedelta(seconds=31))

    def hold():
        return Execution.objects.select_for_update(no_key=True).get(pk=child_id)

    with OpenTransaction(hold):
        assert resume(run.id).status == "waiting"
        assert wait_at(run).status == "open"
    wake_due(worker)
    assert wait_at(run).status == "timed_out"
    assert now_of(child_id).status == "cancelled"


def test_two_who_pause_and_resume_members_and_waves_never_deadlock(worker):
    for _ in range(10):
        run = forked(worker, 5)
        strands = claim_strands(worker, run.id, 5)
        wave = [checkpoint_of(strand) for strand in strands]

        def flips(pk=run.id):
            with transaction.atomic():
                pause(pk)
                resume(pk)

        found = at_once(flips, flips, lambda w=wave: write_wave(worker, w))
        assert found[:2] == [None, None]
        assert set(found[2]) <= {"locked", "written"}
