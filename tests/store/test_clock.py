"""The one clock: database time, carried on between readings, moved only by the test kit."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from durable_django.store import clock

pytestmark = pytest.mark.django_db

DATABASE_TIME = datetime(2031, 5, 1, tzinfo=UTC)


def asked() -> datetime:
    """What the database says now."""
    if connection.vendor != "postgresql":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def test_the_time_is_that_of_the_database_and_goes_on_from_there(django_assert_max_num_queries):
    clock.reset()
    before, begun = asked(), time.monotonic()
    # On a busy machine it asks again, for an answer that took less time.
    with django_assert_max_num_queries(clock.ASKED_MOST):
        first = clock.now()
        ways = timedelta(seconds=time.monotonic() - begun)
        second = clock.now()
    assert first <= second
    assert first.utcoffset() == timedelta(0)
    # It is known to half of one way there and back, and no way took longer than all together.
    assert before - ways / 2 <= first
    assert second <= asked() + ways / 2


class Far:
    """A database of which each way there and back takes so many seconds; ``share`` of a way has
    passed when it looks at its clock."""

    vendor = "postgresql"

    def __init__(self, ways, share):
        self.ways, self.share = iter(ways), share
        self.passed = 0.0

    def monotonic(self):
        return self.passed

    def now(self):
        return DATABASE_TIME + timedelta(seconds=self.passed)

    @contextmanager
    def cursor(self):
        yield self

    def execute(self, statement):
        way = next(self.ways)
        self.passed += way * self.share
        self.told = self.now()
        self.passed += way * (1 - self.share)

    def fetchone(self):
        return (self.told,)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("ways", [[0.004], [4.0, 0.004], [4.0, 0.064, 1.0]])
def test_it_is_known_to_half_of_the_quickest_way_to_the_database_and_back(monkeypatch, ways, share):
    far = Far(ways, share)
    monkeypatch.setattr(clock, "connections", {"default": far})
    monkeypatch.setattr(clock, "time", far)
    clock.reset()
    for seconds in (0.0, 30.0):
        far.passed += seconds
        ahead = (clock.now() - far.now()).total_seconds()
        assert ahead == pytest.approx((share - 0.5) * min(ways), abs=2e-6)
    assert next(far.ways, None) is None, "an answer that is quick enough is the last"


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
