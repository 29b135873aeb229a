"""The gate over random values: what is let in comes back, what is refused is named."""

from __future__ import annotations

import copy
import math
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from durable_django.engine.values import decode, encode, visible
from tests.engine.sameness import refusal, there_and_back, told

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


# Strategies

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.timezones(),
    offsets.map(timezone),
    st.builds(timezone, offsets, texts),
)
hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.builds(
        lambda value, zone, fold: value.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        zones,
        st.sampled_from([0, 1]),
    ),
    st.builds(
        lambda value, zone, fold: value.replace(tzinfo=zone, fold=fold),
        st.times(),
        zones,
        st.sampled_from([0, 1]),
    ),
    st.dates(),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
    st.binary(),
)
hashables = st.recursive(
    hashable_leaves, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5
)
keys = texts | st.just("$")


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.just("$"), inner, min_size=1),
    )


storable = st.recursive(
    hashable_leaves | st.sets(hashables, max_size=4), _containers, max_leaves=12
)

unstorable = st.sampled_from(
    [
        math.nan,
        math.inf,
        -math.inf,
        "a\0b",
        "\ud800",
        "half \udc80 of it",
        10**4_000,
        -(10**4_000),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        object(),
        frozenset({1}),
        bytearray(b"x"),
        1j,
        {1: "one"},
        {(1, 2): "pair"},
        {"bad\0key": 1},
        {"\udfff": 1},
        {None: 1},
        iter([]),
        print,
        int,
    ]
)


# Sampled worlds


@given(storable)
@example({"$": {"$": ["datetime", "2030-01-01T00:00:00"]}})
@example([True, 1, 1.0, Decimal(1), "1", 0.0, -0.0])
def test_what_is_let_in_comes_back_with_its_exact_types(value: Any) -> None:
    there_and_back(value)


@given(storable)
def test_encoding_never_changes_the_value(value: Any) -> None:
    before = copy.deepcopy(value)
    encode(value, "input")
    assert told(value) == told(before)


@given(storable)
def test_decoding_makes_new_objects_each_time(value: Any) -> None:
    text = encode(value, "input")
    first, second = decode(text), decode(text)
    assert told(first) == told(second)
    if isinstance(first, list | dict | set) and first:
        assert first is not second


@given(st.sets(hashables))
def test_equal_sets_give_equal_texts_whatever_their_order_of_insertion(value: set[Any]) -> None:
    text = encode(value, "input")
    again: set[Any] = set()
    for item in reversed(list(value)):
        again.add(item)
    assert encode(again, "input") == text


@given(storable)
def test_the_text_can_be_stored_by_both_databases(value: Any) -> None:
    text = encode(value, "input")
    text.encode()
    assert "\0" not in text
    assert "\n" not in text


@st.composite
def hidden_faults(draw: st.DrawFn) -> tuple[Any, str]:
    """A storable value with one unstorable part in it, and that part's path."""
    value, path = draw(unstorable), ""
    if isinstance(value, dict):
        (key,) = value
        path = f"[{key!r}]"
        if isinstance(key, str):
            path = f'["{visible(key)}"]'
    for _ in range(draw(st.integers(0, 4))):
        shape = draw(st.sampled_from(["list", "tuple", "dict", "only $"]))
        if shape == "only $":
            value, path = {"$": value}, f'["$"]{path}'
        elif shape == "dict":
            key = draw(st.from_regex(r"\A[a-zé ]{0,5}\Z"))
            around = draw(st.dictionaries(texts, storable, max_size=2))
            value, path = {**around, key: value}, f'["{key}"]{path}'
        else:
            before = draw(st.lists(storable, max_size=2))
            row = [*before, value, *draw(st.lists(storable, max_size=1))]
            value = row if shape == "list" else tuple(row)
            path = f"[{len(before)}]{path}"
    return value, "input" + path


@given(hidden_faults())
def test_a_refused_part_is_named_by_its_exact_path(world: tuple[Any, str]) -> None:
    value, path = world
    error = refusal(value)
    assert error.path == path
    assert error.reason
    str(error).encode()


@given(st.text(st.characters(categories=["Cs", "Cc", "Lu", "So"])))
def test_a_string_is_let_in_exactly_when_utf8_and_postgresql_can_hold_it(text: str) -> None:
    fit = "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
    if fit:
        there_and_back({text: [text]})
    else:
        refusal({"key": text})
        refusal({text: 1})


@given(st.text(st.characters()), st.none() | st.integers(0, 60))
def test_what_is_made_visible_can_be_stored_and_keeps_the_limit(
    text: str, limit: int | None
) -> None:
    shown = visible(text, limit)
    there_and_back(shown)
    if limit is not None:
        assert len(shown.encode()) <= limit
        if not shown.endswith("…"):
            assert shown == visible(text) or limit < 3
