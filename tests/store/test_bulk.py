"""Rows that each get values of their own: the same statement on both databases."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.models import Event, Wait
from durable_django.store import clock
from durable_django.store.bulk import update_rows

from .rows import make_run

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
ODD = "quote ' \" \\ %s {} \n  λ 𝄞"


def waits(count):
    run = make_run()
    rows = [
        Wait(
            execution=run, member=run, path=f"w{n}", node="w", kind="event", name="w", created_at=AT
        )
        for n in range(count)
    ]
    return Wait.objects.bulk_create(rows)


def test_each_row_gets_its_own_values_and_the_others_stay():
    first, second, third = waits(3)
    update_rows(
        Wait,
        ("id", "status", "value_text", "resolved_at"),
        ("bigint", "text", "text", "timestamptz"),
        [(third.pk, "completed", f'"{ODD}"', AT), (first.pk, "timed_out", "null", AT)],
    )
    found = {row.pk: (row.status, row.value_text, row.resolved_at) for row in Wait.objects.all()}
    assert found == {
        first.pk: ("timed_out", "null", AT),
        second.pk: ("open", "null", None),
        third.pk: ("completed", f'"{ODD}"', AT),
    }


def test_texts_ids_times_and_nulls_come_through_as_they_are():
    (wait,) = waits(1)
    child, elsewhere = uuid4(), AT.astimezone(tz=None) + timedelta(microseconds=1)
    columns = ("id", "child_id", "due_at", "comment", "seq")
    types = ("bigint", "uuid", "timestamptz", "text", "int")
    update_rows(Wait, columns, types, [(wait.pk, child, elsewhere, ODD, 7)])
    wait.refresh_from_db()
    assert (wait.child_id, wait.due_at, wait.comment, wait.seq) == (child, elsewhere, ODD, 7)
    update_rows(Wait, columns, types, [(wait.pk, None, None, "", 8)])
    wait.refresh_from_db()
    assert (wait.child_id, wait.due_at, wait.comment, wait.seq) == (None, None, "", 8)


def test_a_large_text_is_no_matter():
    (wait,) = waits(1)
    large = '"' + "x" * 1_000_000 + '"'
    update_rows(Wait, ("id", "value_text"), ("bigint", "text"), [(wait.pk, large)])
    wait.refresh_from_db()
    assert wait.value_text == large


def test_rows_that_are_gone_are_passed_over():
    (wait,) = waits(1)
    rows = [(wait.pk + 1, "completed"), (wait.pk, "cancelled")]
    update_rows(Wait, ("id", "status"), ("bigint", "text"), rows)
    assert list(Wait.objects.values_list("status", flat=True)) == ["cancelled"]


def test_nothing_is_asked_where_there_is_nothing_to_write():
    with CaptureQueriesContext(connection) as asked:
        update_rows(Wait, ("id", "status"), ("bigint", "text"), [])
    assert len(asked) == 0


def test_many_rows_are_one_call_of_the_database():
    rows = waits(300)
    now = clock.now()
    with CaptureQueriesContext(connection) as asked:
        update_rows(
            Wait,
            ("id", "status", "resolved_at"),
            ("bigint", "text", "timestamptz"),
            [(row.pk, "completed", now) for row in rows],
        )
    assert len(asked) == 1
    assert Wait.objects.filter(status="completed", resolved_at=now).count() == 300


def test_it_writes_any_model():
    event = Event.objects.create(name="e", created_at=AT)
    update_rows(Event, ("id", "status"), ("bigint", "text"), [(event.pk, "kept")])
    event.refresh_from_db()
    assert event.status == "kept"
