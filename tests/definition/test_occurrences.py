"""Calendars: what ticks when, in examples that a reader can check by hand."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durable_django.definition import zones
from durable_django.definition.cron_text import ALIASES
from durable_django.definition.occurrences import calendar_of

BERLIN = "Europe/Berlin"


def at(text, zone="UTC"):
    """An instant: ``at("2026-03-29 02:30", BERLIN)``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def ticks(cron, zone, start, end):
    """The ticks of a stretch, as the clocks of that zone show them, with how far they are ahead."""
    found = calendar_of(cron, zone).between(at(start, zone), at(end, zone))
    return [f"{tick.astimezone(ZoneInfo(zone)):%d %H:%M:%S %z}" for tick in found]


# Changes of the clocks: in Berlin 02:00 to 03:00 on 29 March 2026, and back on 25 October.


def test_a_time_that_does_not_exist_ticks_once_at_the_next_valid_instant():
    assert ticks("30 2 * * *", BERLIN, "2026-03-28", "2026-03-31") == [
        "28 02:30:00 +0100",
        "29 03:00:00 +0200",
        "30 02:30:00 +0200",
    ]


def test_a_time_that_exists_twice_ticks_at_the_first_of_the_two():
    assert ticks("30 2 * * *", BERLIN, "2026-10-24", "2026-10-27") == [
        "24 02:30:00 +0200",
        "25 02:30:00 +0200",
        "26 02:30:00 +0100",
    ]


def test_two_times_that_fall_together_are_one_tick():
    assert ticks("0 2,3 * * *", BERLIN, "2026-03-29", "2026-03-30") == ["29 03:00:00 +0200"]


def test_seconds_within_the_hour_that_does_not_exist_do_not_count():
    assert ticks("15 30 2 * * *", BERLIN, "2026-03-29", "2026-03-30") == ["29 03:00:00 +0200"]


def test_every_so_many_minutes_go_on_in_step_with_elapsed_time():
    assert ticks("*/30 * * * *", BERLIN, "2026-03-29 01:00", "2026-03-29 04:00") == [
        "29 01:00:00 +0100",
        "29 01:30:00 +0100",
        "29 03:00:00 +0200",
        "29 03:30:00 +0200",
    ]
    assert ticks("*/30 * * * *", BERLIN, "2026-10-25 02:00", "2026-10-25 03:00") == [
        "25 02:00:00 +0200",
        "25 02:30:00 +0200",
        "25 02:00:00 +0100",
        "25 02:30:00 +0100",
    ]


def test_every_second_is_every_second_whatever_the_clocks_do():
    start, end = at("2026-10-25 01:59:59", BERLIN), at("2026-10-25 03:00", BERLIN)
    assert len(list(calendar_of("* * * * * *", BERLIN).between(start, end))) == 7_201


def test_half_an_hour_is_moved_as_an_hour_is():
    assert ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", "2026-10-06") == [
        "03 02:15:00 +1030",
        "04 02:30:00 +1100",
        "05 02:15:00 +1100",
    ]


def test_a_day_that_a_country_never_had_ticks_at_the_first_instant_of_the_next():
    assert ticks("0 9 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01") == [
        "29 09:00:00 -1000",
        "31 00:00:00 +1400",
        "31 09:00:00 +1400",
    ]


def test_a_day_that_begins_at_one_o_clock_still_has_its_midnight():
    assert ticks("@daily", "America/Sao_Paulo", "2018-11-03", "2018-11-05 12:00") == [
        "03 00:00:00 -0300",
        "04 01:00:00 -0200",
        "05 00:00:00 -0200",
    ]


def test_from_the_second_of_two_hours_the_next_tick_is_the_next_day():
    calendar = calendar_of("30 2 * * *", BERLIN)
    second_time = at("2026-10-25 02:10", BERLIN).replace(fold=1)
    assert calendar.after(second_time) == at("2026-10-26 02:30", BERLIN)
    assert calendar.before(second_time) == at("2026-10-25 00:30")


# Moments


def test_after_is_later_and_before_may_be_the_moment_itself():
    calendar = calendar_of("0 9 * * *")
    tick = at("2026-01-05 09:00")
    assert calendar.after(tick) == at("2026-01-06 09:00")
    assert calendar.before(tick) == tick
    assert calendar.after(tick - timedelta(microseconds=1)) == tick
    assert calendar.before(tick - timedelta(microseconds=1)) == at("2026-01-04 09:00")


def test_between_has_its_start_and_not_its_end():
    calendar = calendar_of("0 * * * *")
    found = list(calendar.between(at("2026-01-05 09:00"), at("2026-01-05 11:00")))
    assert found == [at("2026-01-05 09:00"), at("2026-01-05 10:00")]
    assert all(tick.tzinfo is UTC for tick in found)
    assert list(calendar.between(at("2026-01-05 09:00"), at("2026-01-05 09:00"))) == []


def test_a_moment_without_a_time_zone_is_refused():
    naive = datetime(2026, 1, 5)  # noqa: DTZ001
    with pytest.raises(ValueError, match="has a time zone"):
        calendar_of("0 9 * * *").after(naive)
    with pytest.raises(ValueError, match="has a time zone"):
        calendar_of("", interval_seconds=60).before(naive)


def test_no_zone_is_that_of_the_project(settings):
    settings.TIME_ZONE = BERLIN
    assert calendar_of("0 9 * * *").after(at("2026-01-05")) == at("2026-01-05 09:00", BERLIN)
    settings.TIME_ZONE = "Asia/Tokyo"
    assert calendar_of("0 9 * * *").after(at("2026-01-05")) == at("2026-01-06 09:00", "Asia/Tokyo")


@pytest.mark.parametrize(
    "cron",
    [
        "0 0 */31 * MON#5",  # the first of a month is never its fifth Monday
        "*/30 2 * 3 0L",  # the hour that is left out on the last Sunday of March, in elapsed time
    ],
)
def test_what_never_ticks_says_so(cron):
    assert calendar_of(cron, BERLIN).after(at("2026-01-01")) is None


def test_the_ends_of_time_are_no_ticks():
    for calendar in (
        calendar_of("0 9 * * *", "Asia/Tokyo"),
        calendar_of("*/5 * * * *", BERLIN),
        calendar_of("", interval_seconds=86_400),
    ):
        assert calendar.after(datetime.max.replace(tzinfo=UTC)) is None
        assert calendar.before(datetime.min.replace(tzinfo=UTC)) in (
            None,
            datetime.min.replace(tzinfo=UTC),
        )


# Expressions


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 L * *", ["2026-01-31", "2026-02-28"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * MON#2", ["2026-01-12", "2026-02-09"]),
        ("0 0 * * 5L", ["2026-01-30", "2026-02-27"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 0 13 * FRI", ["2026-01-02", "2026-01-09"]),
        ("0 0 1-7 * *", ["2026-01-02", "2026-01-03"]),
        ("0 0 1 jan-jun/2 *", ["2026-03-01", "2026-05-01"]),
        ("@yearly", ["2027-01-01", "2028-01-01"]),
        ("@annually", ["2027-01-01", "2028-01-01"]),
        ("@monthly", ["2026-02-01", "2026-03-01"]),
        ("@weekly", ["2026-01-04", "2026-01-11"]),
        ("@Daily", ["2026-01-02", "2026-01-03"]),
        ("@midnight", ["2026-01-02", "2026-01-03"]),
    ],
)
def test_expressions_mean_what_they_say(cron, expected):
    calendar = calendar_of(cron)
    first = calendar.after(at("2026-01-01"))
    assert [f"{tick:%Y-%m-%d}" for tick in (first, calendar.after(first))] == expected


def test_hourly_is_every_hour_also_where_one_comes_twice():
    assert ALIASES.keys() >= {"@hourly"}
    assert len(ticks("@hourly", BERLIN, "2026-10-25", "2026-10-26")) == 25


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("61 * * * *", "'61 * * * *': the minute is '61', and can be 0 to 59"),
        ("99 0 9 * * *", "the second is '99', and can be 0 to 59"),
        ("0 24 * * *", "the hour is '24', and can be 0 to 23"),
        ("0 0 32 * *", "the day of month is '32', and can be 1 to 31"),
        ("0 0 * FOO *", "the month is 'FOO', and can be 1 to 12 or JAN to DEC"),
        ("0 0 * * 8", "the day of week is '8', and can be 0 to 7 or SUN to SAT"),
        ("0 0 30 2 *", "no month in it has such a day of month: '30'"),
        ("*/0 * * * *", "the minute is '*/0'"),
        ("* * *", "has 3 fields; an expression has five (minute, hour, day of month, month, day"),
        ("", "has 0 fields"),
        ("@dayli", "'@dayli' is no alias; did you mean \"@daily\"?"),
        ("@reboot", "is no alias"),
        ("٣ 0 * * *", "has letters that none has"),
    ],
)
def test_a_wrong_expression_is_told_with_what_is_wrong(cron, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        calendar_of(cron)


@settings(max_examples=300)
@given(st.text("0123456789*/,-#LW? @MONJANFRI", max_size=24).map(lambda s: s.replace("?", " ")))
@example("0 0 1L * *")
@example("0 0 L/2 * *")
@example("0 0 1,LW/3 * *")
@example("0 0 * * 1L/2")
@example("0 0 * * MON#5/1")
def test_any_text_is_a_calendar_or_told_to_be_none(text):
    moment = at("2026-03-28 12:34:56")
    try:
        calendar = calendar_of(text, BERLIN)
    except ValueError:
        return
    assert calendar.explain()
    tick = calendar.after(moment)
    assert tick is None or (tick > moment and calendar.before(tick) == tick)


# Time zones


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (
            "Europe/Berlinn",
            "is the name of a time zone, like \"Europe/Paris\", and 'Europe/Berlinn'",
        ),
        ("Europe/Berlinn", 'did you mean "Europe/Berlin"?'),
        ("europe/berlin ", 'did you mean "Europe/Berlin"?'),
        ("Europe", "is none"),
        ("../../etc/passwd", "is none"),
        ("a\0b", "is none"),
    ],
)
def test_a_wrong_zone_is_told_with_the_one_that_is_near(zone, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        calendar_of("@daily", zone)


def test_a_machine_without_any_zones_is_told_where_they_come_from(monkeypatch):
    def none(name):
        raise zones.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zones, "ZoneInfo", none)
    monkeypatch.setattr(zones, "available_timezones", set)
    with pytest.raises(ValueError, match="pip install tzdata"):
        calendar_of("@daily", BERLIN)


# Intervals


def test_intervals_are_counted_from_the_same_moment_everywhere():
    found = calendar_of("", "", 600).between(at("2026-01-05 09:03"), at("2026-01-05 09:31"))
    assert list(found) == [at(f"2026-01-05 09:{minute}") for minute in (10, 20, 30)]
    hourly = calendar_of("", "", 3_600, 300)
    assert hourly.after(at("2026-01-05 09:05")) == at("2026-01-05 10:05")
    assert hourly.before(at("2026-01-05 09:05")) == at("2026-01-05 09:05")
    assert hourly.before(at("1969-12-31 23:00")) == at("1969-12-31 22:05")


@given(
    st.integers(1_000_000, 10**12),
    st.integers(0, 10**12),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_intervals_do_not_drift(interval, offset, moment):
    calendar = calendar_of("", "", interval / 10**6, offset / 10**6)
    size = timedelta(microseconds=interval)
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=offset)
    after, before = calendar.after(moment), calendar.before(moment)
    assert before <= moment < after
    assert after - before == size
    assert (after - start) % size == timedelta(0)


@pytest.mark.parametrize("seconds", [0, 0.5, -1, float("nan"), float("inf"), 10**12])
def test_an_interval_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="an interval is"):
        calendar_of("", "", seconds)


# Words


@pytest.mark.parametrize(
    ("cron", "zone", "interval", "offset", "words"),
    [
        ("0 9 * * *", "America/New_York", None, 0, "At 09:00 every day, America/New_York"),
        ("@daily", "UTC", None, 0, "At 00:00 every day, UTC"),
        ("", "", 600, 0, "Every 10 minutes"),
        ("", "", 3_600, 300, "Every hour, offset by 5 minutes"),
        ("", "", 5_400, 0, "Every 1 hour 30 minutes"),
        ("", "", 1.5, 0, "Every 1.5 seconds"),
        ("", "", 1, 0, "Every second"),
        ("", "", 90_061, 0, "Every 1 day 1 hour 1 minute 1 second"),
    ],
)
def test_a_calendar_explains_itself(cron, zone, interval, offset, words):
    assert calendar_of(cron, zone, interval, offset).explain() == words
