"""Moments: the next business day, the next Monday, the end of the day, whatever the clocks do."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from durable_django import end_of_day, next_business_day, next_weekday
from durable_django.definition import moments

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Asuncion", "UTC"]


@pytest.fixture
def at(monkeypatch):
    """Sets what time it is, in UTC: ``at("2030-01-31 12:00")``."""

    def set_now(text, zone=UTC):
        moment = datetime.fromisoformat(text).replace(tzinfo=zone)
        monkeypatch.setattr(moments, "now", lambda: moment.astimezone(UTC))
        return moment

    return set_now


def told(moment):
    return moment.strftime("%a %Y-%m-%d %H:%M:%S %z")


# Business days


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2030-01-28 12:00", "Tue 2030-01-29 09:00:00 +0100"),
        ("2030-01-28 06:00", "Tue 2030-01-29 09:00:00 +0100"),
        ("2030-01-31 23:59", "Fri 2030-02-01 09:00:00 +0100"),
        ("2030-02-01 00:00", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-02-02 12:00", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-02-03 12:00", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-02-04 08:59", "Tue 2030-02-05 09:00:00 +0100"),
        ("2030-12-31 12:00", "Wed 2031-01-01 09:00:00 +0100"),
    ],
)
def test_the_next_business_day_is_never_today_and_no_weekend(at, now, then):
    at(now, BERLIN)
    assert told(next_business_day(tz=BERLIN)) == then


def test_the_day_is_that_of_the_time_zone(at):
    at("2030-01-31 23:30")  # Friday already in Berlin
    assert told(next_business_day(8, 15, tz="Europe/Berlin")) == "Mon 2030-02-04 08:15:00 +0100"
    assert told(next_business_day(8, 15, tz="UTC")) == "Fri 2030-02-01 08:15:00 +0000"


# Weekdays


@pytest.mark.parametrize(
    ("now", "day", "then"),
    [
        ("2030-01-28 08:59", "monday", "Mon 2030-01-28 09:00:00 +0100"),
        ("2030-01-28 09:00", "monday", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-01-28 09:01", "monday", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-01-28 09:01", "tuesday", "Tue 2030-01-29 09:00:00 +0100"),
        ("2030-01-28 09:01", "Sunday", "Sun 2030-02-03 09:00:00 +0100"),
        ("2030-02-03 23:00", "MONDAY", "Mon 2030-02-04 09:00:00 +0100"),
        ("2030-02-03 23:00", "saturday", "Sat 2030-02-09 09:00:00 +0100"),
    ],
)
def test_the_next_weekday_is_today_while_the_time_is_to_come(at, now, day, then):
    at(now, BERLIN)
    assert told(next_weekday(day, tz=BERLIN)) == then


def test_a_weekday_has_an_hour_and_a_minute(at):
    at("2030-01-28 12:00")
    assert (
        told(next_weekday("friday", hour=0, minute=30, tz="UTC")) == "Fri 2030-02-01 00:30:00 +0000"
    )


# The end of the day


def test_the_end_of_the_day_is_its_last_moment(at):
    at("2030-01-31 00:00", NEW_YORK)
    end = end_of_day("America/New_York")
    assert told(end) == "Thu 2030-01-31 23:59:59 -0500"
    assert end.microsecond == 999_999
    assert (end + timedelta(microseconds=1)).time() == time(0)


# The clocks


def test_a_time_that_the_clocks_skip_is_the_first_after(at):
    at("2030-03-30 12:00", BERLIN)  # on the 31st, 02:00 becomes 03:00
    assert told(next_weekday("sunday", 2, 30, tz=BERLIN)) == "Sun 2030-03-31 03:00:00 +0200"
    assert told(next_weekday("sunday", 1, 59, tz=BERLIN)) == "Sun 2030-03-31 01:59:00 +0100"
    assert told(next_weekday("sunday", 3, 0, tz=BERLIN)) == "Sun 2030-03-31 03:00:00 +0200"
    assert told(next_weekday("sunday", 9, tz=BERLIN)) == "Sun 2030-03-31 09:00:00 +0200"


def test_a_time_that_comes_twice_is_the_first(at):
    at("2030-10-26 12:00", BERLIN)  # on the 27th, 03:00 becomes 02:00
    first = next_weekday("sunday", 2, 30, tz=BERLIN)
    assert told(first) == "Sun 2030-10-27 02:30:00 +0200"
    assert first.astimezone(UTC) == datetime(2030, 10, 27, 0, 30, tzinfo=UTC)


def test_half_an_hour_is_skipped_too(at):
    zone = ZoneInfo("Australia/Lord_Howe")
    at("2029-10-06 12:00", zone)  # on the 7th, 02:00 becomes 02:30
    assert told(next_weekday("sunday", 2, 10, tz=zone)) == "Sun 2029-10-07 02:30:00 +1100"


def test_a_day_that_is_skipped_as_a_whole_is_the_next_one(at):
    zone = ZoneInfo("Pacific/Apia")
    at("2011-12-29 12:00", zone)  # a Thursday; the 30th was left out
    assert told(next_business_day(tz=zone)) == "Sat 2011-12-31 00:00:00 +1400"


def test_a_day_ends_when_its_last_hour_has_come_twice(at):
    zone = ZoneInfo("America/Asuncion")
    at("2024-03-23 12:00", zone)  # at midnight, it became 23:00 again
    end = end_of_day(zone)
    assert told(end) == "Sat 2024-03-23 23:59:59 -0400"
    after = end.astimezone(UTC) + timedelta(microseconds=1)
    assert after.astimezone(zone).day == 24


def test_the_day_that_begins_late_is_still_found(at):
    zone = ZoneInfo("America/Asuncion")
    at("2023-09-30 12:00", zone)  # on the 1st, 00:00 became 01:00
    assert told(next_weekday("sunday", 0, 0, tz=zone)) == "Sun 2023-10-01 01:00:00 -0300"


@given(
    now=st.integers(946_684_800, 2_114_380_800).map(lambda n: datetime.fromtimestamp(n, UTC)),
    name=st.sampled_from(ZONES),
    day=st.sampled_from(DAYS),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_every_moment_is_the_next_of_its_kind(now, name, day, hour, minute):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "now", lambda: now)
        weekly = next_weekday(day, hour, minute, tz=name)
        working = next_business_day(hour, minute, tz=name)
        end = end_of_day(name)
    today = now.astimezone(ZoneInfo(name)).date()
    assert now < weekly <= now + timedelta(days=7, hours=3)
    assert DAYS[weekly.weekday()] == day
    assert today < working.date() <= today + timedelta(days=3)
    assert working.weekday() < 5
    assert now <= end < now + timedelta(days=1, hours=2)
    assert end.date() == today
    for moment in (weekly, working):
        # Where the clocks skip a time, what comes instead is a time that exists, and later.
        assert (moment.hour, moment.minute) >= (hour, minute)
        assert moment.astimezone(UTC).astimezone(ZoneInfo(name)) == moment
        assert moment.astimezone(UTC).astimezone(ZoneInfo(name)).hour == moment.hour


# Zones and arguments


def test_without_a_zone_it_is_djangos_current_one(at):
    at("2030-01-28 12:00")
    with timezone.override("America/New_York"):
        assert told(end_of_day()) == "Mon 2030-01-28 23:59:59 -0500"
        assert told(next_business_day()) == "Tue 2030-01-29 09:00:00 -0500"
    with timezone.override("Asia/Tokyo"):
        assert told(next_weekday("monday", 23)) == "Mon 2030-01-28 23:00:00 +0900"


def test_moments_are_aware_and_ask_the_clock_each_time(at):
    at("2030-01-28 12:00")
    first = next_business_day(tz=UTC)
    at("2030-01-29 12:00")
    assert next_business_day(tz=UTC) - first == timedelta(days=1)
    assert first.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: next_weekday("mondy"), ValueError, "'mondy'; did you mean \"monday\"?"),
        (lambda: next_weekday("xyz"), ValueError, "weekday is monday, tuesday, wednesday"),
        (lambda: next_weekday(0), TypeError, 'weekday is a name like "monday", not 0'),
        (lambda: next_business_day(24), ValueError, "hour is between 0 and 23, not 24"),
        (lambda: next_business_day(-1), ValueError, "hour is between 0 and 23, not -1"),
        (lambda: next_business_day(9.5), TypeError, "hour is a whole number, not 9.5"),
        (lambda: next_business_day(True), TypeError, "hour is a whole number, not True"),
        (lambda: next_weekday("monday", 9, 60), ValueError, "minute is between 0 and 59, not 60"),
        (lambda: next_weekday("monday", minute="5"), TypeError, "minute is a whole number"),
        (lambda: end_of_day("Europe/Berln"), ValueError, "'Europe/Berln' is none"),
        (lambda: end_of_day(""), ValueError, "tz is the name of a time zone, and '' is none"),
        (lambda: end_of_day("../../etc/passwd"), ValueError, "is none"),
        (lambda: end_of_day("Europe/Ber\0lin"), ValueError, "is none"),
        (lambda: end_of_day(2), TypeError, "tz is a time zone or the name of one, like"),
    ],
)
def test_mistakes_are_told(ask, error, words):
    with pytest.raises(error) as caught:
        ask()
    assert words in str(caught.value)
