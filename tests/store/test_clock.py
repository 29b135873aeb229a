"""The one clock: database time, carried on between readings, moved only by the test kit."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from durable_django.store import clock

pytestmark = pytest.mark.django_db

DATABASE_TIME = datetime(2031, 5, 1, tzinfo=UTC)


def test_the_time_is_that_of_the_database_and_goes_on_from_there(django_assert_max_num_queries):
    clock.reset()
    # On a busy machine it asks again, for an answer that took less time.
    with django_assert_max_num_queries(clock.ASKED_MOST):
        first, second = clock.now(), clock.now()
    assert first <= second
    assert first.utcoffset() == timedelta(0)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            assert second <= cursor.fetchone()[0]


def test_a_time_that_a_statement_brought_needs_no_other():
    clock.observe(DATABASE_TIME)
    assert timedelta(0) <= clock.now() - DATABASE_TIME < timedelta(seconds=5)


def test_the_hosts_own_clock_changes_nothing(monkeypatch):
    clock.observe(DATABASE_TIME)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() - DATABASE_TIME < timedelta(seconds=5)


def test_a_reading_of_the_monotonic_clock_is_a_moment_of_the_database():
    clock.observe(DATABASE_TIME)
    reading = time.monotonic()
    difference = clock.at(reading + 60) - clock.at(reading)
    assert difference == timedelta(seconds=60)


def test_the_database_is_asked_again_after_a_while(monkeypatch):
    clock.observe(DATABASE_TIME)
    monkeypatch.setattr(clock, "RECALIBRATE_SECONDS", -1.0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(hours=1)


def test_time_that_was_moved_stays_moved_until_it_is_put_back():
    clock.observe(DATABASE_TIME)
    clock.advance(timedelta(days=3))
    clock.observe(DATABASE_TIME)
    assert clock.now() - DATABASE_TIME >= timedelta(days=3)
    clock.reset()
    assert clock.now() < DATABASE_TIME


def test_a_moment_beyond_the_calendar_is_no_moment():
    assert clock.after(DATABASE_TIME, 60) == DATABASE_TIME + timedelta(minutes=1)
    assert clock.after(datetime(9999, 1, 1, tzinfo=UTC), 10**9) is None
