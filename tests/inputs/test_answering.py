"""Answers from code: judged by the same form as those of people."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from durable_django.inputs.answering import checked_value
from tests.inputs.test_forms import asked

FIELDS = {
    "title": {"type": "text", "max": 5},
    "count": "integer",
    "amount": "decimal",
    "urgent": "boolean",
    "day": "date",
    "at": "datetime",
    "mail": "email",
    "speed": {"type": "choice", "choices": ["slow", 2, True]},
    "extras": {"type": "multiple_choice", "choices": [1, 2, 3]},
}
GOOD = {
    "title": "short",
    "count": 3,
    "amount": Decimal("12.50"),
    "urgent": True,
    "day": date(2030, 1, 31),
    "at": datetime(2030, 1, 31, 10, tzinfo=UTC),
    "mail": "anna@shop.example",
    "speed": 2,
    "extras": [1, 3],
}


def messages_of(wait, value):
    with pytest.raises(ValidationError) as caught:
        checked_value(wait, value)
    return caught.value.message_dict


def test_a_form_takes_a_mapping_of_its_fields():
    assert checked_value(asked(fields=FIELDS), GOOD) == GOOD


def test_what_a_form_would_understand_is_understood():
    given = {
        **GOOD,
        "count": "3",
        "amount": 12.5,
        "day": "2030-01-31",
        "at": "2030-01-31 10:00",
        "extras": (3, 1),
    }
    assert checked_value(asked(fields=FIELDS), given) == GOOD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", 5),
        ("title", ["short"]),
        ("title", "too long"),
        ("title", None),
        ("title", "a\0"),
        ("count", True),
        ("count", 1.5),
        ("count", [1]),
        pytest.param("count", 10**5000, id="count-huge"),
        ("amount", True),
        ("amount", float("nan")),
        ("amount", Decimal("Infinity")),
        ("amount", "1e999999"),
        ("amount", {}),
        ("urgent", "no"),
        ("urgent", 1),
        ("day", datetime(2030, 1, 31, tzinfo=UTC)),
        ("day", "soon"),
        ("day", 5),
        ("at", date(2030, 1, 31)),
        ("at", "soon"),
        ("mail", "anna"),
        ("mail", b"anna@shop.example"),
        ("speed", "2"),
        ("speed", 1),
        ("speed", ["slow"]),
        ("speed", "fast"),
        ("extras", 1),
        ("extras", "1"),
        ("extras", [1, 4]),
        ("extras", [True]),
        ("extras", []),
    ],
)
def test_a_value_that_does_not_fit_is_told_at_its_field(name, value):
    assert list(messages_of(asked(fields=FIELDS), {**GOOD, name: value})) == [name]


def test_all_faults_are_told_at_once():
    told = messages_of(asked(fields=FIELDS), {"title": 5, "cuont": 1, "speed": "fast"})
    assert told["cuont"] == ['There is no field of this name; did you mean "count"?']
    assert told["title"] == ["Enter a text."]
    assert "fast" in told["speed"][0]
    assert told["count"] == ["This field is required."]
    assert sorted(told) == sorted({*FIELDS, "cuont"} - {"urgent"})


@pytest.mark.parametrize("value", [None, "short", ["title"], 5])
def test_a_form_takes_nothing_but_a_mapping(value):
    (said,) = messages_of(asked(fields={"title": "text", "count": "integer"}), value)["value"]
    assert said == "Give a mapping with the fields title, count."


def test_a_field_name_that_is_no_string_is_told():
    assert list(messages_of(asked(fields={"n": "integer"}), {"n": 1, 2: 3})) == ["2"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("approved", "approved"), ("rejected", "rejected"), (True, "approved"), (False, "rejected")],
)
def test_an_approval_takes_its_words_and_booleans(given, kept):
    assert checked_value(asked("approval"), given) == kept


@pytest.mark.parametrize("value", ["yes", "", None, 1, 0, ["approved"], {"value": "approved"}])
def test_an_approval_takes_nothing_else(value):
    assert list(messages_of(asked("approval"), value)) == ["value"]


def test_a_choice_is_told_by_json_type_and_value():
    wait = asked("choice", choices=["1", 1, True, 2.5])
    for value in ("1", 1, True, 2.5):
        found = checked_value(wait, value)
        assert found == value
        assert type(found) is type(value)
    assert type(checked_value(wait, 1.0)) is int
    for value in (False, "true", None, 2, Decimal(1), [1]):
        assert list(messages_of(wait, value)) == ["value"]


def test_none_can_be_a_choice():
    assert checked_value(asked("choice", choices=[None, "a"]), None) is None


def test_a_text_is_a_string():
    assert checked_value(asked("text"), "some\nlines") == "some\nlines"
    for value in ("", None, 5, b"text"):
        assert list(messages_of(asked("text"), value)) == ["value"]


def test_an_input_of_which_nothing_is_said_takes_anything():
    for value in (None, "", 5, {"a": [1]}, Decimal("1.5")):
        assert checked_value(asked("input"), value) == value
