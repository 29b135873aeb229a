"""Runs that would stay where they are for ever: each is made ill as a crash, a lost row or an
operator would, found, healed, and ends."""

import pytest

import durable_django as durable
from durable_django import doctor
from durable_django.models import AuditEntry, Execution, Wait, Worker
from durable_django.store import mending
from durable_django.testing import advance, drain, run

from .sick import (
    Asks,
    Mixed,
    OneByOne,
    Parent,
    Pays,
    Sends,
    Sleeps,
    Turns,
    changed,
    found,
    healed,
    later,
    now_of,
)


def test_runs_that_wait_sleep_fork_and_call_are_well():
    run(Pays)
    run(Sleeps)
    run(Sends, {"names": ["a", "b"]})
    run(Parent)
    run(Asks)
    run(Mixed)
    durable.pause(run(Pays))
    durable.start(Pays, scheduled_at=later(hours=1))
    run(OneByOne, {"names": ["a", "b", "c"]})
    assert found() == {}


def test_a_run_whose_wait_is_over_without_anybody_waking_it_goes_on():
    execution = run(Pays)
    Wait.objects.filter(execution_id=execution.pk).update(
        status="completed", resolved_at=later(), value_text="5"
    )
    finding = found()["await_nothing"]
    assert [place.id for place in finding.where] == [str(execution.pk)]
    assert healed("await_nothing") == 1
    drain()
    assert (now_of(execution).status, now_of(execution).context) == ("completed", {"paid": 5})


def test_a_run_whose_wait_was_deleted_waits_anew():
    execution = run(Pays)
    Wait.objects.filter(execution_id=execution.pk).delete()
    assert healed("await_nothing") == 1
    drain()
    assert now_of(execution).status == "waiting"
    assert found() == {}
    durable.send_event(execution, "paid", 5)
    drain()
    assert now_of(execution).context == {"paid": 5}


def test_a_join_that_nobody_opened_is_opened():
    execution = run(Sends, {"names": ["a", "b"]})
    for name in ("a", "b"):
        durable.publish_event("gone", key=name)
    drain()
    assert now_of(execution).status == "completed"
    execution = run(Sends, {"names": ["a", "b"]})
    changed(execution, remaining=5)  # two more than there are: the join would never open
    assert found()["miscounted"].number.number == 1
    for name in ("a", "b"):
        durable.publish_event("gone", key=name)
    drain()
    assert (now_of(execution).status, now_of(execution).remaining) == ("waiting", 3)
    assert healed("await_nothing") == 1
    drain()
    assert now_of(execution).status == "completed"
    assert now_of(execution).context == {"gone": ["a", "b"], "after": True}


def test_members_that_do_not_add_up_are_counted_again():
    execution = run(Sends, {"names": ["a", "b"]})
    changed(execution, remaining=1)  # the join would open when the first has ended
    assert healed("miscounted") == 1
    assert now_of(execution).remaining == 2
    durable.publish_event("gone", key="a")
    drain()
    assert now_of(execution).status == "waiting"


def test_a_member_that_waits_for_nothing_is_found_too():
    execution = run(Sends, {"names": ["a"]})
    Wait.objects.filter(execution_id=execution.pk).update(status="completed", resolved_at=later())
    assert healed("await_nothing") == 1
    drain()
    assert now_of(execution).status == "completed"
    (entry,) = AuditEntry.objects.filter(execution_id=execution.pk, verb="fix")
    assert (entry.by, entry.detail["ailment"]) == ("ada", "await_nothing")


def test_members_that_are_held_back_by_nobody_begin_one_after_the_other():
    execution = run(Turns, {"names": ["a", "b", "c"]})
    strands = Execution.objects.filter(parent_id=execution.pk).order_by("id")
    Wait.objects.filter(execution_id=execution.pk).update(status="cancelled", resolved_at=later())
    changed(strands[0], status="cancelled", finished_at=later(), due_at=None)
    assert list(found()) == ["miscounted", "held_back"]
    assert healed("miscounted") == 1
    assert healed("held_back") == 1
    drain()
    for name in ("b", "c"):
        durable.publish_event("gone", key=name)
        drain()
    assert now_of(execution).status == "completed"
    assert now_of(execution).context == {"gone": ["b", "c"]}


def test_a_sleeper_that_nobody_would_wake_wakes_in_time():
    execution = run(Sleeps)
    changed(execution, due_at=later(days=365))
    assert healed("wrongly_due") == 1
    advance(durable.hours(1))
    drain()
    assert now_of(execution).status == "completed"


def test_a_sleeper_without_a_time_wakes_now():
    execution = run(Sleeps)
    changed(execution, wake_at=None)
    assert healed("wrongly_due") == 1
    drain()
    assert now_of(execution).context == {"awake": True}


def test_a_timeout_that_nobody_looks_for_strikes():
    execution = run(Pays)
    changed(execution, timeout_at=later(hours=1), due_at=None)
    assert healed("wrongly_due") == 1
    advance(durable.hours(2))
    drain()
    assert now_of(execution).error["type"] == "WorkflowTimeout"


def test_what_is_due_for_nothing_is_no_longer_looked_at():
    execution = run(Pays)
    changed(execution, due_at=later(hours=-1))
    assert healed("due_for_nothing") == 1
    assert now_of(execution).due_at is None
    assert now_of(execution).status == "waiting"


def test_what_a_worker_without_a_row_holds_is_handed_back():
    execution = durable.start(Pays)
    worker = Worker.objects.create(hostname="gone", pid=1, started_at=later(), heartbeat_at=later())
    changed(execution, status="running", lease=1, worker_id=worker.pk)
    assert found(of_all=True).keys() >= set()
    assert "held_by_nobody" not in found()
    Worker.objects.all().delete()
    assert healed("held_by_nobody") == 1
    row = now_of(execution)
    assert (row.status, row.worker_id, row.lease, row.suspect) == ("pending", None, 2, True)


@pytest.mark.parametrize("status", ["dead", "stopped"])
def test_what_a_worker_held_when_it_ended_is_handed_back_if_nobody_took_it(status):
    execution = durable.start(Pays)
    worker = Worker.objects.create(
        hostname="gone",
        pid=1,
        started_at=later(hours=-2),
        heartbeat_at=later(hours=-1),
        stopped_at=later(),
        status=status,
    )
    changed(execution, status="running", lease=1, worker_id=worker.pk)
    assert "held_by_nobody" not in found()  # the living have a lease's time to do it
    Worker.objects.update(stopped_at=later(hours=-1))
    assert healed("held_by_nobody") == 1


def outlived():
    """A run that ended by somebody's SQL, and its member that is ready."""
    execution = run(Sends, {"names": ["a", "b"]})
    (waits,) = Wait.objects.filter(execution_id=execution.pk, key="a")
    Wait.objects.filter(pk=waits.pk).update(status="completed", resolved_at=later())
    changed(waits.member, status="pending")
    changed(execution, status="cancelled", finished_at=later(), due_at=None)
    return execution


def test_members_that_outlive_their_run_are_cancelled():
    execution = outlived()
    assert healed("orphaned") == 1
    strands = Execution.objects.filter(parent_id=execution.pk)
    assert set(strands.values_list("status", flat=True)) == {"cancelled"}
    assert found() == {}


def test_members_of_a_run_that_was_deleted_are_cancelled():
    execution = outlived()
    Execution.objects.filter(pk=execution.pk)._raw_delete("default")
    assert healed("orphaned") == 1
    strands = Execution.objects.filter(parent_id=execution.pk)
    assert set(strands.values_list("status", flat=True)) == {"cancelled"}


def test_members_of_a_run_that_is_retried_at_that_moment_are_left_alone(monkeypatch):
    # race: retry-and-orphan. It was over when it was looked at, and is not when its lock is ours.
    execution = outlived()
    finding = found()["orphaned"]
    changed(execution, status="waiting", finished_at=None)
    monkeypatch.setattr(mending, "CANCEL", mending.CANCEL._replace(told_by=list))
    ids = list(Execution.objects.filter(parent_id=execution.pk).values_list("id", flat=True))
    assert mending.cure(mending.CANCEL, ids) == 0
    assert doctor.fix(finding) == 0
    assert not Execution.objects.filter(status="cancelled").exists()


def test_healing_twice_and_healing_the_healthy_changes_nothing():
    execution = run(Pays)
    Wait.objects.filter(execution_id=execution.pk).update(status="completed", resolved_at=later())
    finding = found()["await_nothing"]
    assert doctor.fix(finding) == 1
    before = list(Execution.objects.values())
    assert doctor.fix(finding) == 0
    assert list(Execution.objects.values()) == before
