"""Values and times as text."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.admin.pretty import brief, pretty
from durable_django.engine.results import MemberFailure
from durable_django.showing import spoken
from durable_django.showing.previews import Preview


def text_of(value, limit=None):
    return unescape(re.sub(r"<[^>]+>", "", pretty(value, limit).html))


def test_what_is_short_stands_on_a_line_and_what_is_long_does_not():
    assert text_of({"a": [1, 2], "b": {}}) == '{"a": [1, 2], "b": {}}'
    assert text_of({"a": "x" * 60, "b": [1, {"c": None}]}) == (
        '{\n  "a": "' + "x" * 60 + '",\n  "b": [1, {"c": null}]\n}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((), "() tuple"),
        (set(), "{} set"),
        ([], "[]"),
        ("", '""'),
        (b"", "b'' bytes"),
        (1e300, "1e+300"),
    ],
)
def test_what_is_empty_or_extreme_is_shown(value, text):
    assert text_of(value) == text


def test_a_value_is_cut_at_the_limit():
    found = pretty(["x" * 1000], 100)
    assert found.is_cut
    assert len(re.sub(r"<[^>]+>", "", found.html)) < 150
    assert not pretty([1, 2], 100).is_cut


def test_deep_values_are_shown():
    value = "bottom"
    for _ in range(100):
        value = {"deeper": [value]}
    assert "bottom" in text_of(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_no_value_breaks_out_of_the_markup(value):
    html = pretty(value).html
    assert re.sub(r'<span class="durable-\w+">|</span>', "", html).count("<") == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "under 1 ms"),
        (0.0004, "under 1 ms"),
        (0.25, "250 ms"),
        (0.9996, "1.0 s"),
        (59.96, "1 min 0 s"),
        (192, "3 min 12 s"),
        (3_599.7, "1 h 0 min"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds, text):
    assert spoken.length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "just now"), (12.9, "12 s ago"), (-150, "in 2 min 30 s")]
)
def test_a_moment_is_told_relative_to_now(seconds, text):
    now = datetime(2030, 1, 31, tzinfo=UTC)
    assert spoken.relative(now - timedelta(seconds=seconds), now) == text


def test_results_show_how_they_begin_and_how_many_there_are():
    assert text_of(Preview([1, 2], 9_998)) == "[1, 2, … 9,998 more]"
    assert text_of({"sending": Preview([], 10_000)}) == '{"sending": [10,000 results]}'
    assert text_of(Preview([], 1)) == "[1 result]"
    assert text_of(Preview([], 0)) == "[]"
    assert text_of(Preview(["x" * 50, "y" * 50], 3)) == (
        '[\n  "' + "x" * 50 + '",\n  "' + "y" * 50 + '",\n  … 3 more\n]'
    )


def test_a_failed_member_says_why():
    failure = MemberFailure("ValueError", "no \u202efunds")
    assert text_of([1, failure]) == r"[1, ValueError: no \u202efunds MemberFailure]"
    assert text_of(MemberFailure("Fatal", "")) == "Fatal MemberFailure"


def test_a_brief_value_is_one_line_that_is_cut():
    shown = unescape(re.sub(r"<[^>]+>", "", brief({"text": "x" * 100, "more": [1] * 99}, 20)))
    assert shown == '{"text": "' + "x" * 10 + "…"
    assert brief(7, 20) == '<span class="durable-number">7</span>'
