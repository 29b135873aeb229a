"""Gates: a paused queue gives nothing, a limited one no more than it has places for."""

import pytest
from django.test import override_settings

from durable_django.models import Execution
from durable_django.store import leases, queues
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim, is_ready, release
from durable_django.store.gates import Gate, Gates, held_in, not_paused, read_gates
from durable_django.store.records import Taking
from durable_django.store.starting import insert_many

from .forks import claim_strands, end_of, forked, statuses_below
from .rows import (
    OPTIONS,
    at_once,
    checkpoint_of,
    completion,
    make_run,
    make_worker,
)

pytestmark = pytest.mark.django_db


def pause(name="default"):
    queues.pause(name, "", None)


def limit(places, name="default"):
    queues.limit(name, places, "", None)


def number_claimed(worker, names=("default",), count=10):
    return len(claim(worker, names, count))


def test_only_what_holds_a_queue_back_is_a_gate():
    queues.ensure(["open", "low"])
    assert read_gates() == {}
    pause()
    limit(2, "low")
    assert read_gates() == {"default": Gate(True, None), "low": Gate(False, 2)}
    assert not_paused(["low", "default", "other"], read_gates()) == ["low", "other"]


def test_a_paused_queue_gives_nothing_until_it_is_resumed():
    worker = make_worker()
    run = make_run()
    make_run(queue="low")
    pause()
    assert [found.queue for found in claim(worker, ["default", "low"], 10)] == ["low"]
    assert is_ready(["default"])
    queues.resume("default", "", None)
    assert [found.id for found in claim(worker, ["default"], 10)] == [run.pk]


def test_what_a_worker_holds_of_a_paused_queue_goes_on():
    worker = make_worker()
    make_run()
    (run,) = claim(worker, ["default"], 1)
    pause()
    assert write_wave(worker, [checkpoint_of(run, 1)]) == ["written"]
    assert write_wave(worker, [checkpoint_of(run, 2, move=completion())]) == ["written"]


def test_what_was_handed_back_or_taken_back_stays_where_it_is_while_its_queue_is_paused():
    worker, successor = make_worker(), make_worker()
    insert_many(OPTIONS, ["{}"] * 2)
    handed, taken = claim(worker, ["default"], 2)
    pause()
    release(worker, {handed.id: handed.lease})
    leases.declare_dead(worker, overdue_only=False)
    assert leases.take_back(successor) == 1
    assert number_claimed(successor) == 0
    queues.resume("default", "", None)
    assert {run.id for run in claim(successor, ["default"], 5)} == {handed.id, taken.id}


def test_no_more_are_held_than_the_limit_over_all_workers():
    first, second = make_worker(), make_worker()
    insert_many(OPTIONS, ["{}"] * 10)
    limit(3)
    runs = claim(first, ["default"], 2)
    assert len(runs) == 2
    assert number_claimed(second) == 1
    assert number_claimed(first) == number_claimed(second) == 0
    assert write_wave(first, [checkpoint_of(runs[0], move=completion())]) == ["written"]
    assert held_in(["default", "low"]) == {"default": 2}
    assert number_claimed(second) == 1


def test_a_limited_queue_gives_by_priority_and_age_as_any_other():
    worker = make_worker()
    for name, priority in (("low", 0), ("urgent", 5), ("last", 0)):
        make_run(workflow_name=name, priority=priority)
    limit(2)
    assert [run.workflow_name for run in claim(worker, ["default"], 9)] == ["urgent", "low"]


def test_a_full_queue_leaves_the_rest_of_a_claim_to_the_others():
    worker = make_worker()
    insert_many(OPTIONS, ["{}"] * 10)
    insert_many(OPTIONS._replace(queue="low"), ["{}"] * 10)
    limit(1)
    found = [run.queue for run in claim(worker, ["default", "low"], 6)]
    assert found == ["default"] + ["low"] * 5
    assert [run.queue for run in claim(worker, ["default", "low"], 2)] == ["low"] * 2


def test_a_limit_below_what_is_held_ends_nothing_and_gives_nothing():
    worker = make_worker()
    insert_many(OPTIONS, ["{}"] * 5)
    runs = claim(worker, ["default"], 3)
    limit(2)
    assert number_claimed(worker) == 0
    done = [checkpoint_of(run, move=completion()) for run in runs[:2]]
    assert write_wave(worker, done) == ["written"] * 2
    assert number_claimed(worker) == 1


def test_a_raised_or_lifted_limit_gives_more():
    worker = make_worker()
    insert_many(OPTIONS, ["{}"] * 9)
    limit(1)
    assert number_claimed(worker) == 1
    limit(3)
    assert number_claimed(worker) == 2
    limit(None)
    assert number_claimed(worker) == 6


def test_a_queue_that_is_paused_and_limited_gives_nothing_even_to_who_knows_only_the_limit():
    worker = make_worker()
    make_run()
    limit(2)
    pause()
    assert claim(worker, ["default"], 5, gates={"default": Gate(False, 2)}) == []
    assert claim(worker, ["default"], 5, gates={"default": Gate(True, 2)}) == []


def test_a_limit_that_was_lifted_meanwhile_is_none():
    worker = make_worker()
    insert_many(OPTIONS, ["{}"] * 3)
    queues.ensure(["default"])
    assert len(claim(worker, ["default"], 5, gates={"default": Gate(False, 1)})) == 3


def test_the_members_of_a_fork_are_taken_with_the_wave_that_makes_room_for_them():
    worker = make_worker()
    assert len(taken_with_a_wave(worker)) == is_postgresql()


@pytest.mark.parametrize("hold_back", [pause, lambda: limit(2)], ids=["paused", "limited"])
def test_of_a_gated_queue_no_member_is_taken_with_a_wave(hold_back):
    worker = make_worker()
    taken = taken_with_a_wave(worker, hold_back)
    assert taken == []
    assert sorted(statuses_below(Execution.objects.get(kind="workflow").pk)) == [
        "completed",
        "pending",
        "running",
        "waiting",
    ]


def taken_with_a_wave(worker, hold_back=lambda: None):
    """What is taken when the first of two items that run ends, of four."""
    run = forked(worker, 4, 2)
    strand, _ = claim_strands(worker, run.id, 2)
    hold_back()
    taking = Taking(worker, 10, read_gates())
    assert write_wave(worker, [end_of(strand)], taking=taking) == ["written"]
    return taking.rows


def is_postgresql():
    from django.db import connection

    return connection.vendor == "postgresql"


@pytest.mark.django_db(transaction=True)
def test_claimers_at_the_same_moment_together_hold_no_more_than_the_limit():
    # race: limit-under-lock
    workers = [make_worker(f"host{number}") for number in range(4)]
    limit(5)
    for _ in range(8):
        insert_many(OPTIONS, ["{}"] * 20)
        got = at_once(*[lambda w=worker: claim(w, ["default"], 4) for worker in workers])
        # Who could not have the lock in time has claimed nothing: a second look does.
        got += [claim(worker, ["default"], 4) for worker in workers]
        assert sum(len(runs) for runs in got) == 5 == held_in(["default"])["default"]
        for worker, runs in zip(workers * 2, got, strict=True):
            wave = [checkpoint_of(run, move=completion()) for run in runs]
            assert write_wave(worker, wave) == ["written"] * len(wave)


def test_a_process_believes_for_a_poll_that_nothing_holds_its_queues_back(
    django_assert_num_queries,
):
    gates = Gates(["default"])
    with override_settings(DURABLE={"POLL_SECONDS": 1000}):
        with django_assert_num_queries(1):
            assert not any(gates.latest() for _ in range(3))
            assert not gates.recent()
        pause()
        assert not gates.latest()
    with override_settings(DURABLE={"POLL_SECONDS": 0}):
        assert gates.latest() == {"default": Gate(True, None)}


def test_a_process_that_knows_of_a_pause_looks_each_time_whether_it_is_over():
    gates = Gates(["default", "low"])
    pause()
    queues.ensure(["low"])
    limit(1, "low")
    with override_settings(DURABLE={"POLL_SECONDS": 1000}):
        assert set(gates.latest()) == {"default", "low"}
        assert gates.is_limited("low")
        assert not gates.is_limited("default")
        queues.resume("default", "", None)
        assert set(gates.recent()) == {"default", "low"}
        assert set(gates.latest()) == {"low"}


def test_gates_of_queues_that_others_serve_are_none_of_its_business():
    gates = Gates(["low"])
    pause()
    assert gates.latest() == {}
