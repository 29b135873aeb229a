"""What was sent and did not arrive is found, and arrives."""

import pytest

import durable_django as durable
from durable_django.models import Event, Execution, Wait
from durable_django.store import clock
from durable_django.testing import drain, run

from .sick import (
    Asks,
    Child,
    Parent,
    Pays,
    changed,
    found,
    healed,
    later,
    now_of,
    staffed,
)


def old(rows, **columns):
    rows.update(**{name: later(minutes=-10) for name in ("created_at", *columns)})


def test_a_run_hears_of_its_child_whose_word_was_lost():
    parent = run(Parent)
    child = Execution.objects.get(workflow_name="sick.child")
    durable.send_event(child, "go")
    drain()
    assert now_of(parent).status == "completed"

    parent = run(Parent)
    child = Execution.objects.exclude(pk=child.pk).get(workflow_name="sick.child")
    changed(child, status="completed", finished_at=later(), due_at=None, result_text="7")
    Wait.objects.filter(execution_id=child.pk).update(status="cancelled", resolved_at=later())
    assert [place.id for place in found()["child_untold"].where] == [str(parent.pk)]
    assert healed("child_untold") == 1
    drain()
    assert now_of(parent).context == {"child": 7}


def test_a_run_whose_child_was_deleted_fails_like_one_whose_child_failed():
    parent = run(Parent)
    child = Execution.objects.get(workflow_name="sick.child")
    Wait.objects.filter(execution_id=child.pk).delete()
    child.delete()
    assert healed("child_untold") == 1
    drain()
    assert now_of(parent).error["type"] == "ChildFailed"


def test_an_event_that_was_kept_beside_its_wait_is_delivered():
    execution = run(Pays)
    durable.send_event(execution, "paid", 5)
    Event.objects.update(status="kept", examined_at=later())
    old(Wait.objects.all())
    assert found() == {}  # whoever parks looks once more
    old(Event.objects.all(), examined_at=True)
    assert healed("event_missed") == 1
    drain()
    assert now_of(execution).context == {"paid": 5}


def test_events_for_others_are_not_missed():
    execution = run(Pays)
    durable.send_event(execution, "another", 5)
    drain()
    old(Wait.objects.all())
    old(Event.objects.all(), examined_at=True)
    assert found() == {}


@pytest.mark.parametrize("is_answered", [False, True])
def test_nobody_is_asked_for_a_run_that_has_ended(is_answered):
    execution = run(Asks)
    changed(execution, status="cancelled", finished_at=later())
    if is_answered:
        Wait.objects.update(status="answered", answered_at=later())
    assert healed("wait_of_the_ended") == 1
    assert list(durable.list_pending_inputs()) == []


def test_waits_of_a_run_that_was_deleted_are_closed():
    execution = run(Pays)
    Execution.objects.filter(pk=execution.pk)._raw_delete("default")
    assert healed("wait_of_the_ended") == 1


def test_events_that_no_worker_looks_at_are_told():
    execution = run(Pays)
    durable.send_event(execution, "paid", 5)
    old(Event.objects.all())
    staffed()
    assert "10 min" in found()["undelivered"].what
    drain()
    assert "undelivered" not in found()


def test_a_child_that_runs_is_waited_for_in_health():
    run(Parent)
    assert Execution.objects.filter(workflow_name=Child.definition.name).exists()
    clock.now()
    assert found() == {}
