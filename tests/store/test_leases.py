"""Leases: a worker's heartbeat holds its runs; a dead one's runs go to others."""

from datetime import timedelta

import pytest
from django.test import override_settings

from durable_django.models import Execution, Worker
from durable_django.store import clock, leases
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.starting import insert_many

from .rows import OPTIONS, at_once, checkpoint_of, claim_one, held, make_run, make_worker, now_of

pytestmark = pytest.mark.django_db


def status_of(worker):
    return Worker.objects.get(pk=worker).status


def later(seconds):
    clock.advance(timedelta(seconds=seconds))


def test_a_worker_registers_as_what_it_is():
    pk = leases.register(
        hostname="host",
        pid=7,
        pid_space="boot",
        queues=["high", "low"],
        threads=8,
        executor="threads",
        package_version="1.0",
    )
    row = Worker.objects.get(pk=pk)
    assert (row.hostname, row.pid, row.pid_space, row.queues) == (
        "host",
        7,
        "boot",
        ["high", "low"],
    )
    assert (row.threads, row.executor, row.package_version) == (8, "threads", "1.0")
    assert (row.status, row.started_at, row.stopped_at) == ("alive", row.heartbeat_at, None)
    assert str(row) == "host:7"


def test_a_beat_renews_the_lease_of_a_living_worker_only():
    worker = make_worker()
    later(20)
    assert leases.beat(worker)
    row = Worker.objects.get(pk=worker)
    assert row.heartbeat_at - row.started_at >= timedelta(seconds=20)
    leases.declare_dead(worker, overdue_only=False)
    assert not leases.beat(worker)
    stopped = make_worker()
    leases.stop(stopped)
    assert not leases.beat(stopped)


@override_settings(DURABLE={"LEASE_SECONDS": 30})
def test_a_worker_is_overdue_when_it_has_not_beaten_for_the_length_of_a_lease():
    quiet, beating = make_worker(), make_worker()
    later(29)
    assert leases.overdue() == []
    leases.beat(beating)
    later(2)
    assert leases.overdue() == [quiet]


@override_settings(DURABLE={"LEASE_SECONDS": 30})
def test_a_worker_that_has_beaten_meanwhile_is_not_declared_dead():
    worker = make_worker()
    later(31)
    leases.beat(worker)
    assert not leases.declare_dead(worker)
    later(31)
    assert leases.declare_dead(worker)
    assert not leases.declare_dead(worker)
    assert status_of(worker) == "dead"


def test_a_worker_that_stopped_is_neither_dead_nor_overdue():
    worker = make_worker()
    leases.stop(worker)
    later(1000)
    assert leases.overdue() == []
    assert not leases.declare_dead(worker, overdue_only=False)
    assert status_of(worker) == "stopped"
    dead = make_worker()
    leases.declare_dead(dead, overdue_only=False)
    leases.stop(dead)
    assert status_of(dead) == "dead"


def test_the_runs_of_a_dead_worker_are_ready_again_as_suspects_under_a_new_lease():
    dead, living = make_worker(), make_worker()
    run, other = held(dead), held(living)
    leases.declare_dead(dead, overdue_only=False)
    assert leases.take_back(living) == 1
    row = now_of(run.id)
    assert (row.status, row.worker_id, row.lease, row.suspect) == ("pending", None, 2, True)
    assert now_of(other.id).status == "running"
    assert leases.take_back(living) == 0
    again = claim_one(living, run.id)
    assert (again.suspect, again.lease) == (True, 3)


def test_what_a_worker_held_when_it_stopped_is_taken_back_too():
    gone = make_worker()
    run = held(gone)
    leases.stop(gone)
    assert leases.take_back(make_worker()) == 1
    assert now_of(run.id).status == "pending"


def test_a_frozen_worker_cannot_write_after_its_lease_was_taken():
    frozen, other = make_worker(), make_worker()
    run = held(frozen)
    leases.declare_dead(frozen, overdue_only=False)
    leases.take_back(other)
    assert write_wave(frozen, [checkpoint_of(run)]) == ["lost"]
    again = claim_one(other, run.id)
    assert write_wave(frozen, [checkpoint_of(run)]) == ["lost"]
    assert write_wave(other, [checkpoint_of(again)]) == ["written"]


def test_what_a_worker_claims_while_it_is_declared_dead_is_found_by_the_next_look():
    dying, other = make_worker(), make_worker()
    leases.declare_dead(dying, overdue_only=False)
    assert leases.take_back(other) == 0
    run = held(dying)
    assert leases.take_back(other) == 1
    assert now_of(run.id).status == "pending"


def test_more_runs_than_a_batch_are_taken_back():
    dead, other = make_worker(), make_worker()
    insert_many(OPTIONS, ["{}"] * 1_001)
    assert len(claim(dead, ["default"], 2_000)) == 1_001
    leases.declare_dead(dead, overdue_only=False)
    assert leases.take_back(other) == 1_001
    assert Execution.objects.filter(status="pending", suspect=True).count() == 1_001


def test_a_worker_can_ask_what_it_holds():
    worker = make_worker()
    run = held(worker)
    held(make_worker())
    assert leases.held_by(worker) == {run.id: run.lease}


def test_workers_beside_are_those_alive_in_the_same_space_of_process_ids():
    def register(pid, space):
        return leases.register(
            hostname="h",
            pid=pid,
            pid_space=space,
            queues=[],
            threads=1,
            executor="threads",
            package_version="",
        )

    me, beside, dead = register(1, "boot"), register(2, "boot"), register(3, "boot")
    register(4, "other")
    unknown = register(5, "")
    leases.declare_dead(dead, overdue_only=False)
    assert leases.alive_beside(me, "boot") == [(beside, 2)]
    assert leases.alive_beside(unknown, "") == []


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_and_a_taking_back_at_the_same_moment_never_both_win():
    rescuer = make_worker()
    for _ in range(15):
        dying = make_worker()
        run = held(dying)
        leases.declare_dead(dying, overdue_only=False)
        verdicts, taken = at_once(
            lambda w=dying, r=run: write_wave(w, [checkpoint_of(r)]),
            lambda: leases.take_back(rescuer),
        )
        taken += leases.take_back(rescuer)
        assert taken == 1
        again = claim_one(rescuer, run.id)
        # What the dying one could still write, its successor sees.
        assert [row.seq for row in again.recorded] == ([1] if verdicts == ["written"] else [])


@pytest.mark.django_db(transaction=True)
def test_runs_are_taken_back_once_by_rescuers_at_the_same_moment():
    rescuers = [make_worker() for _ in range(3)]
    dead = make_worker()
    insert_many(OPTIONS, ["{}"] * 30)
    claim(dead, ["default"], 30)
    leases.declare_dead(dead, overdue_only=False)
    got = at_once(*[lambda w=worker: leases.take_back(w) for worker in rescuers])
    assert sum(got) == 30
    assert set(Execution.objects.values_list("status", "lease")) == {("pending", 2)}


def test_a_run_nobody_holds_is_nobodys_to_take():
    make_run()
    assert leases.take_back(make_worker()) == 0
