"""Event: what it tells, what the database refuses, and which index serves whom."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from durable_django.models import Event
from tests.store.rows import make_run

from .test_wait import assert_index

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 31, tzinfo=UTC)


def make_event(**fields):
    return Event.objects.create(**{"name": "paid", "created_at": AT, **fields})


def refused(**fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_event(**fields)


def test_an_event_tells_its_payload_decoded():
    event = make_event(payload_text='{"$":["date","2030-01-31"]}')
    assert event.payload.isoformat() == "2030-01-31"
    assert make_event().payload is None
    assert str(event) == "event paid"
    assert str(make_event(kind="child")) == "child paid"


def test_a_run_has_an_idempotency_key_once_and_events_without_one_as_often_as_you_like():
    run, other = make_run(), make_run()
    make_event(execution=run, idempotency_key="once")
    make_event(execution=other, idempotency_key="once")
    make_event(idempotency_key="once")
    for _ in range(2):
        make_event(execution=run)
        make_event()
    refused(execution=run, idempotency_key="once", name="other")


def test_a_published_event_has_an_idempotency_key_once_for_its_name_and_key():
    make_event(idempotency_key="once", key="a")
    make_event(idempotency_key="once", key="b")
    make_event(idempotency_key="once", key="a", name="other")
    refused(idempotency_key="once", key="a")


def test_a_run_has_one_copy_of_a_published_event():
    run = make_run()
    published = make_event()
    make_event(execution=run, source_id=published.pk)
    make_event(execution=make_run(), source_id=published.pk)
    refused(execution=run, source_id=published.pk)


@pytest.mark.parametrize("wrong", [{"status": "lost"}, {"kind": "hope"}])
def test_a_status_or_a_kind_that_there_is_not_is_refused(wrong):
    with pytest.raises(IntegrityError, match="durable_event_"), transaction.atomic():
        make_event(**wrong)


def test_an_event_may_name_a_run_that_is_gone():
    """The end of a child is told to whoever called it, whatever has become of that."""
    run = make_run()
    pk = run.pk
    run.delete()
    event = make_event(execution_id=pk, kind="child")
    assert Event.objects.get().execution_id == pk
    event.delete()


ASKED = {
    "durable_event_new": {"examined_at__isnull": True},
    "durable_event_inbox": {"execution_id": "run", "kind": "event", "ended_at__isnull": True},
    "durable_event_published": {"name": "paid", "key": "k", "execution__isnull": True},
    "durable_event_expires": {"expires_at__lte": AT, "execution__isnull": True},
}


@pytest.mark.parametrize("index", ASKED)
def test_what_workers_ask_for_is_answered_by_an_index(index):
    wanted = {key: make_run().pk if v == "run" else v for key, v in ASKED[index].items()}
    if "execution__isnull" in wanted or "execution_id" in wanted:
        wanted["ended_at__isnull"] = True
    rows = Event.objects.filter(**wanted)
    if index == "durable_event_new":
        rows = rows.order_by("id")
    if index == "durable_event_expires":
        rows = rows.order_by("expires_at")
    assert_index(index, rows)
