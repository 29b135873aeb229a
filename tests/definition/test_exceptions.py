"""The errors: what they tell, and that they survive being copied to another process."""

import copy
from datetime import timedelta

import pytest

from durable_django import exceptions
from durable_django.exceptions import (
    AttemptAbandoned,
    DefinitionError,
    DurableError,
    ExecutionFailed,
    FinishRun,
    InvalidState,
    NotSerializable,
    ParkRun,
    PayloadTooLarge,
    RetryAfter,
    Suspension,
)


def test_every_error_is_a_durable_error_and_every_suspension_is_none():
    classes = [thing for thing in vars(exceptions).values() if isinstance(thing, type)]
    errors = {c for c in classes if issubclass(c, Exception)}
    suspensions = {c for c in classes if issubclass(c, BaseException)} - errors
    assert all(issubclass(error, DurableError) for error in errors)
    assert suspensions == {Suspension, FinishRun, ParkRun, AttemptAbandoned}


def test_the_tree_at_the_top_draws_every_class():
    classes = {
        name
        for name, thing in vars(exceptions).items()
        if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    assert {name for name in classes if name not in exceptions.__doc__} == set()


def test_a_definition_error_ends_with_its_place():
    assert str(DefinitionError("wrong")) == "wrong"
    assert str(DefinitionError("wrong", filename="shop.py")) == "wrong (shop.py)"
    assert str(DefinitionError("wrong", filename="shop.py", line=12)) == "wrong (shop.py:12)"


@pytest.mark.parametrize(
    "error",
    [
        DefinitionError("wrong", filename="shop.py", line=12),
        InvalidState("is completed", status="completed"),
        ExecutionFailed("failed", execution=1, error={"type": "OSError"}),
        NotSerializable('input["a"]', "is a file"),
        PayloadTooLarge("input", 5_000, 1_000),
        RetryAfter(5, "busy"),
        FinishRun(3),
    ],
)
def test_an_error_can_be_copied(error):
    again = copy.copy(error)
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_value_error_tells_path_and_reason():
    assert str(NotSerializable('input["a"]', "is a file")) == 'input["a"]: is a file'
    too_large = PayloadTooLarge("output", 5_000, 1_000)
    assert str(too_large) == "output: 5,000 bytes are more than the 1,000 allowed"
    assert (too_large.path, too_large.size, too_large.limit) == ("output", 5_000, 1_000)


@pytest.mark.parametrize(
    ("delay", "expected"),
    [(5, 5.0), (0.5, 0.5), (timedelta(minutes=1), 60.0), (-3, 0.0), (timedelta(-1), 0.0)],
)
def test_retry_after_takes_seconds_or_a_timedelta(delay, expected):
    error = RetryAfter(delay)
    assert error.delay == expected
    assert isinstance(error.delay, float)


def test_retry_after_cuts_what_no_date_could_hold():
    assert RetryAfter(10**400).delay == 1000 * 365 * 86_400


@pytest.mark.parametrize("delay", ["5", None, True])
def test_retry_after_refuses_what_is_no_duration(delay):
    with pytest.raises(TypeError, match="a number of seconds or a timedelta"):
        RetryAfter(delay)


@pytest.mark.parametrize("delay", [float("nan"), float("inf")])
def test_retry_after_refuses_what_is_no_time(delay):
    with pytest.raises(ValueError, match="finite"):
        RetryAfter(delay)


def test_retry_after_tells_its_message():
    assert str(RetryAfter(5, "busy")) == "busy"
    assert str(RetryAfter(5)) == "try again in 5 seconds"
