"""The context as operations: whatever a step does to it, the operations say the same.

Sampled worlds first (Hypothesis, against a plain dict), then the rules one by one.
"""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.engine.context import (
    Change,
    Context,
    apply_changes,
    decode_changes,
    encode_changes,
)
from durable_django.engine.values import decode, encode
from durable_django.exceptions import NotSerializable, PayloadTooLarge

KEYS = ["a", "b", "n", "two words", "ü", 'quo"te', "$", ""]

# Quarters add up without rounding, so that the plain dict of the model gives the same sums.
quarters = st.integers(-1000, 1000).map(lambda n: n / 4)
decimals = st.decimals(-1000, 1000, places=2)
numbers = st.one_of(st.integers(-(10**6), 10**6), quarters, decimals)
texts = st.text('aü"\\\n€𝄞', max_size=5)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts, st.just(date(2030, 1, 31)))
values_of_a_context = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=6,
)
mappings = st.dictionaries(st.sampled_from(KEYS), values_of_a_context, max_size=5)


def texts_of(mapping: Any) -> dict[str, str]:
    return {key: encode(value, "value") for key, value in mapping.items()}


# Each operation is written once for both: a Context and a plain dict.


def _set(run: Any, key: str, value: Any) -> None:
    run[key] = copy.deepcopy(value)


def _delete(run: Any, key: str, value: Any) -> None:
    del run[key]


def _read(run: Any, key: str, value: Any) -> Any:
    return key in run, run.get(key, value)


def _pop(run: Any, key: str, value: Any) -> Any:
    return run.pop(key, value)


def _setdefault(run: Any, key: str, value: Any) -> Any:
    return run.setdefault(key, copy.deepcopy(value))


def _update(run: Any, key: str, value: Any) -> None:
    run.update({key: copy.deepcopy(value), "b": 1})


def _append(run: Any, key: str, value: Any) -> None:
    if isinstance(run, Context):
        run.append(key, value)
        return
    if not isinstance(run.get(key, []), list):
        raise TypeError
    run.setdefault(key, []).append(copy.deepcopy(value))


def _increment(run: Any, key: str, value: Any) -> Any:
    by = value if isinstance(value, int | float | Decimal) else 1
    if isinstance(run, Context):
        return run.increment(key, by)
    before = run.get(key, 0)
    if any(isinstance(n, bool) or not isinstance(n, int | float | Decimal) for n in (before, by)):
        raise TypeError
    run[key] = before + by
    return run[key]


def _update_key(run: Any, key: str, value: Any) -> Any:
    def wrapped(old: Any) -> Any:
        return [copy.deepcopy(old)]

    if isinstance(run, Context):
        return run.update_key(key, wrapped, default=value)
    run[key] = wrapped(run.get(key, value))
    return run[key]


def _change_in_place(run: Any, key: str, value: Any) -> None:
    found = run.get(key)
    if isinstance(found, list):
        found.append(copy.deepcopy(value))
        found.reverse()
    elif isinstance(found, dict):
        found["changed"] = copy.deepcopy(value)


def _change_deep_inside(run: Any, key: str, value: Any) -> None:
    found = run.get(key)
    while isinstance(found, list | tuple) and found:
        if isinstance(found, list) and not isinstance(found[0], list):
            found[0] = copy.deepcopy(value)
            return
        found = found[0]


OPERATIONS = [
    _set,
    _delete,
    _read,
    _pop,
    _setdefault,
    _update,
    _append,
    _increment,
    _update_key,
    _change_in_place,
    _change_deep_inside,
]
steps_of_a_body = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(KEYS), values_of_a_context),
    max_size=15,
)


def outcome(operation: Any, run: Any, key: str, value: Any) -> Any:
    """What an operation gave, or the kind of its refusal."""
    try:
        return encode(operation(run, key, value), "outcome")
    except (KeyError, TypeError) as error:
        return type(error)


@given(mappings, steps_of_a_body)
def test_a_context_is_a_dict_and_its_operations_say_what_was_done(base, body):
    stored = texts_of(base)
    before = dict(stored)
    context, model = Context(stored), copy.deepcopy(base)
    for operation, key, value in body:
        assert outcome(operation, context, key, value) == outcome(operation, model, key, value)
        assert texts_of(context) == texts_of(model)
        assert len(context) == len(model)
        assert set(context) == set(model)
    changes = context.changes()
    assert apply_changes(stored, changes) == texts_of(model)
    assert context.changes() == changes
    assert stored == before


@given(mappings, steps_of_a_body)
def test_operations_are_stored_and_read_back_as_they_were(base, body):
    context = Context(texts_of(base))
    for operation, key, value in body:
        outcome(operation, context, key, value)
    changes = context.changes()
    text = encode_changes(changes)
    assert decode_changes(text) == changes
    assert [len(row) for row in decode(text)] == [3] * len(changes)


@given(mappings, steps_of_a_body)
def test_an_attempt_that_fails_leaves_nothing(base, body):
    stored = texts_of(base)
    failing = Context(stored)
    for operation, key, value in body:
        outcome(operation, failing, key, value)
    again = Context(stored)
    assert texts_of(again) == texts_of(base)
    assert again.changes() == ()


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(finite, st.lists(st.one_of(finite, st.integers(-(10**18), 10**18)), max_size=8))
def test_what_a_step_sees_of_a_sum_is_what_is_recorded_to_the_last_bit(first, parts):
    stored = {"sum": encode(first, "sum")}
    context = Context(stored)
    for part in parts:
        assert context.increment("sum", part) == context["sum"]
    after = apply_changes(stored, context.changes())
    assert after == texts_of(context)


@given(st.lists(st.tuples(st.booleans(), st.integers(-99, 99)), max_size=8), st.data())
def test_appends_and_increments_of_two_members_commute(operations, data):
    base = {"found": "[0]", "n": "1"}
    members = Context(base), Context(base)
    for appends, value in operations:
        member = data.draw(st.sampled_from(members))
        if appends:
            member.append("found", value)
        else:
            member.increment("n", value)
    one, two = (member.changes() for member in members)
    there = apply_changes(apply_changes(base, one), two)
    back = apply_changes(apply_changes(base, two), one)
    assert there["n"] == back["n"]
    assert sorted(decode(there["found"])) == sorted(decode(back["found"]))
    assert decode(there["n"]) == 1 + sum(value for appends, value in operations if not appends)


# One by one


def changes(base: dict[str, Any], *done: Any) -> list[tuple[str, ...]]:
    context = Context(texts_of(base))
    for act in done:
        act(context)
    return [tuple(change) for change in context.changes()]


def test_reading_changes_nothing():
    assert changes({"a": [1], "n": 1}, lambda c: (c["a"], c["n"], c.get("x"), "n" in c)) == []


def test_a_value_changed_in_place_is_a_set_of_its_key():
    assert changes({"a": {"b": [1]}}, lambda c: c["a"]["b"].append(2)) == [
        ("set", "a", '{"b":[1,2]}')
    ]


def test_a_value_changed_and_changed_back_is_no_change():
    assert changes({"a": [1]}, lambda c: c["a"].append(2), lambda c: c["a"].pop()) == []


def test_increments_are_one_increment():
    assert changes({"n": 5}, lambda c: c.increment("n"), lambda c: c.increment("n", 3)) == [
        ("increment", "n", "4")
    ]


def test_appends_stay_appends_so_that_members_can_be_merged():
    assert changes({"a": [1]}, lambda c: c.append("a", 2), lambda c: c.append("a", [3])) == [
        ("append", "a", "2"),
        ("append", "a", "[3]"),
    ]


def test_an_append_beside_a_change_in_place_is_a_set():
    assert changes({"a": [1]}, lambda c: c.append("a", 2), lambda c: c["a"].sort(reverse=True)) == [
        ("set", "a", "[2,1]")
    ]


def test_an_appended_value_is_copied_so_that_changing_it_later_does_not_change_the_context():
    item = {"n": 1}
    context = Context({})
    context.append("a", item)
    item["n"] = 2
    assert context["a"] == [{"n": 1}]


def test_a_value_that_was_set_is_kept_alive_and_judged_again_at_the_checkpoint():
    items: list[Any] = [1]
    context = Context({})
    context["items"] = items
    items.append(2)
    assert context.changes() == (Change("set", "items", "[1,2]"),)
    items.append(object())
    with pytest.raises(NotSerializable, match=r'context\["items"\]\[2\]'):
        context.changes()


def test_a_key_made_and_deleted_in_one_attempt_is_no_change():
    assert changes({}, lambda c: c.__setitem__("a", 1), lambda c: c.__delitem__("a")) == []


def test_a_deleted_key_is_a_delete():
    assert changes({"a": 1, "b": 2}, lambda c: c.__delitem__("a")) == [("delete", "a", "null")]


def test_a_deleted_key_can_be_counted_from_nothing_again():
    assert changes({"n": 7}, lambda c: c.pop("n"), lambda c: c.increment("n")) == [
        ("set", "n", "1")
    ]


def test_none_is_a_value():
    context = Context({"a": "null"})
    assert context["a"] is None
    assert "a" in context
    assert context.setdefault("a", 5) is None


@pytest.mark.parametrize("operation", ["append", "increment"])
@pytest.mark.parametrize("value", ["text", {"a": 1}, True, None])
def test_an_operation_that_does_not_fit_the_value_is_refused_and_changes_nothing(operation, value):
    context = Context(texts_of({"a": value}))
    with pytest.raises(TypeError, match=r'context\["a"\]'):
        getattr(context, operation)("a", 1)
    assert context.changes() == ()


def test_operations_that_do_not_fit_what_others_left_are_refused():
    for change in (Change("append", "a", "1"), Change("increment", "a", "1")):
        with pytest.raises(TypeError, match=r'context\["a"\]'):
            apply_changes({"a": '"text"'}, (change,))


@pytest.mark.parametrize("by", [True, "1", None, [1]])
def test_only_numbers_are_added(by):
    with pytest.raises(TypeError, match="cannot increment"):
        Context({}).increment("n", by)


def test_a_missing_key_is_a_key_error():
    context = Context({})
    for read in (lambda: context["a"], lambda: context.update_key("a", len)):
        with pytest.raises(KeyError, match="a"):
            read()


def test_a_value_that_cannot_be_stored_is_refused_where_it_is_set():
    context = Context({})
    with pytest.raises(NotSerializable, match=r'context\["a"\]\["b"\]'):
        context["a"] = {"b": object()}
    assert "a" not in context
    for key in (1, None, "nul\0"):
        with pytest.raises(NotSerializable, match="context key"):
            context[key] = 1  # type: ignore[index]
    assert context.changes() == ()


def test_a_value_that_is_too_large_is_refused_where_it_is_set_or_at_the_checkpoint():
    context = Context({"a": "[]"}, limit=20)
    with pytest.raises(PayloadTooLarge):
        context["b"] = "x" * 30
    for _ in range(4):
        context.append("a", "12345")
    with pytest.raises(PayloadTooLarge, match=r'context\["a"\]'):
        context.changes()


def test_a_number_that_was_not_added_because_the_sum_cannot_be_stored_is_not_recorded():
    context = Context({"n": "1e308"})
    with pytest.raises(NotSerializable):
        context.increment("n", 1e308)
    assert context["n"] == 1e308
    assert context.changes() == ()


def test_a_context_prints_as_what_it_holds():
    assert repr(Context({"a": "1"})) == "<Context {'a': 1}>"
