"""Choices: how they are written, and how they are kept."""

import math

import pytest
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from durable_django.definition.choices import key_of_scalar, read_choices


class Size(TextChoices):
    SMALL = "s", _("Small")
    LARGE = "l", _("Large")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["car", "train"], [["car", "car"], ["train", "train"]]),
        ([("s", "Small"), ["l", "Large"]], [["s", "Small"], ["l", "Large"]]),
        ({"s": "Small", 1: "One"}, [["s", "Small"], [1, "One"]]),
        (
            [1, "1", True, 0.5, None],
            [[1, "1"], ["1", "1"], [True, "True"], [0.5, "0.5"], [None, "None"]],
        ),
        ((c for c in "ab"), [["a", "a"], ["b", "b"]]),
        (Size, [["s", "Small"], ["l", "Large"]]),
        (Size.choices, [["s", "Small"], ["l", "Large"]]),
        ([Size.SMALL], [["s", "s"]]),
    ],
)
def test_choices_are_kept_as_pairs(given, kept):
    found = read_choices(given)
    assert [[value, str(label)] for value, label in found] == kept
    assert all(type(value) in (str, int, float, bool, type(None)) for value, _label in found)


def test_a_lazy_label_stays_lazy():
    assert isinstance(read_choices(Size)[0][1], Promise)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("car", TypeError, "is a list of values or of (value, label) pairs, or a mapping"),
        (b"car", TypeError, "is a list"),
        ({"car", "train"}, TypeError, "is a list"),
        (7, TypeError, "is a list"),
        (None, TypeError, "is a list"),
        (str, TypeError, "is a list"),
        ([], ValueError, "is empty, so there is nothing to choose"),
        ({}, ValueError, "is empty"),
        ([("s",)], ValueError, "('s',) is no pair"),
        ([("s", "Small", 3)], ValueError, "is no pair"),
        ([("s", 3)], TypeError, ": a label is a string, not 3"),
        (
            [{"s": 1}],
            TypeError,
            "holds strings, finite numbers, True, False and None, not {'s': 1}",
        ),
        ([math.nan], TypeError, "holds strings, finite numbers"),
        ([("s", None), math.inf], TypeError, "holds strings, finite numbers"),
        (["car", "train", "car"], ValueError, "has 'car' twice"),
        (["a\0"], ValueError, "holds a character that cannot be stored"),
        ({"a": "\ud800"}, ValueError, "holds a character that cannot be stored"),
        ([1, 1.0], ValueError, "has 1.0 twice"),
    ],
)
def test_mistakes_are_told(given, error, words):
    with pytest.raises(error) as caught:
        read_choices(given, "sizes")
    assert str(caught.value).startswith("sizes")
    assert words in str(caught.value)


def test_values_are_told_apart_by_type_and_value():
    assert key_of_scalar(1) == key_of_scalar(1.0)
    assert len({key_of_scalar(value) for value in (1, True, "1", None, "None", 0, False)}) == 7
