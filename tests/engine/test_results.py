"""The results of a foreach, read from rows when they are looked at, and failures among them."""

from dataclasses import FrozenInstanceError
from uuid import UUID

import pytest

from durable_django.engine.results import PAGE, MemberFailure, Results, results_text
from durable_django.engine.values import decode, encode
from durable_django.exceptions import NotSerializable

FIRST = UUID(int=7)
FAILURE = MemberFailure("ValueError", "no")


@pytest.fixture
def reads(monkeypatch):
    """What was read, as (start, stop). The value of each row is its number; row 3 failed."""
    asked = []

    def read(first_id, start, stop):
        assert first_id == FIRST
        asked.append((start, stop))
        return [FAILURE if number == 3 else number for number in range(start, stop)]

    monkeypatch.setattr(Results, "read", staticmethod(read))
    return asked


def results(count=5):
    return decode(results_text(FIRST, count))


def test_the_stored_form_says_which_rows_hold_them_and_reads_none(reads):
    found = results(10_000)
    assert isinstance(found, Results)
    assert (len(found), found.first_id) == (10_000, FIRST)
    assert found
    assert not results(0)
    assert reads == []


def test_one_is_read_by_its_index_from_both_ends(reads):
    assert (results()[0], results()[4], results()[-1], results()[-5]) == (0, 4, 4, 0)
    assert results()[3] == FAILURE
    assert reads == [(0, 1), (4, 5), (4, 5), (0, 1), (3, 4)]


@pytest.mark.parametrize("index", [5, -6, 10**9])
def test_one_that_is_not_there_is_an_index_error_and_reads_nothing(reads, index):
    with pytest.raises(IndexError, match=f"5 results, none has the index {index}"):
        results()[index]
    assert reads == []


@pytest.mark.parametrize(
    "part",
    [
        slice(None),
        slice(1, 3),
        slice(-2, None),
        slice(4, 99),
        slice(3, 1),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(4, 0, -2),
    ],
)
def test_a_slice_is_that_of_a_list(reads, part):
    assert results()[part] == [0, 1, 2, FAILURE, 4][part]


def test_a_slice_is_read_at_once(reads):
    assert len(results(2_000)[500:1_500]) == 1_000
    assert reads == [(500, 1_500)]


def test_going_through_them_reads_a_page_at_a_time(reads):
    assert sum(1 for _ in results(2 * PAGE + 1)) == 2 * PAGE + 1
    assert reads == [(0, PAGE), (PAGE, 2 * PAGE), (2 * PAGE, 2 * PAGE + 1)]
    reads.clear()
    assert next(iter(results(2 * PAGE))) == 0
    assert reads == [(0, PAGE)]


def test_they_are_a_sequence_like_any_other(reads):
    assert list(results()) == [0, 1, 2, FAILURE, 4]
    assert list(reversed(results())) == [4, FAILURE, 2, 1, 0]
    assert 4 in results()
    assert FAILURE in results()
    assert 5 not in results()
    assert results().index(4) == 4
    assert results().count(2) == 1


def test_they_are_equal_to_a_list_of_the_same_values(reads):
    assert results() == [0, 1, 2, FAILURE, 4]
    as_list = [0, 1, 2, FAILURE, 4]
    assert as_list == results()
    assert results() != [0, 1, 2, FAILURE, 5]
    assert results() != (0, 1, 2, FAILURE, 4)


def test_what_is_the_same_rows_or_of_another_length_is_told_without_reading(reads):
    assert results() == results()
    assert results() != results(4)
    assert results() != [0]
    assert reads == []


def test_they_print_as_a_list_of_the_first_few(reads):
    assert repr(results()) == f"[0, 1, 2, {FAILURE!r}, 4]"
    assert repr(results(10_000)) == f"[0, 1, 2, {FAILURE!r}, 4, … 9995 more]"
    assert repr(results(0)) == "[]"
    with pytest.raises(TypeError):
        hash(results())


def test_who_keeps_them_elsewhere_keeps_the_values_themselves(reads):
    text = encode({"all": results(), "pair": (results(2), 1)}, "context")
    reads.clear()
    kept = decode(text)
    assert kept == {"all": [0, 1, 2, FAILURE, 4], "pair": ([0, 1], 1)}
    assert type(kept["all"]) is list
    assert encode(results(0), "output") == "[]"
    assert encode(kept, "context") == text
    assert reads == []


def test_their_stored_form_cannot_be_made_from_data(reads):
    data = {"$": ["results", str(FIRST), 5]}
    assert decode(encode(data, "output")) == data
    assert reads == []


def test_a_value_among_them_that_cannot_be_stored_is_told_with_its_place(monkeypatch):
    monkeypatch.setattr(Results, "read", staticmethod(lambda *asked: [1, object()]))
    with pytest.raises(NotSerializable, match=r'context\["k"\]\[1\]'):
        encode(results(2), 'context["k"]')


# A member that failed


@pytest.mark.parametrize("value", [FAILURE, [FAILURE], {"a": (FAILURE, 1)}, MemberFailure("", "ü")])
def test_a_failure_passes_the_gate_as_itself(value):
    text = encode(value, "output")
    assert decode(text) == value
    assert encode(decode(text), "output") == text


def test_failures_are_equal_by_what_they_say_and_cannot_change():
    assert MemberFailure("ValueError", "no") == FAILURE != MemberFailure("KeyError", "no")
    assert len({FAILURE, MemberFailure("ValueError", "no")}) == 1
    with pytest.raises(FrozenInstanceError):
        FAILURE.message = "yes"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (MemberFailure("ValueError", "nul\0"), "NUL"),
        (MemberFailure("ValueError", "\ud800"), "surrogate"),
        (MemberFailure(1, "no"), "two texts, not int"),
        (MemberFailure("ValueError", None), "two texts, not NoneType"),
    ],
)
def test_a_failure_that_somebody_made_of_something_else_is_refused(failure, reason):
    with pytest.raises(NotSerializable, match=rf"output\[1\].*{reason}"):
        encode([1, failure], "output")
