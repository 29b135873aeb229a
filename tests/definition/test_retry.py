"""Retry: the delays, what is retried, and what its arguments may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.definition.durations import hours, minutes
from durable_django.definition.retry import NO_RETRY, Retry
from durable_django.exceptions import Fatal, FinishRun, RetryAfter

BACKOFFS = st.sampled_from(["exponential", "linear", "constant"])
ATTEMPTS = st.integers(min_value=1, max_value=10**9) | st.just(10**400)


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        ("exponential", [3.0, 9.0, 27.0, 81.0]),
        ("linear", [3.0, 6.0, 9.0, 12.0]),
        ("constant", [3.0, 3.0, 3.0, 3.0]),
    ],
)
def test_each_backoff_has_its_arithmetic(backoff, expected):
    retry = Retry(backoff=backoff, base=3)
    assert [retry.delay_after(attempt) for attempt in (1, 2, 3, 4)] == expected


def test_the_defaults_are_those_of_the_contract():
    assert Retry() == Retry(3, "exponential", 2, hours(1), 0.0, (Exception,), ())


def test_the_delay_is_capped():
    assert Retry(max_backoff=minutes(1)).delay_after(10) == 60.0
    assert Retry(max_backoff=5).delay_after(10) == 5.0
    assert Retry().delay_after(10**400) == 3600.0


def test_no_retry_is_one_attempt():
    assert NO_RETRY.max_attempts == 1


@given(
    BACKOFFS, st.floats(0.001, 1e6), st.floats(0, 1e6), ATTEMPTS, st.floats(0, 1), st.floats(0, 1)
)
def test_no_delay_is_negative_or_over_the_cap(backoff, base, cap, attempt, jitter, random):
    retry = Retry(backoff=backoff, base=base, max_backoff=cap, jitter=jitter)
    assert 0 <= retry.delay_after(attempt, random) <= cap


@given(BACKOFFS, st.floats(1, 1e6), ATTEMPTS)
def test_without_jitter_the_delay_never_shrinks(backoff, base, attempt):
    retry = Retry(backoff=backoff, base=base)
    assert retry.delay_after(attempt) <= retry.delay_after(attempt + 1)


@given(BACKOFFS, st.integers(1, 20), st.floats(0, 1), st.floats(0, 1))
def test_jitter_stays_within_its_fraction_of_the_plain_delay(backoff, attempt, jitter, random):
    plain = Retry(backoff=backoff).delay_after(attempt)
    delay = Retry(backoff=backoff, jitter=jitter).delay_after(attempt, random)
    assert plain * (1 - jitter) - 1e-9 <= delay <= plain * (1 + jitter) + 1e-9


@given(BACKOFFS, st.integers(1, 20), st.floats(0, 1))
def test_the_middle_of_the_jitter_is_the_plain_delay(backoff, attempt, jitter):
    plain = Retry(backoff=backoff).delay_after(attempt)
    assert Retry(backoff=backoff, jitter=jitter).delay_after(attempt) == plain


def test_on_and_never_on_choose_what_is_retried():
    retry = Retry(on=(OSError, ValueError), never_on=FileNotFoundError)
    assert retry.allows(OSError())
    assert retry.allows(UnicodeError())
    assert not retry.allows(FileNotFoundError())
    assert not retry.allows(KeyError())


def test_fatal_is_never_retried():
    assert not Retry(on=Fatal).allows(Fatal("no"))
    assert not Retry(on=(BaseException,)).allows(FinishRun(1))
    assert Retry().allows(RetryAfter(5))


def test_a_single_class_and_a_list_become_a_tuple():
    assert Retry(on=OSError).on == (OSError,)
    assert Retry(on=[OSError, KeyError], never_on=()).on == (OSError, KeyError)
    assert Retry(on=OSError) == Retry(on=(OSError,))


@pytest.mark.parametrize(
    ("error", "field", "arguments"),
    [
        (TypeError, "max_attempts", {"max_attempts": "3"}),
        (TypeError, "max_attempts", {"max_attempts": True}),
        (TypeError, "max_attempts", {"max_attempts": 3.0}),
        (ValueError, "max_attempts", {"max_attempts": 0}),
        (ValueError, "backoff", {"backoff": "quadratic"}),
        (ValueError, "backoff", {"backoff": ["linear"]}),
        (TypeError, "base", {"base": "2"}),
        (TypeError, "base", {"base": True}),
        (ValueError, "base", {"base": -1}),
        (ValueError, "base", {"base": float("nan")}),
        (ValueError, "base", {"base": float("inf")}),
        (ValueError, "base", {"base": 10**400}),
        (TypeError, "max_backoff", {"max_backoff": None}),
        (ValueError, "max_backoff", {"max_backoff": -1}),
        (TypeError, "jitter", {"jitter": None}),
        (ValueError, "jitter", {"jitter": 1.1}),
        (ValueError, "jitter", {"jitter": -0.1}),
        (TypeError, "on", {"on": "OSError"}),
        (TypeError, "on", {"on": (OSError, 3)}),
        (TypeError, "on", {"on": int}),
        (ValueError, "on", {"on": ()}),
        (TypeError, "never_on", {"never_on": OSError("an error, not a class")}),
    ],
)
def test_a_wrong_argument_is_told_by_its_name(error, field, arguments):
    with pytest.raises(error, match=f"Retry {field} "):
        Retry(**arguments)


def test_a_retry_cannot_change():
    with pytest.raises(AttributeError):
        Retry().max_attempts = 5


def test_its_structure_is_plain_data():
    assert Retry(max_backoff=hours(2), never_on=KeyError).structure() == {
        "max_attempts": 3,
        "backoff": "exponential",
        "base": 2,
        "max_backoff": 7200.0,
        "jitter": 0.0,
        "on": ["builtins.Exception"],
        "never_on": ["builtins.KeyError"],
    }
