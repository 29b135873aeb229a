"""The inbox of a run: what is in it for whom, and what becomes of events."""

from datetime import timedelta

import pytest

from durable_django.engine.delivery import Delivery, deliver
from durable_django.models import Event, Wait
from durable_django.store import clock
from durable_django.store.inbox import (
    arrived,
    awaiting,
    consume,
    copy_of,
    insert_copies,
    keep,
    kept_for,
    names_of,
)

from .parked import held_now, kept, outcome_of, parked, published, sent, state_of, wait_at, wait_of
from .rows import make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def told(found):
    """Run -> names and keys, in their order."""
    return {run_id: [(e.name, e.key) for e in events] for run_id, events in found.items()}


def test_what_a_wait_waits_for_is_the_same_of_a_row_and_of_its_record(worker):
    run = held_now(worker)
    record = wait_of(run, "all", names=("a", "b"), key="k", seconds=60)
    assert names_of(record) == ("a", "b")
    assert names_of(wait_of(run, name="paid")) == ("paid",)
    found = awaiting(7, record)
    assert (found.id, found.member_id, found.kind, found.key) == (7, run.id, "all", "k")
    other = parked(worker, "all", names=("a", "b"), key="k", due_at=record.due_at)
    row = wait_at(other)
    assert awaiting(7, row) == found._replace(member_id=other.id)


def test_events_are_read_by_run_in_the_order_they_were_sent(worker):
    first, second = held_now(worker), held_now(worker)
    for run, name in ((first, "a"), (second, "b"), (first, "c")):
        sent(run, name, name, key="k", scope="each[1]/", kind="callback")
    found = arrived(Event.objects.all())
    assert told(found) == {first.id: [("a", "k"), ("c", "k")], second.id: [("b", "k")]}
    event = found[second.id][0]
    assert (event.kind, event.scope, event.payload) == ("callback", "each[1]/", '"b"')
    assert (event.is_copy, event.created_at) == (False, Event.objects.get(name="b").created_at)


def test_only_what_was_kept_for_these_runs_and_names_is_found(worker):
    run, other = held_now(worker), held_now(worker)
    kept(run.id, ["", "k"])
    kept(run.id, [""], "other")
    kept(other.id, [""])
    new = sent(run, 1)
    delivered = sent(run, 2)
    Event.objects.filter(pk=delivered.pk).update(status="delivered", ended_at=clock.now())
    found = kept_for([wait_of(run, key="k")])
    assert set(found) == {run.id}
    assert ("paid", "k") in told(found)[run.id]
    ids = {event.id for event in found[run.id]}
    assert not ids & {new.pk, delivered.pk}
    assert kept_for([wait_of(run, name="nothing")]) == {}


def test_of_many_that_were_kept_only_some_are_read(worker):
    run = held_now(worker)
    kept(run.id, [""] * 1_500)
    found = kept_for([wait_of(run)])
    assert 1 <= len(found[run.id]) < 500
    first = Event.objects.order_by("id").first()
    assert found[run.id][0].id == first.pk


def test_published_events_that_are_kept_are_copied_once(worker):
    run = held_now(worker)
    event = published(5, key="k", keep_seconds=60)
    for _ in range(2):
        found = kept_for([wait_of(run, key="k"), wait_of(run, key="k", path="other")])
        assert [each.is_copy for each in found[run.id]] == [True]
    (copy,) = Event.objects.filter(execution_id=run.id)
    assert (copy.source_id, copy.key, copy.payload, copy.status) == (event.pk, "k", 5, "kept")
    assert copy.created_at == event.created_at
    assert copy.examined_at is not None


def test_a_published_event_for_another_key_is_not_copied(worker):
    run = held_now(worker)
    published(5, key="k", keep_seconds=60)
    published(5, "other", keep_seconds=60)
    # Either is asked for, but not together.
    assert kept_for([wait_of(run), wait_of(run, name="other", key="k", path="p")]) == {}
    assert not Event.objects.filter(execution_id=run.id).exists()


def test_what_was_delivered_is_written_of_wait_and_events(worker):
    run = parked(worker, "all", names=("a", "b"))
    events = [sent(run, name, name) for name in ("a", "b")]
    now = clock.now() + timedelta(seconds=1)
    found = arrived(Event.objects.all())[run.id]
    made = deliver([awaiting(wait_at(run).pk, wait_at(run))], found)
    consume(made, now)
    wait = wait_at(run)
    assert (wait.status, wait.value, wait.resolved_at) == ("completed", {"a": "a", "b": "b"}, now)
    for event in events:
        event.refresh_from_db()
        assert (event.status, event.wait_id) == ("delivered", wait.pk)
        assert event.ended_at == now


def test_nothing_is_written_of_nothing(worker):
    consume([], clock.now())
    keep([], clock.now())
    insert_copies([])
    assert not Event.objects.exists()
    assert not Wait.objects.exists()
    assert Delivery._fields == ("wait", "value", "events")


def test_events_nobody_waits_for_are_kept_but_the_ends_of_children_are_not(worker):
    run = held_now(worker)
    event, callback = sent(run), sent(run, kind="callback")
    child = sent(run, kind="child")
    now = clock.now()
    keep([event.pk, callback.pk, child.pk], now)
    assert (state_of(event), state_of(callback)) == ("kept", "kept")
    assert list(Event.objects.filter(examined_at=now).order_by("id")) == [event, callback]
    assert not Event.objects.filter(pk=child.pk).exists()


def test_a_copy_that_is_there_already_is_no_error(worker):
    run = held_now(worker)
    event = published(5)
    for _ in range(2):
        insert_copies([copy_of(event, run.id, "new", None)])
    assert Event.objects.filter(source_id=event.pk).count() == 1
    assert outcome_of(parked(worker))[0] == "open"
