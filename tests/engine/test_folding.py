"""Fold: the fewest operations with the same effect, which is what a strand leaves for its join."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from durable_django.engine.context import (
    Change,
    apply_changes,
    decode_changes,
    encode_changes,
    fold,
)
from durable_django.engine.values import decode, encode

# Quarters and cents add up without rounding, in whatever order.
NUMBERS = ["0", "1", "-7", "1000000", "0.25", "-3.75", encode(Decimal("0.10"), "n")]
OTHERS = ["null", "true", '"a,b]"', "[]", "[1]", '["a,","b"]', "[[2,3]]", '{"a":[1]}', '"ü"']
KEYS = ["a", 'quo"te']

# Most of what is added fits what was set, so that few examples have to be thrown away.
CHANGES = [
    *(Change("set", key, text) for key in KEYS for text in OTHERS),
    *(Change("append", key, text) for key in KEYS for text in (*OTHERS, *NUMBERS)),
    *(Change("set", "n", text) for text in NUMBERS),
    *(Change("increment", "n", text) for text in NUMBERS * 3),
    *(Change("increment", key, "1") for key in KEYS),
    *(Change("delete", key, "null") for key in [*KEYS, "n"] * 3),
]
changes = st.lists(st.sampled_from(CHANGES), max_size=7).map(tuple)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from(["[]", "[1]", '["x"]', '"text"', "5"]),
        "n": st.sampled_from(NUMBERS),
    },
)


def fits(context, done):
    try:
        return apply_changes(context, done)
    except TypeError:
        return None


@given(contexts, changes)
def test_folded_changes_have_the_same_effect(context, done):
    after = fits(context, done)
    assume(after is not None)
    assert apply_changes(context, fold(done)) == after


@given(changes)
def test_what_is_folded_stays_as_it_is(done):
    assume(fits({}, done) is not None)
    folded = fold(done)
    assert fold(folded) == folded
    assert len(folded) <= len(done)


@given(contexts, changes)
def test_folded_changes_are_stored_and_read_back_with_the_same_effect(context, done):
    assume(fits(context, done) is not None)
    folded = fold(done)
    read = decode_changes(encode_changes(folded))
    assert fold(read) == folded
    assert apply_changes(context, read) == apply_changes(context, folded)


@given(contexts, st.lists(changes, max_size=3))
def test_changes_may_be_folded_one_after_the_other_or_all_at_once(context, parts):
    all_of_them = tuple(change for part in parts for change in part)
    after = fits(context, all_of_them)
    assume(after is not None)
    folded = ()
    for part in parts:
        folded = fold((*folded, *part))
    assert apply_changes(context, folded) == after
    assert fold(folded) == fold(all_of_them)


@given(st.lists(st.tuples(st.booleans(), st.integers(-99, 99)), max_size=9), st.data())
def test_appends_and_increments_of_members_come_to_the_same_in_any_order(done, data):
    made = [
        Change("append", "found", str(n)) if appends else Change("increment", "n", str(n))
        for appends, n in done
    ]
    there, back = (
        apply_changes({}, fold(tuple(each))) for each in (made, data.draw(st.permutations(made)))
    )
    assert there.get("n") == back.get("n")
    assert sorted(decode(there.get("found", "[]"))) == sorted(decode(back.get("found", "[]")))


# One by one


@pytest.mark.parametrize(
    ("done", "folded"),
    [
        ([("increment", "n", "2"), ("increment", "n", "-5")], [("increment", "n", "-3")]),
        ([("append", "n", "1"), ("append", "n", "[2]")], [("append", "n", "1,[2]")]),
        ([("set", "n", "1"), ("increment", "n", "2")], [("set", "n", "3")]),
        ([("set", "n", "[]"), ("append", "n", "2")], [("set", "n", "[2]")]),
        ([("append", "n", "1"), ("set", "n", "2")], [("set", "n", "2")]),
        ([("set", "n", "1"), ("delete", "n", "null")], [("delete", "n", "null")]),
        ([("delete", "n", "null"), ("set", "n", "2")], [("set", "n", "2")]),
        ([("delete", "n", "null"), ("increment", "n", "2")], [("set", "n", "2")]),
        ([("delete", "n", "null"), ("append", "n", "2")], [("set", "n", "[2]")]),
        ([("set", "a", "1"), ("set", "b", "2")], [("set", "a", "1"), ("set", "b", "2")]),
    ],
)
def test_operations_on_one_key_become_one(done, folded):
    assert fold(tuple(Change(*each) for each in done)) == tuple(Change(*each) for each in folded)


def test_sums_that_would_be_rounded_are_left_to_their_join():
    done = (Change("increment", "n", "0.1"), Change("increment", "n", "0.2"))
    assert fold(done) == done


def test_an_operation_that_does_not_fit_what_was_set_before_it_is_refused():
    with pytest.raises(TypeError, match=r'context\["n"\]'):
        fold((Change("set", "n", '"text"'), Change("increment", "n", "1")))
    with pytest.raises(TypeError, match=r'context\["n"\]'):
        fold((Change("set", "n", "1"), Change("append", "n", "1")))


LARGEST = encode(Decimal("9E+999999"), "n")


@pytest.mark.parametrize(("before", "by"), [("0.5", str(10**400)), (LARGEST, LARGEST)])
def test_numbers_that_cannot_be_added_are_refused_as_what_does_not_fit(before, by):
    done = (Change("increment", "n", by),)
    with pytest.raises(TypeError, match=r'context\["n"\]: cannot add'):
        apply_changes({"n": before}, done)
    with pytest.raises(TypeError, match=r'context\["n"\]: cannot add'):
        fold((Change("set", "n", before), *done))


def test_no_change_is_no_change():
    assert fold(()) == ()
    assert encode_changes(()) == "[]"
    assert decode_changes("[]") == decode_changes("") == ()
