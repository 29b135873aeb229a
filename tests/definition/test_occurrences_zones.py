"""Calendars against counted minutes: ten zones, twenty years of changes of the clocks."""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.definition.occurrences import calendar_of
from tests.definition.reckoned_ticks import (
    DAY,
    DAYS,
    HOUR,
    MINUTE,
    YEARS,
    ZONES,
    around,
    changes,
    patterns,
    plain,
    reckoned,
)

SECOND = timedelta(seconds=1)

stretches = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(st.just(zone), st.sampled_from(changes(zone)))
)


def walked(calendar, start, end):
    """The ticks of [start, end), found one after the other; and backward, the other way round."""
    forward = list(calendar.between(start, end))
    backward, moment = [], end - SECOND
    while (tick := calendar.before(moment)) is not None and tick >= start:
        backward.append(tick)
        moment = tick - SECOND
    assert backward[::-1] == forward
    return forward


@settings(max_examples=150)
@given(patterns(), stretches)
def test_ticks_are_those_of_counted_minutes(pattern, stretch):
    zone, change = stretch
    start, end = around(change, 36 * HOUR)
    calendar = calendar_of(pattern.text, zone)
    assert walked(calendar, start, end) == reckoned(pattern, zone, start, end)


@settings(max_examples=60)
@given(patterns(seconds=True), stretches)
def test_ticks_with_seconds_are_those_of_counted_seconds(pattern, stretch):
    zone, change = stretch
    start, end = around(change, 90 * MINUTE)
    calendar = calendar_of(pattern.text, zone)
    assert list(calendar.between(start, end)) == reckoned(pattern, zone, start, end, SECOND)


@settings(max_examples=120)
@given(patterns(), stretches, st.data())
def test_from_any_moment_the_next_tick_is_later_and_the_last_is_not(pattern, stretch, data):
    zone, change = stretch
    start, end = around(change, 36 * HOUR)
    ticks = reckoned(pattern, zone, start, end)
    calendar = calendar_of(pattern.text, zone)
    micros = data.draw(st.integers(0, (end - start) // timedelta(microseconds=1) - 1))
    moment = start + timedelta(microseconds=micros)
    later, earlier = ticks[bisect_right(ticks, moment) :], ticks[: bisect_right(ticks, moment)]
    after, before = calendar.after(moment), calendar.before(moment)
    assert after == later[0] if later else after is None or after >= end
    assert before == earlier[-1] if earlier else before is None or before < start


@settings(max_examples=12)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(DAYS),
    st.integers(0, 23),
    st.integers(0, 59),
)
def test_a_time_of_day_comes_once_on_each_of_its_days_for_twenty_years(zone, days, hour, minute):
    text, on_day = days
    info = ZoneInfo(zone)
    start, end = date(YEARS[0], 1, 1), date(YEARS[-1] + 1, 1, 1)
    expected = {
        first_minute(datetime(day.year, day.month, day.day, hour, minute), info)  # noqa: DTZ001
        for number in range((end - start).days)
        if on_day(day := start + number * DAY)
    }
    first, last = (datetime(day.year, 1, 1, tzinfo=info) for day in (start, end))
    found = list(calendar_of(f"{minute} {hour} {text}", zone).between(first, last))
    # A set: midnight of the day that Apia never had falls together with that of the next.
    assert found == sorted(expected)


def first_minute(wall, zone):
    """The first minute at which the clock on the wall shows that time, or a later one."""
    low = wall.replace(tzinfo=UTC) - 15 * HOUR
    # What it shows only falls by an hour at a time, which is less than what lies between.
    offsets = sorted({(low + n * HOUR).astimezone(zone).utcoffset() for n in (0, 15, 30)})
    shows = [wall.replace(tzinfo=UTC) - offset for offset in offsets]
    exact = [m for m in shows if m.astimezone(zone).replace(tzinfo=None, fold=0) == wall]
    if exact:
        return min(exact)
    moment = min(shows)
    while moment.astimezone(zone).replace(tzinfo=None, fold=0) < wall:
        moment += MINUTE
    return moment


TIMES = [
    *("30 2 * * *", "0 2,3 * * *", "30 1 * * *", "0 0 * * *", "59 23 * * *", "0-59/20 0-3 * * *"),
    *("*/10 * * * *", "0 * * * *", "*/15 1-3 * * *", "30 */2 * * *", "* * * * *", "0 */6 * * *"),
]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_each_change_of_twenty_years_is_walked_as_minutes_are_counted(zone):
    wrong = []
    for change, text in product(changes(zone), TIMES):
        start, end = around(change, 36 * HOUR)
        if walked(calendar_of(text, zone), start, end) != reckoned(plain(text), zone, start, end):
            wrong.append((text, change))
    assert wrong == []


def test_the_zones_of_these_tests_do_move_their_clocks():
    counted = {zone: len(changes(zone)) - len(YEARS[::7]) for zone in ZONES}
    assert counted.pop("Asia/Kathmandu") == 0
    assert counted.pop("America/Caracas") == 2
    assert min(counted.values()) >= 20
    assert bisect_left(changes("Pacific/Apia"), datetime(2011, 12, 30, 10, tzinfo=UTC)) > 0
    assert datetime(2011, 12, 30, 10, tzinfo=UTC) in changes("Pacific/Apia")
