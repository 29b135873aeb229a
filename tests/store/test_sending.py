"""Send and publish: an event is written once, with the caller's data, or not at all."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from durable_django.models import FINAL, Event, Execution
from durable_django.store import clock
from durable_django.store.sending import publish, send

from .rows import OpenTransaction, at_once, make_run

ENDED = [status.value for status in FINAL]


def ended(status="completed"):
    run = make_run()
    Execution.objects.filter(pk=run.pk).update(status=status, finished_at=clock.now(), due_at=None)
    return run


def same(event):
    """The event, which has to be the row as it is read back."""
    row = Event.objects.get(pk=event.pk)
    for field in Event._meta.concrete_fields:
        assert getattr(event, field.attname) == getattr(row, field.attname), field.name
    assert (event._state.adding, event._state.db) == (False, "default")
    return row


# To one run


@pytest.mark.django_db
def test_an_event_is_written_as_it_was_sent():
    run = make_run()
    before = clock.now()
    row = same(
        send(
            run.pk,
            "paid",
            '{"$":["date","2030-01-31"]}',
            kind="callback",
            key="inv_1",
            scope="items[3]/",
            idempotency_key="once",
        )
    )
    assert (row.execution_id, row.kind, row.name, row.key) == (run.pk, "callback", "paid", "inv_1")
    assert (row.scope, row.idempotency_key, row.status) == ("items[3]/", "once", "new")
    assert row.payload.isoformat() == "2030-01-31"
    assert before <= row.created_at <= clock.now()
    assert (row.examined_at, row.ended_at, row.expires_at) == (None, None, None)
    assert (row.source_id, row.wait_id) == (None, None)


@pytest.mark.django_db
def test_an_event_without_more_is_a_plain_one():
    row = same(send(make_run().pk, "paid", "null"))
    assert (row.kind, row.key, row.scope, row.idempotency_key) == ("event", "", "", None)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", "100 %s %%", "größte €\n\t\\", '"'])
def test_a_text_arrives_as_it_is_whatever_stands_in_it(text):
    assert Event.objects.get(pk=send(make_run().pk, text, '"x"', key=text).pk).name == text
    assert Event.objects.get(pk=publish(text, text, '"x"').pk).key == text


@pytest.mark.django_db
def test_events_are_numbered_in_the_order_in_which_they_were_sent():
    run = make_run()
    ids = [send(run.pk, "paid", str(n)).pk for n in range(20)]
    assert ids == sorted(ids)


@pytest.mark.django_db
def test_a_key_that_this_run_has_got_already_gives_the_event_that_has_it():
    run, other = make_run(), make_run()
    first = send(run.pk, "paid", "1", idempotency_key="k")
    again = send(run.pk, "something else", "2", idempotency_key="k")
    assert (again.pk, again.name, again.payload) == (first.pk, "paid", 1)
    assert send(other.pk, "paid", "3", idempotency_key="k").pk != first.pk
    assert send(run.pk, "paid", "4").pk != send(run.pk, "paid", "4").pk
    assert Event.objects.count() == 4


@pytest.mark.django_db
def test_nothing_is_written_for_a_run_that_does_not_exist():
    assert send(uuid4(), "paid", "1") is None
    assert send(uuid4(), "paid", "1", idempotency_key="k") is None
    assert Event.objects.count() == 0


@pytest.mark.django_db
def test_nothing_is_written_for_a_strand():
    run = make_run()
    strand = make_run()
    Execution.objects.filter(pk=strand.pk).update(parent=run, kind="strand", path="a/b")
    assert send(strand.pk, "paid", "1") is None
    assert Event.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("status", ENDED)
def test_nothing_is_written_for_a_run_that_has_ended(status):
    run = ended(status)
    assert send(run.pk, "paid", "1") is None
    assert send(run.pk, "paid", "1", kind="callback", idempotency_key="k") is None
    assert Event.objects.count() == 0


@pytest.mark.django_db
def test_the_end_of_a_child_is_written_for_a_parent_that_has_ended_since_it_may_be_retried():
    run = ended("failed")
    assert same(send(run.pk, uuid4().hex, "null", kind="child")).execution_id == run.pk


@pytest.mark.django_db
def test_what_was_sent_before_the_run_ended_is_found_by_its_key():
    run = make_run()
    first = send(run.pk, "paid", "1", idempotency_key="k")
    Execution.objects.filter(pk=run.pk).update(
        status="completed", finished_at=clock.now(), due_at=None
    )
    assert send(run.pk, "paid", "2", idempotency_key="k").pk == first.pk


# To all who wait


@pytest.mark.django_db
def test_a_published_event_is_written_as_it_was_sent():
    row = same(publish("paid", "inv_1", "[1]", 60.5, "once"))
    assert (row.execution_id, row.kind, row.name, row.key) == (None, "event", "paid", "inv_1")
    assert (row.payload, row.idempotency_key, row.status) == ([1], "once", "new")
    assert row.expires_at - row.created_at == timedelta(seconds=60.5)
    assert (row.examined_at, row.ended_at) == (None, None)


@pytest.mark.django_db
def test_a_published_event_is_not_kept_unless_it_is_said():
    row = same(publish("paid", "", "null"))
    assert (row.expires_at, row.key, row.idempotency_key) == (None, "", None)


@pytest.mark.django_db
def test_a_key_that_was_used_for_this_name_and_key_gives_the_event_that_has_it():
    first = publish("paid", "a", "1", None, "k")
    again = publish("paid", "a", "2", 60, "k")
    assert (again.pk, again.payload, again.expires_at) == (first.pk, 1, None)
    others = [
        publish("paid", "b", "1", None, "k"),
        publish("lost", "a", "1", None, "k"),
        publish("paid", "a", "1"),
        send(make_run().pk, "paid", "1", key="a", idempotency_key="k"),
    ]
    assert len({first.pk, *(event.pk for event in others)}) == 5


@pytest.mark.django_db
def test_an_event_that_was_deleted_meanwhile_is_published_anew(monkeypatch):
    """Retention between the insert that found the key taken and the read of who has it."""
    first = publish("paid", "", "1", None, "k")
    looked = []

    def find(**wanted):
        looked.append(Event.objects.filter(**wanted).delete())

    monkeypatch.setattr("durable_django.store.sending._find", find)
    again = publish("paid", "", "2", None, "k")
    assert (again.pk != first.pk, again.payload, len(looked)) == (True, 2, 1)


# Statements


@pytest.mark.django_db
def test_a_send_is_one_statement_and_on_postgresql_the_notice_is_in_it():
    run = make_run()
    for act in (
        lambda: send(run.pk, "paid", "1"),
        lambda: send(run.pk, "paid", "1", idempotency_key="k"),
        lambda: publish("paid", "", "1"),
        lambda: publish("paid", "", "1", 60, "k"),
    ):
        with CaptureQueriesContext(connection) as captured:
            act()
        (query,) = captured
        notifies = "pg_notify" in query["sql"] and "durable_django_waits" in query["sql"]
        assert notifies is (connection.vendor == "postgresql")


@pytest.mark.django_db
def test_time_that_was_moved_counts_for_events():
    run = make_run()
    first = send(run.pk, "paid", "1")
    clock.advance(timedelta(days=1))
    assert send(run.pk, "paid", "1").created_at - first.created_at >= timedelta(days=1)
    assert publish("paid", "", "1").created_at - first.created_at >= timedelta(days=1)


# Beside others


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_in_the_callers_transaction_rolls_back_with_it():
    run = make_run()
    with transaction.atomic():
        send(run.pk, "paid", "1")
        send(run.pk, "paid", "1", idempotency_key="k")
        publish("paid", "", "1", 60, "k")
        assert Event.objects.count() == 3
        transaction.set_rollback(True)
    assert Event.objects.count() == 0
    assert send(run.pk, "paid", "2", idempotency_key="k").payload == 2


@pytest.mark.django_db(transaction=True)
def test_an_event_can_be_sent_to_a_run_that_the_same_transaction_started():
    with transaction.atomic():
        event = send(make_run().pk, "paid", "1")
    assert same(event)


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_is_seen_by_others_when_the_callers_transaction_has_committed():
    run = make_run()
    with OpenTransaction(lambda: send(run.pk, "paid", "1")) as other:
        seen = at_once(Event.objects.count)
        other.end()
    assert seen == [0]
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_sends_with_one_key_at_the_same_moment_one_writes_and_all_get_its_event():
    run = make_run()
    for number in range(10):
        key = f"k{number}"
        sent = at_once(*[lambda key=key: send(run.pk, "a", "1", idempotency_key=key).pk] * 4)
        published = at_once(*[lambda key=key: publish("a", "", "1", None, key).pk] * 4)
        assert (len(set(sent)), len(set(published))) == (1, 1), (sent, published)
    assert Event.objects.count() == 20


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_a_send_waits_for_one_with_the_same_key_that_has_not_committed_yet(commits):
    run = make_run()
    earlier, later = (
        lambda n=n: send(run.pk, "paid", str(n), idempotency_key="k").payload for n in (1, 2)
    )
    with OpenTransaction(earlier, commits=commits) as other:
        # Let go only when this one has begun; whether it waits already makes no difference.
        got, _ = at_once(later, other.end)
    assert got == (1 if commits else 2)
    assert [event.payload for event in Event.objects.all()] == [got]
