"""Durations are timedeltas or numbers of seconds, and nothing else."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.definition.durations import days, hours, minutes, seconds, to_seconds


def test_the_four_units_are_timedeltas():
    assert seconds(30) == timedelta(seconds=30)
    assert minutes(1.5) == timedelta(seconds=90)
    assert hours(2) == timedelta(hours=2)
    assert days(7) == timedelta(days=7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(hours(1), 3600.0), (5, 5.0), (0.25, 0.25), (0, 0.0), (timedelta(0), 0.0)],
)
def test_a_duration_is_read_as_float_seconds(value, expected):
    result = to_seconds(value, "timeout")
    assert result == expected
    assert isinstance(result, float)


@pytest.mark.parametrize("value", [True, "5", None, [1], 1j])
def test_what_is_no_duration_is_refused_by_name(value):
    with pytest.raises(TypeError, match="timeout is a timedelta or a number of seconds"):
        to_seconds(value, "timeout")


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        seconds(-1),
        float("nan"),
        float("inf"),
        float("-inf"),
        1e300,
        10**400,
        -(10**400),
    ],
)
def test_a_number_that_is_no_duration_is_refused_by_name(value):
    with pytest.raises(ValueError, match="timeout is"):
        to_seconds(value, "timeout")


@given(st.timedeltas(min_value=timedelta(0), max_value=days(365_000)))
def test_a_timedelta_and_its_seconds_mean_the_same(value):
    assert to_seconds(value, "x") == to_seconds(value.total_seconds(), "x")
