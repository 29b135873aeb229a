"""Durations as people write them: read, and written so that they are read again as the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.showing.durations import read_duration, written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45", 45),
        ("0", 0),
        ("90s", 90),
        ("10m", 600),
        ("10 min", 600),
        ("1h 30m", 5_400),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        ("2 days", 172_800),
        ("1W", 604_800),
        ("1 day 2 hours 3 minutes 4 secs", 93_784),
        (" 7d ", 604_800),
    ],
)
def test_what_people_write_is_understood(text, seconds):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "m", "1x", "-1h", "+1h", "1h 2h", "1e3", "nan", "inf", "1h,30m", "1mo"),
        *("9999999999d", "\N{ARABIC-INDIC DIGIT ONE}h", "1" * 400),
    ],
)
def test_what_is_no_duration_is_told_by_its_name(text):
    with pytest.raises(ValueError, match=r"^--every "):
        read_duration(text, "--every")


@pytest.mark.parametrize("text", ["30", " 30 ", "0", "0.5"])
def test_where_a_mistake_is_costly_a_number_needs_its_unit(text):
    with pytest.raises(ValueError, match=r"^--older-than needs a unit, w, d, h, m or s: "):
        read_duration(text, "--older-than", needs_unit=True)
    with_unit = read_duration(f"{text.strip()}d", "--older-than", needs_unit=True)
    assert with_unit == timedelta(days=float(text))
    with pytest.raises(ValueError, match=r"^--older-than is written like"):
        read_duration("a month", "--older-than", needs_unit=True)


@given(st.integers(min_value=0, max_value=10**16))
def test_what_is_written_is_read_as_the_same(microseconds):
    seconds = microseconds / 1_000_000
    assert abs(read_duration(written(seconds)).total_seconds() - seconds) < 0.00001
