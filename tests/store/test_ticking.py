"""Ticking: which ticks a fire deals with, from the row, the calendar and the time alone."""

from datetime import UTC, datetime, timedelta

import pytest

from durable_django.models import Schedule
from durable_django.store import ticking

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def row(**fields):
    given = {
        "workflow_name": "shop.report",
        "name": "nightly",
        "cron": "0 9 * * *",
        "timezone": "UTC",
        "catch_up": "one",
        "catch_up_seconds": 365 * 86_400.0,
        "next_at": NINE,
        "due_at": NINE,
    }
    return Schedule(**{**given, **fields})


def every(seconds, **fields):
    return row(cron="", interval_seconds=float(seconds), **fields)


def due(schedule, now):
    return ticking.due_ticks(schedule, ticking.calendar(schedule), now)


@pytest.mark.parametrize("late", [timedelta(0), SECOND, MINUTE])
@pytest.mark.parametrize("catch_up", ["none", "one", "all"])
def test_a_tick_that_is_at_most_a_minute_late_is_in_time(catch_up, late):
    assert due(row(catch_up=catch_up), NINE + late) == ((NINE,), None, NINE + DAY)


def test_of_ticks_that_were_missed_the_latest_is_started():
    found = due(row(), NINE + 3 * DAY + 5 * MINUTE)
    assert found == ((NINE + 3 * DAY,), (NINE, NINE + 2 * DAY), NINE + 4 * DAY)
    assert found.last == NINE + 3 * DAY


def test_one_that_was_missed_alone_leaves_nothing_missed():
    assert due(row(), NINE + 5 * MINUTE) == ((NINE,), None, NINE + DAY)


def test_with_none_all_that_were_missed_are_left():
    found = due(row(catch_up="none"), NINE + 3 * DAY + 5 * MINUTE)
    assert found == ((), (NINE, NINE + 3 * DAY), NINE + 4 * DAY)
    assert found.last == NINE + 3 * DAY


def test_with_none_the_one_that_is_in_time_is_started():
    found = due(row(catch_up="none"), NINE + 2 * DAY)
    assert found == ((NINE + 2 * DAY,), (NINE, NINE + DAY), NINE + 3 * DAY)


def test_with_all_each_is_started():
    found = due(row(catch_up="all"), NINE + 2 * DAY + 5 * MINUTE)
    assert found == ((NINE, NINE + DAY, NINE + 2 * DAY), None, NINE + 3 * DAY)


def test_with_all_those_before_the_window_are_missed():
    schedule = row(catch_up="all", catch_up_seconds=1.5 * 86_400)
    found = due(schedule, NINE + 3 * DAY + 5 * MINUTE)
    assert found == ((NINE + 2 * DAY, NINE + 3 * DAY), (NINE, NINE + DAY), NINE + 4 * DAY)


@pytest.mark.parametrize("catch_up", ["one", "all"])
def test_what_lies_before_the_window_is_not_caught_up_with(catch_up):
    schedule = row(catch_up=catch_up, catch_up_seconds=3_600.0)
    found = due(schedule, NINE + 2 * DAY + 120 * MINUTE)
    assert found == ((), (NINE, NINE + 2 * DAY), NINE + 3 * DAY)


def test_at_most_a_hundred_are_started_at_once_and_the_rest_next():
    schedule = every(1, catch_up="all")
    now = NINE + timedelta(hours=1)
    found = due(schedule, now)
    assert len(found.ticks) == 100
    assert found.next_at == NINE + 100 * SECOND
    schedule.next_at = found.next_at
    assert due(schedule, now).ticks[0] == NINE + 100 * SECOND


def test_a_year_of_seconds_is_missed_in_no_time():
    found = due(every(1), NINE + timedelta(days=365))
    late_until = NINE + timedelta(days=365) - MINUTE
    assert found.missed == (NINE, late_until - 2 * SECOND)
    assert found.ticks[0] == late_until - SECOND
    assert found.ticks[-1] == NINE + timedelta(days=365)
    assert len(found.ticks) == 62


def test_a_tick_that_was_moved_is_fired_at_its_new_time_and_the_calendar_goes_on():
    moved = NINE + timedelta(hours=3)
    assert due(row(next_at=moved, due_at=moved), moved) == ((moved,), None, NINE + DAY)


def test_a_moved_tick_that_was_missed_counts_as_one_of_those_missed():
    moved = NINE + timedelta(hours=3)
    found = due(row(next_at=moved, due_at=moved), NINE + DAY + 5 * MINUTE)
    assert found == ((NINE + DAY,), (moved, moved), NINE + 2 * DAY)
    assert due(row(next_at=moved), moved + 5 * MINUTE).ticks == (moved,)


def test_a_calendar_that_ends_leaves_nothing_to_come():
    class Once:
        def after(self, moment):
            return None

        def before(self, moment):
            return NINE

    assert ticking.due_ticks(row(), Once(), NINE) == ((NINE,), None, None)
    schedule = row()
    ticking.aim(schedule, None)
    assert (schedule.next_at, schedule.due_at) == (None, None)


# -- jitter ----------------------------------------------------------------------------------


def test_jitter_is_the_same_for_a_tick_and_another_for_the_next():
    schedule = row(jitter_seconds=600.0)
    found = [ticking.jitter(schedule, NINE + n * DAY) for n in range(50)]
    assert found == [ticking.jitter(row(jitter_seconds=600.0), NINE + n * DAY) for n in range(50)]
    assert len(set(found)) == 50
    assert all(timedelta(0) <= jitter < timedelta(seconds=600) for jitter in found)
    assert ticking.jitter(row(jitter_seconds=600.0, name="other"), NINE) not in found
    assert ticking.jitter(row(), NINE) == timedelta(0)


def test_jitter_is_the_same_whatever_zone_the_time_is_told_in():
    from zoneinfo import ZoneInfo

    schedule = row(jitter_seconds=600.0)
    there = NINE.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert ticking.jitter(schedule, there) == ticking.jitter(schedule, NINE)
    assert ticking.spelled(there) == "2026-03-02T09:00:00+00:00"


def test_a_tick_that_waits_for_its_jitter_is_neither_late_nor_fired_before():
    schedule = row(jitter_seconds=3_600.0, catch_up="none")
    ticking.aim(schedule, NINE)
    assert schedule.due_at == NINE + ticking.jitter(schedule, NINE)
    assert due(schedule, NINE + timedelta(hours=1)) == ((NINE,), None, NINE + DAY)
    assert due(schedule, NINE + timedelta(hours=1, seconds=61)).missed == (NINE, NINE)


def test_a_tick_whose_jitter_is_not_over_is_left_to_the_next_fire():
    schedule = every(60, jitter_seconds=50.0)
    ticking.aim(schedule, NINE)
    second = NINE + MINUTE
    now = second + ticking.jitter(schedule, second) - timedelta(milliseconds=1)
    assert due(schedule, now) == ((NINE,), None, second)
    assert due(schedule, now + timedelta(milliseconds=1)).ticks == (NINE, second)


@pytest.mark.parametrize("fields", [{"enabled": False}, {"retired_at": NINE}])
def test_one_that_is_off_or_retired_is_never_due(fields):
    schedule = row(**fields)
    ticking.aim(schedule, NINE)
    assert (schedule.next_at, schedule.due_at) == (None, None)


def test_durations_beyond_the_calendar_are_as_good_as_for_ever():
    schedule = row(catch_up="all", catch_up_seconds=1e15, jitter_seconds=1e12)
    assert due(schedule, NINE + MINUTE).ticks == (NINE,)
    ticking.aim(schedule, NINE)
    assert schedule.due_at is not None


# -- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nightly", "a: b", "trigger:7", ""])
def test_the_key_of_a_run_tells_its_tick(name):
    timed = ticking.run_key(name, ticking.spelled(NINE))
    triggered = ticking.run_key(name, ticking.of_trigger(7))
    assert (ticking.tick_of(name, timed), ticking.tick_of(name, triggered)) == (NINE, 7)
    assert ticking.tick_of("other", timed) is None


@pytest.mark.parametrize(
    "key",
    [
        *("", "x", "schedule:nightly", "schedule:nightly:", "schedule:nightly:x"),
        *("schedule:nightly:trigger:", "schedule:nightly:trigger:x"),
        *("schedule:nightly:2026-03-02T09:00:00", "schedule:nightly:0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_key_that_somebody_made_up_tells_none(key):
    assert ticking.tick_of("nightly", key) is None
