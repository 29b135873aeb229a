"""Children: written with the parking of who calls them; every end is told, and told once."""

from datetime import timedelta

import pytest

from durable_django.models import Event, Execution, Wait
from durable_django.models.ids import uuid7
from durable_django.store import clock, leases
from durable_django.store.checkpoint import write_wave
from durable_django.store.children import start_and_remember
from durable_django.store.delivering import deliver_all
from durable_django.store.ending import cancel
from durable_django.store.records import Child
from durable_django.store.waking import wake_due

from .forks import end_of, fork_of
from .parked import called, calling, ending, held_now, outcome_of, sent, wait_at, wait_of
from .rows import OPTIONS, claim_one, make_worker, now_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def told_of(run):
    """What the wait of the run stands at, once everything is delivered."""
    deliver_all(make_worker())
    wait = wait_at(run)
    return wait.status, wait.value, (wait.error or {}).get("message", "")


# Written


def test_a_child_is_written_with_the_parking_of_its_caller(worker):
    run, child_id = called(worker)
    child, wait = now_of(child_id), wait_at(run)
    assert (child.status, child.input, child.workflow_name) == ("pending", {"n": 1}, "ship")
    assert (child.parent_id, child.root_id, child.depth) == (run.id, run.id, 1)
    assert (wait.child_id, wait.key, wait.status) == (child_id, child_id.hex, "open")
    assert now_of(run.id).status == "waiting"


def test_a_child_that_is_abandoned_is_the_root_of_its_own_tree(worker):
    run, child_id = called(worker, shares=False)
    child = now_of(child_id)
    assert (child.parent_id, child.root_id) == (run.id, child_id)
    assert wait_at(run).on_cancel == "abandon"


def test_the_child_of_a_strand_belongs_to_the_run(worker):
    run = held_now(worker)
    write_wave(worker, [fork_of(run, 1)])
    strand = claim_one(worker)
    checkpoint, child_id = calling(strand, path="each[0]/paid")
    write_wave(worker, [checkpoint])
    child = now_of(child_id)
    assert (child.parent_id, child.root_id, child.depth) == (run.id, run.id, 2)
    wait = wait_at(run, "each[0]/paid")
    assert (wait.execution_id, wait.member_id) == (run.id, strand.id)
    write_wave(worker, [ending(claim_one(worker, child_id))])
    deliver_all(worker)
    assert (now_of(strand.id).status, now_of(run.id).status) == ("pending", "waiting")


def test_a_wave_calls_many(worker):
    runs = [held_now(worker) for _ in range(3)]
    calls = [calling(run) for run in runs]
    assert write_wave(worker, [checkpoint for checkpoint, _ in calls]) == ["written"] * 3
    for run, (_, child_id) in zip(runs, calls, strict=True):
        assert now_of(child_id).parent_id == run.id


# Every end is told


def test_a_child_that_completes_gives_its_result(worker):
    run, child_id = called(worker)
    write_wave(worker, [ending(claim_one(worker, child_id), result='{"parcel":7}')])
    assert told_of(run) == ("completed", {"parcel": 7}, "")
    assert now_of(run.id).status == "pending"


def test_a_child_that_fails_gives_its_error(worker):
    run, child_id = called(worker)
    error = '{"type":"ValueError","message":"no stock","traceback":"","node":"pack"}'
    write_wave(worker, [ending(claim_one(worker, child_id), "failed", error=error)])
    status, value, message = told_of(run)
    assert (status, value) == ("failed", None)
    assert message == f"ship {child_id} is failed: ValueError: no stock"
    wait = wait_at(run)
    assert wait.error["type"] == "ChildFailed"
    assert (wait.error["status"], wait.error["error"]["node"]) == ("failed", "pack")


def test_a_child_that_is_cancelled_gives_why(worker):
    run, child_id = called(worker)
    cancel(child_id, "out of stock")
    status, _, message = told_of(run)
    assert (status, message) == ("failed", f"ship {child_id} is cancelled (out of stock)")
    assert wait_at(run).error["status"] == "cancelled"


def test_a_child_whose_time_is_up_gives_that(worker):
    run, child_id = called(worker, options=OPTIONS._replace(workflow_name="ship", timeout=60))
    clock.advance(timedelta(seconds=61))
    wake_due(worker)
    assert now_of(child_id).status == "failed"
    status, _, message = told_of(run)
    assert status == "failed"
    assert "WorkflowTimeout" in message


def test_a_child_that_a_strand_of_it_finishes_gives_that_result(worker):
    run, child_id = called(worker)
    child = claim_one(worker, child_id)
    write_wave(worker, [fork_of(child, 2)])
    strand = claim_one(worker)
    assert write_wave(worker, [end_of(strand, finishes='"early"')]) == ["written"]
    assert now_of(child_id).status == "completed"
    assert told_of(run) == ("completed", "early", "")


@pytest.mark.parametrize("status", ["compensated", "compensation_failed"])
def test_a_child_that_was_undone_has_failed(worker, status):
    run, child_id = called(worker)
    write_wave(worker, [ending(claim_one(worker, child_id), status)])
    assert told_of(run)[0] == "failed"
    assert wait_at(run).error["status"] == status


def test_a_child_that_was_deleted_after_its_end_has_failed(worker):
    run, child_id = called(worker)
    write_wave(worker, [ending(claim_one(worker, child_id))])
    Execution.objects.filter(pk=child_id).delete()
    status, _, message = told_of(run)
    assert (status, message) == ("failed", f"the child {child_id.hex} is gone")


def test_the_end_of_a_child_nobody_waits_for_is_not_kept(worker):
    run, child_id = called(worker, shares=False)
    cancel(run.id, "")
    write_wave(worker, [ending(claim_one(worker, child_id))])
    deliver_all(worker)
    assert not Event.objects.exists()
    assert now_of(run.id).status == "cancelled"


def test_the_end_of_one_child_does_not_end_the_wait_for_another(worker):
    run, child_id = called(worker)
    other_run, other_id = called(worker)
    write_wave(worker, [ending(claim_one(worker, child_id))])
    deliver_all(worker)
    assert (outcome_of(run)[0], outcome_of(other_run)[0]) == ("completed", "open")
    assert now_of(other_id).status == "pending"


def test_an_event_called_like_the_workflow_does_not_end_a_call(worker):
    run, child_id = called(worker)
    sent(run, "mine", "ship", key=child_id.hex)
    deliver_all(worker)
    assert outcome_of(run)[0] == "open"


def test_a_child_of_a_dead_worker_goes_on_and_tells_its_parent(worker):
    run, child_id = called(worker)
    dead = make_worker()
    claim_one(dead, child_id)
    leases.declare_dead(dead, overdue_only=False)
    leases.take_back(worker)
    write_wave(worker, [ending(claim_one(worker, child_id))])
    assert told_of(run)[0] == "completed"


def test_a_child_that_ends_under_a_lost_lease_tells_nobody(worker):
    run, child_id = called(worker)
    child = claim_one(worker, child_id)
    cancel(child_id, "")
    Event.objects.all().delete()
    assert write_wave(worker, [ending(child)]) == ["lost"]
    assert not Event.objects.exists()
    assert outcome_of(run)[0] == "open"


# Cancelled with its parent


def test_cancelling_a_run_cancels_what_its_strands_have_called(worker):
    run = held_now(worker)
    write_wave(worker, [fork_of(run, 2)])
    children = []
    for _ in range(2):
        strand = claim_one(worker)
        checkpoint, child_id = calling(strand, path=f"{strand.path}/paid")
        write_wave(worker, [checkpoint])
        # Claimed first, since it is younger but ready, were it left there.
        Execution.objects.filter(pk=child_id).update(priority=-1)
        children.append(child_id)
    cancel(run.id, "")
    assert set(Execution.objects.values_list("status", flat=True)) == {"cancelled"}
    assert {now_of(pk).reason for pk in children} == {"its caller has ended"}
    assert set(Wait.objects.values_list("status", flat=True)) == {"cancelled"}


def test_cancelling_cascades_through_children_of_children_and_their_strands(worker):
    run, child_id = called(worker)
    child = claim_one(worker, child_id)
    write_wave(worker, [fork_of(child, 1)])
    strand = claim_one(worker)
    checkpoint, grandchild_id = calling(strand, path="each[0]/paid")
    write_wave(worker, [checkpoint])
    cancel(run.id, "")
    assert {now_of(pk).status for pk in (run.id, child_id, strand.id, grandchild_id)} == {
        "cancelled"
    }
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()


def test_a_failing_member_ends_what_the_others_have_called(worker):
    run = held_now(worker)
    write_wave(worker, [fork_of(run, 2)])
    first = claim_one(worker)
    second = claim_one(worker)
    checkpoint, child_id = calling(first, path="each[0]/paid")
    write_wave(worker, [checkpoint])
    assert write_wave(worker, [end_of(second, "failed", decides=True)]) == ["written"]
    assert now_of(child_id).status == "cancelled"
    assert wait_at(run, "each[0]/paid").status == "cancelled"


# Started from within a step


def starting(run, position=1, key=None):
    options = OPTIONS._replace(workflow_name="ship", idempotency_key=key)
    record = wait_of(run, "start", "ship", position=position, status="completed")
    record = record._replace(resolved_at=clock.now())
    return start_and_remember(run.lease, record, Child(uuid7(), run.id, options, "{}", False))


def test_a_start_is_remembered_with_what_it_started(worker):
    run = held_now(worker)
    pk = starting(run)
    started, wait = now_of(pk), wait_at(run, position=1)
    assert (started.parent_id, started.root_id, started.depth) == (run.id, pk, 0)
    assert (wait.status, wait.child_id, wait.value) == ("completed", pk, pk)


def test_a_start_under_a_lost_lease_starts_nothing(worker):
    run = held_now(worker)
    cancel(run.id, "")
    assert starting(run) is None
    assert Execution.objects.count() == 1


def test_a_start_with_a_key_that_is_taken_gives_the_run_that_has_it(worker):
    run = held_now(worker)
    first = starting(run, 1, "once")
    assert starting(run, 2, "once") == first
    assert Execution.objects.count() == 2
    assert now_of(first).parent_id == run.id
    assert wait_at(run, position=2).child_id == first


def test_the_end_of_what_was_started_wakes_nobody(worker):
    run = held_now(worker)
    started = claim_one(worker, starting(run))
    write_wave(worker, [ending(started)])
    deliver_all(worker)
    assert now_of(run.id).status == "running"
