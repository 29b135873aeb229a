"""What is different between two values, and values as trees."""

import json
import re
from decimal import Decimal

import pytest

from durable_django.admin import tree as trees
from durable_django.admin.differences import differences
from durable_django.admin.tree import copied, tree
from durable_django.showing.masking import MASKED

EVIL = "<script>alert('x')</script>"


def told(before, after):
    return [(found.path, found.kind) for found in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "changed")]),
        ({"a": 1}, {"a": 1.0}, [("a", "changed")]),
        ({"a": True}, {"a": 1}, [("a", "changed")]),
        ({"a": 1}, {}, [("a", "removed")]),
        ({}, {"a": None}, [("a", "added")]),
        (
            {"a": {"b": [1, {"c": 2}]}},
            {"a": {"b": [1, {"c": 3}, 4]}},
            [("a.b[1].c", "changed"), ("a.b[2]", "added")],
        ),
        ({"a": [1, 2]}, {"a": [1]}, [("a[1]", "removed")]),
        ({"a": [1]}, {"a": {"b": 1}}, [("a", "changed")]),
        ({"a": (1,)}, {"a": (2,)}, [("a", "changed")]),
    ],
)
def test_the_smallest_parts_that_differ_are_told(before, after, expected):
    assert told(before, after) == expected


def test_what_was_and_what_is_are_told():
    (found,) = differences({"a": 1}, {"a": 2})
    assert (found.before, found.after) == (1, 2)


def test_what_nests_very_deep_is_compared_as_a_whole():
    deep, other = 1, 2
    for _ in range(90):
        deep, other = [deep], [other]
    assert len(told({"a": deep}, {"a": other})) == 1


def text_of(value, limit=None):
    return re.sub(r"<[^>]+>", "", tree(value, limit).html)


def test_what_fits_stays_on_a_line_and_what_does_not_folds():
    assert "<details" not in tree({"id": 7, "names": ["ada"]}).html
    html = tree({f"key{n}": "a" * 30 for n in range(5)}).html
    assert html.startswith("<details open>")
    assert html.count("<li>") == 5
    assert "5 keys" in html


def test_what_has_very_many_parts_is_folded_but_for_the_outermost():
    html = tree({"many": [{"n": n, "text": "a" * 80} for n in range(50)]}).html
    assert html.startswith("<details open>")
    assert re.search(r"<details><summary>[^/]*&quot;many&quot;", html)
    assert "50 values" in html


def test_a_tree_with_too_many_parts_is_cut_and_shown_whole_without_a_limit(monkeypatch):
    monkeypatch.setattr(trees, "PARTS_MAX", 10)
    value = ["a" * 60] * 30
    assert tree(value, 1_000).is_cut
    assert not tree(value).is_cut
    assert text_of(value).count("aaaa") > text_of(value, 1_000).count("aaaa")


def test_a_long_text_in_a_tree_is_cut():
    found = tree({"text": "b" * 500, "rest": 1}, 100)
    assert found.is_cut
    assert "b" * 101 not in found.html


def test_nothing_in_a_tree_is_markup():
    html = tree({EVIL: [EVIL * 5, {EVIL: (EVIL * 3, EVIL * 3)}]}).html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_what_is_copied_is_json_and_masked():
    value = {
        "card": MASKED,
        "price": Decimal("9.50"),
        "pair": (1, 2),
        "some": {3},
        "odd": "\u202ea",
    }
    text = copied(value)
    assert "\u202e" not in text
    assert json.loads(text) == {
        "card": "••••••",
        "price": "9.50",
        "pair": [1, 2],
        "some": [3],
        "odd": "\u202ea",
    }
