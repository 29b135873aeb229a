"""Input fields: how a form's fields are written, and the one way in which they are kept."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from durable_django.definition.input_fields import OPTIONS, TYPES, read_fields, texts_settled
from durable_django.engine import values

PLAIN = {
    "name": "amount",
    "type": "text",
    "label": "Amount",
    "required": True,
    "help": "",
    "initial": None,
    "min": None,
    "max": None,
    "choices": [],
}


def field(**options):
    """The one field of a form, with these options."""
    (found,) = read_fields([{"name": "amount", **options}])
    return found


def fault(error, **options):
    with pytest.raises(error) as caught:
        field(**options)
    return str(caught.value)


def test_a_field_of_which_nothing_is_said():
    assert field() == PLAIN
    assert set(PLAIN) == set(OPTIONS)


@pytest.mark.parametrize(
    "given",
    [
        {"amount": "decimal"},
        {"amount": {"type": "decimal"}},
        {"amount": {"type": "decimal", "name": "amount"}},
        [{"name": "amount", "type": "decimal"}],
        ({"name": "amount", "type": "decimal", "label": None, "initial": None},),
    ],
)
def test_fields_may_be_written_in_several_ways(given):
    assert read_fields(given) == [{**PLAIN, "type": "decimal"}]


def test_fields_keep_their_order():
    fields = read_fields({"zeta": "text", "alpha": "date", "mid": "boolean"})
    assert [entry["name"] for entry in fields] == ["zeta", "alpha", "mid"]


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_known_and_kept_as_json(kind):
    choices = {"choices": ["a"]} if "choice" in kind else {}
    found = field(type=kind, **choices)
    assert found["type"] == kind
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("name", "label"),
    [("amount", "Amount"), ("amount_due", "Amount due"), ("dueDate", "DueDate"), ("é", "É")],
)
def test_a_label_is_made_of_the_name(name, label):
    assert read_fields({name: "text"})[0]["label"] == label


def test_a_boolean_has_to_be_ticked_only_where_that_is_said():
    assert field(type="boolean")["required"] is False
    assert field(type="boolean", required=True)["required"] is True
    assert field(type="text", required=False)["required"] is False


def test_lazy_words_stay_lazy_until_they_are_settled():
    found = field(label=_("Amount"), help=_("In euros"), type="choice", choices=[("a", _("A"))])
    assert isinstance(found["label"], Promise)
    settled = texts_settled([found])
    assert type(settled[0]["label"]) is str
    assert type(settled[0]["choices"][0][1]) is str
    json.dumps(settled)
    assert isinstance(found["label"], Promise)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"type": "text", "min": 2, "max": 5, "initial": "abc"}, (2, 5, "abc")),
        ({"type": "long_text", "max": 0}, (None, 0, None)),
        ({"type": "integer", "min": -3, "max": -3, "initial": -3}, (-3, -3, -3)),
        ({"type": "decimal", "min": 0.1, "max": Decimal("9.90")}, ("0.1", "9.90", None)),
        ({"type": "decimal", "min": "1", "initial": 10**20}, ("1", None, str(10**20))),
        ({"type": "boolean", "initial": True}, (None, None, True)),
        (
            {"type": "date", "min": date(2030, 1, 1), "initial": "2030-01-02"},
            ("2030-01-01", None, "2030-01-02"),
        ),
        (
            {"type": "datetime", "max": datetime(2030, 1, 1, 9, tzinfo=UTC)},
            (None, "2030-01-01T09:00:00+00:00", None),
        ),
        ({"type": "email", "initial": "anna@example.com"}, (None, None, "anna@example.com")),
        ({"type": "choice", "choices": [1, "1"], "initial": "1"}, (None, None, "1")),
        ({"type": "multiple_choice", "choices": ["a", "b"], "initial": ["b"]}, (None, None, ["b"])),
        ({"type": "multiple_choice", "choices": ["a"], "initial": []}, (None, None, [])),
        ({"type": "integer", "initial": 0}, (None, None, 0)),
    ],
)
def test_bounds_and_initial_values_are_kept_as_json(options, kept):
    found = field(**options)
    assert (found["min"], found["max"], found["initial"]) == kept
    assert values.decode(values.encode(found, "field")) == found
    json.dumps(found)


def test_moments_are_compared_as_moments():
    early = datetime(2030, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    late = datetime(2030, 1, 1, 1, tzinfo=UTC)
    assert field(type="datetime", min=early, max=late)["min"] == "2030-01-01T09:00:00+09:00"
    assert "min is" in fault(ValueError, type="datetime", min=late, max=early)


@pytest.mark.parametrize(
    "given", [None, "amount", 7, {"amount"}, [["amount"]], [("amount", "text")], lambda self: {}]
)
def test_what_are_no_fields_is_told(given):
    with pytest.raises(TypeError, match=r"^fields is a mapping of names to types, like "):
        read_fields(given)


@pytest.mark.parametrize("given", [{}, [], ()])
def test_a_form_has_a_field(given):
    with pytest.raises(ValueError, match="fields is empty"):
        read_fields(given)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([{}], ValueError, "has a field without a name: {}"),
        ([{"type": "text"}], ValueError, "has a field without a name: {'type': 'text'}"),
        ({7: "text"}, TypeError, "has a field whose name is no string: 7"),
        ({"": "text"}, ValueError, "has a field called ''"),
        ({"two words": "text"}, ValueError, "has a field called 'two words'"),
        ({"a-b": "text"}, ValueError, "made of letters, digits and underscores"),
        ({"_private": "text"}, ValueError, "begins with a letter"),
        ({"1st": "text"}, ValueError, "begins with a letter"),
        ({"a" * 101: "text"}, ValueError, "a field's name has at most 100 characters"),
        ([{"name": "a"}, {"name": "b"}, {"name": "a"}], ValueError, 'fields has "a" twice'),
        ([{"name": "a", 7: True}], ValueError, "no option 7 (there are name, type, label,"),
        ({"a": {"name": "b"}}, ValueError, "fields calls 'a' also 'b'"),
    ],
)
def test_names_are_judged(given, error, words):
    with pytest.raises(error) as caught:
        read_fields(given)
    assert str(caught.value).startswith("fields")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"type": "decimall"},
            ValueError,
            '"decimall", which there is not; did you mean "decimal"?',
        ),
        ({"type": "zzz"}, ValueError, "(there are text, long_text, integer,"),
        ({"type": str}, TypeError, "has the type <class 'str'>; a type is one of text,"),
        ({"type": None}, TypeError, "has the type None"),
        ({"requird": True}, ValueError, "no option 'requird'; did you mean \"required\"?"),
        ({"required": 1}, TypeError, "required is True or False, not 1"),
        ({"label": 7}, TypeError, "label is a string, not 7"),
        ({"help": "a\0"}, ValueError, "help holds a character that cannot be stored"),
        ({"initial": "\ud800"}, ValueError, "initial holds a character that cannot be stored"),
        ({"help": ["x"]}, TypeError, "help is a string, not ['x']"),
        ({"type": "choice"}, ValueError, "of the type choice and has no choices"),
        ({"type": "multiple_choice"}, ValueError, "and has no choices"),
        ({"type": "choice", "choices": []}, ValueError, "choices is empty"),
        (
            {"type": "text", "choices": ["a"]},
            ValueError,
            "choices is for choice and multiple_choice",
        ),
        (
            {"type": "boolean", "min": 1},
            ValueError,
            "min is for text, long_text, integer, decimal,",
        ),
        ({"type": "email", "max": 9}, ValueError, "not for email"),
        ({"type": "text", "min": -1}, ValueError, "min is a length and cannot be negative: -1"),
        ({"type": "text", "min": "1"}, TypeError, "min is a whole number, not '1'"),
        ({"type": "integer", "max": 1.5}, TypeError, "max is a whole number, not 1.5"),
        ({"type": "integer", "max": True}, TypeError, "max is a whole number, not True"),
        ({"type": "decimal", "max": "ten"}, ValueError, "max is a number, not 'ten'"),
        ({"type": "decimal", "max": True}, TypeError, "max is a number, not True"),
        ({"type": "decimal", "max": float("nan")}, ValueError, "max is a finite number, not nan"),
        ({"type": "decimal", "min": 2, "max": 1.5}, ValueError, "min is 2, more than its max, 1.5"),
        ({"type": "decimal", "min": "10", "max": "9"}, ValueError, "min is 10, more than its max"),
        ({"type": "date", "min": 7}, TypeError, "min is a date, not 7"),
        (
            {"type": "date", "min": datetime(2030, 1, 1, tzinfo=UTC)},
            TypeError,
            "min is a date, not",
        ),
        ({"type": "date", "min": "31.1.2030"}, ValueError, 'is a date like "2030-01-31", not'),
        ({"type": "datetime", "min": date(2030, 1, 1)}, TypeError, "min is a datetime, not"),
        ({"type": "datetime", "min": "2030-01-01T09:00"}, ValueError, "has none"),
        ({"type": "datetime", "min": "soon"}, ValueError, "is a datetime like"),
    ],
)
def test_options_are_judged(options, error, words):
    told = fault(error, **options)
    assert told.startswith('fields["amount"] ')
    assert words in told


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"type": "text", "initial": 7}, TypeError, "initial is a string, not 7"),
        ({"type": "text", "min": 3, "initial": "ab"}, ValueError, "initial is below its min, 3"),
        (
            {"type": "long_text", "max": 1, "initial": "ab"},
            ValueError,
            "initial is above its max, 1",
        ),
        ({"type": "integer", "initial": "7"}, TypeError, "initial is a whole number, not '7'"),
        ({"type": "integer", "max": 6, "initial": 7}, ValueError, "initial is above its max, 6"),
        (
            {"type": "decimal", "min": "9", "initial": "10.0", "max": "9.5"},
            ValueError,
            "above its max",
        ),
        ({"type": "boolean", "initial": 1}, TypeError, "initial is True or False, not 1"),
        (
            {"type": "email", "initial": "anna"},
            ValueError,
            "initial is an e-mail address, not 'anna'",
        ),
        (
            {"type": "date", "max": "2030-01-01", "initial": "2030-01-02"},
            ValueError,
            "above its max",
        ),
        (
            {"type": "choice", "choices": [1], "initial": True},
            ValueError,
            "none of its choices: True",
        ),
        ({"type": "choice", "choices": ["a"], "initial": ["a"]}, ValueError, "none of its choices"),
        (
            {"type": "multiple_choice", "choices": ["a"], "initial": "a"},
            TypeError,
            "list of choices",
        ),
        (
            {"type": "multiple_choice", "choices": ["a"], "initial": ["b"]},
            ValueError,
            "none of its",
        ),
    ],
)
def test_initial_values_fit_their_fields(options, error, words):
    told = fault(error, **options)
    assert told.startswith('fields["amount"] initial ')
    assert words in told


def test_what_was_given_is_not_changed_or_shared():
    given = {"size": {"type": "choice", "choices": ["a"], "initial": "a"}}
    first, second = read_fields(given), read_fields(given)
    first[0]["choices"].append("b")
    first[0]["label"] = "Other"
    assert given == {"size": {"type": "choice", "choices": ["a"], "initial": "a"}}
    assert second[0]["choices"] == [["a", "a"]]
