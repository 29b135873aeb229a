"""Tallies: what runs ended how, in memory and in rows; what becomes of them when all goes wrong."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

import durable_django as durable
from durable_django.models import Tally
from durable_django.store import clock, ending, tallies
from tests.store.rows import make_run

AT = datetime(2030, 5, 17, 10, 29, 45, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _nothing_pending():
    tallies.forget()
    yield
    tallies.forget()


def rows():
    """(span, begin, workflow, status, class, number) of all rows."""
    columns = ("span_seconds", "begins_at", "workflow_name", "status", "duration_class", "number")
    ordered = Tally.objects.order_by("span_seconds", "begins_at", "duration_class", "status")
    return list(ordered.values_list(*columns))


def count(name="tests.order", status="completed", seconds=1.0, at=AT):
    tallies.count(name, status, at - timedelta(seconds=seconds), at)


# Durations


@given(st.floats(min_value=0, max_value=86_400 * 365))
def test_a_class_stands_for_its_durations_as_exactly_as_it_says(seconds):
    found = tallies.class_of(seconds)
    assert 0 <= found <= tallies.CLASS_MAX
    if 0 < found < tallies.CLASS_MAX:
        assert 0.84 <= tallies.seconds_of(found) / seconds <= 1.19


@given(st.lists(st.floats(min_value=0, max_value=86_400 * 40), min_size=1), st.integers(1, 100))
def test_a_percentile_is_that_of_the_durations_themselves_but_for_the_width_of_a_class(times, p):
    classes = {}
    for seconds in times:
        found = tallies.class_of(seconds)
        classes[found] = classes.get(found, 0) + 1
    exact = sorted(times)[-(-len(times) * p // 100) - 1]
    assert tallies.percentile(classes, p) == tallies.seconds_of(tallies.class_of(exact))


def test_runs_that_never_started_have_no_duration():
    assert tallies.percentile({}, 50) is None
    assert tallies.percentile({tallies.NEVER_STARTED: 5}, 50) is None
    assert tallies.percentile({tallies.NEVER_STARTED: 5, 0: 1}, 50) == 0.001


# Rows


@pytest.mark.django_db
def test_runs_are_added_up_by_minute_and_by_hour():
    for seconds in (1.0, 1.0, 60.0):
        count(seconds=seconds)
    count(at=AT + timedelta(minutes=1))
    count(status="failed")
    tallies.flush()
    one, sixty = tallies.class_of(1), tallies.class_of(60)
    minute, hour = AT.replace(second=0), AT.replace(minute=0, second=0)
    later = minute + timedelta(minutes=1)
    assert rows() == [
        (60, minute, "tests.order", "completed", one, 2),
        (60, minute, "tests.order", "failed", one, 1),
        (60, minute, "tests.order", "completed", sixty, 1),
        (60, later, "tests.order", "completed", one, 1),
        (3600, hour, "tests.order", "completed", one, 3),
        (3600, hour, "tests.order", "failed", one, 1),
        (3600, hour, "tests.order", "completed", sixty, 1),
    ]


@pytest.mark.django_db
def test_what_others_have_written_is_added_to_by_one_statement():
    for _ in range(2):
        count()
        count("tests.refund")
        with CaptureQueriesContext(connection) as asked:
            tallies.flush()
        assert len(asked) == 1
    assert {row[-1] for row in rows()} == {2}
    with CaptureQueriesContext(connection) as asked:
        tallies.flush()
    assert len(asked) == 0


@pytest.mark.django_db
def test_everybody_writes_the_rows_in_the_same_order():
    # race: tallies-in-order
    for name in ("b", "c", "a"):
        count(f"tests.{name}", at=AT + timedelta(hours=5))
        count(f"tests.{name}")
    with CaptureQueriesContext(connection) as asked:
        tallies.flush()
    [statement] = [query["sql"] for query in asked]
    assert "".join(re.findall(r"tests\.([abc])'", statement)) == "abc" * 4


@pytest.mark.django_db
def test_more_than_fits_a_statement_is_written_by_several(monkeypatch):
    monkeypatch.setattr(tallies, "KEYS_A_STATEMENT", 2)
    for number in range(5):
        count(f"tests.w{number}")
    with CaptureQueriesContext(connection) as asked:
        tallies.flush()
    assert len(asked) == 3
    assert len(rows()) == 10


@pytest.mark.django_db
def test_what_the_database_refuses_is_written_with_the_next_flush(monkeypatch, caplog):
    def away(counted):
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(tallies, "write", away)
        count()
        tallies.flush()
    assert "gone" in caplog.text
    count()
    tallies.flush()
    assert {row[-1] for row in rows()} == {2}


@pytest.mark.django_db
def test_what_cannot_be_counted_stops_nobody(caplog):
    tallies.count("tests.order", "completed", AT.replace(tzinfo=None), AT)
    assert "tests.order that ended could not be counted" in caplog.text
    tallies.flush()
    assert rows() == []


@pytest.mark.django_db
def test_while_the_database_is_away_memory_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(tallies, "KEYS_MAX", 3)
    with monkeypatch.context() as patched:
        patched.setattr(tallies, "write", lambda counted: 1 / 0)
        for number in range(4):
            count(f"tests.w{number}")
            tallies.flush()
    tallies.flush()
    assert rows() == []


@pytest.mark.django_db
def test_rows_that_no_chart_reads_are_taken_away():
    now = clock.now()
    for age in (timedelta(0), timedelta(hours=3), timedelta(days=9)):
        count(at=now - age)
    tallies.flush()
    tallies.prune()
    left = [(span, now - begins) for span, begins, *_ in rows()]
    assert [span for span, age in left if age > timedelta(hours=2, minutes=1)] == [3600]
    assert sorted(span for span, _ in left) == [60, 3600, 3600]
    with CaptureQueriesContext(connection) as asked:
        tallies.prune()
    assert [query["sql"] for query in asked if "DELETE" in query["sql"]] == []


# Ends that no worker brings about


@pytest.mark.django_db(transaction=True)
def test_a_cancel_is_counted_when_it_is_committed():
    durable.cancel(make_run().pk, "no")
    assert {(row[2], row[3], row[4]) for row in rows()} == {("shop", "cancelled", -1)}


@pytest.mark.django_db(transaction=True)
def test_while_a_worker_of_the_process_writes_a_cancel_waits_for_it():
    tallies.worker_begins()
    ending.cancel(make_run().pk, "no")
    assert rows() == []
    tallies.worker_ends()
    assert len(rows()) == 2


@pytest.mark.django_db(transaction=True)
def test_a_cancel_is_none_the_worse_for_tallies_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(tallies, "write", lambda counted: 1 / 0)
    run = durable.cancel(make_run().pk, "no")
    assert run.status == "cancelled"
