"""The form of a request: one of Django's, made from what the workflow asks."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django import forms
from django.contrib.admin import widgets

from durable_django.engine import values
from durable_django.inputs.forms import form_for
from durable_django.models import Wait

EVERY_TYPE = {
    "title": "text",
    "story": "long_text",
    "count": "integer",
    "amount": "decimal",
    "urgent": "boolean",
    "day": "date",
    "moment": "datetime",
    "mail": "email",
    "speed": {"type": "choice", "choices": ["slow", "fast"]},
    "extras": {"type": "multiple_choice", "choices": [(1, "one"), (2, "two"), (3, "three")]},
}
ENTERED = {
    "title": "A title",
    "story": "One\nTwo",
    "count": "3",
    "amount": "12.50",
    "urgent": "on",
    "day": "2030-01-31",
    "moment": "2030-01-31 10:30",
    "mail": "anna@shop.example",
    "speed": '"fast"',
    "extras": ["3", "1"],
}


def asked(form="form", **request):
    """A wait that was never stored."""
    from durable_django.definition.choices import read_choices
    from durable_django.definition.input_fields import read_fields

    if "fields" in request:
        request["fields"] = read_fields(request["fields"])
    if "choices" in request:
        request["choices"] = read_choices(request["choices"])
    return Wait(request_text=values.encode({"form": form, "prompt": "", **request}, "request"))


def form_of(data=None, /, **fields):
    return form_for(asked(fields=fields))(data)


def test_each_type_of_field_is_a_field_of_django():
    fields = form_of(**EVERY_TYPE).fields
    assert {name: type(field).__mro__ for name, field in fields.items()}.keys() == EVERY_TYPE.keys()
    for name, wanted in {
        "title": forms.CharField,
        "story": forms.CharField,
        "count": forms.IntegerField,
        "amount": forms.DecimalField,
        "urgent": forms.BooleanField,
        "day": forms.DateField,
        "moment": forms.DateTimeField,
        "mail": forms.EmailField,
        "speed": forms.ChoiceField,
        "extras": forms.MultipleChoiceField,
    }.items():
        assert isinstance(fields[name], wanted), name
    assert isinstance(fields["story"].widget, forms.Textarea)


def test_what_is_entered_becomes_the_value_of_its_type():
    form = form_of(ENTERED, **EVERY_TYPE)
    assert form.errors == {}
    assert form.answer == {
        "title": "A title",
        "story": "One\nTwo",
        "count": 3,
        "amount": Decimal("12.50"),
        "urgent": True,
        "day": date(2030, 1, 31),
        "moment": datetime(2030, 1, 31, 10, 30, tzinfo=UTC),
        "mail": "anna@shop.example",
        "speed": "fast",
        "extras": [1, 3],
    }


def test_an_answer_survives_the_codec():
    answer = form_of(ENTERED, **EVERY_TYPE)
    assert answer.is_valid()
    text = values.encode(answer.answer, "value")
    assert values.decode(text) == answer.answer


def test_each_field_says_what_is_wrong_with_it():
    wrong = {**dict.fromkeys(EVERY_TYPE, "no"), "title": "", "extras": ["9"], "speed": "fast"}
    form = form_of(wrong, **EVERY_TYPE)
    assert sorted(form.errors) == sorted(EVERY_TYPE.keys() - {"story", "urgent"})


def test_limits_hold():
    fields = {
        "title": {"type": "text", "min": 2, "max": 4},
        "count": {"type": "integer", "min": 1, "max": 9},
        "amount": {"type": "decimal", "min": "0.1", "max": 0.3},
        "day": {"type": "date", "min": date(2030, 1, 1), "max": "2030-12-31"},
        "moment": {"type": "datetime", "min": datetime(2030, 1, 1, tzinfo=UTC)},
    }
    least = {
        "title": "ab",
        "count": "1",
        "amount": "0.1",
        "day": "2030-01-01",
        "moment": "2030-01-01 00:00",
    }
    most = {
        "title": "abcd",
        "count": "9",
        "amount": "0.3",
        "day": "2030-12-31",
        "moment": "2030-01-01 00:00",
    }
    below = {
        "title": "a",
        "count": "0",
        "amount": "0.09",
        "day": "2029-12-31",
        "moment": "2029-12-31 23:59",
    }
    above = {**most, "title": "abcde", "count": "10", "amount": "0.31", "day": "2031-01-01"}
    assert form_of(least, **fields).is_valid()
    assert form_of(most, **fields).is_valid()
    assert sorted(form_of(below, **fields).errors) == sorted(fields)
    assert sorted(form_of(above, **fields).errors) == ["amount", "count", "day", "title"]


def test_a_project_without_time_zones_gets_and_bounds_plain_datetimes(settings):
    settings.USE_TZ = False
    fields = {"at": {"type": "datetime", "min": "2030-01-01T10:00:00+00:00"}}
    assert not form_of({"at": "2029-01-01 10:00"}, **fields).is_valid()
    form = form_of({"at": "2030-01-01 10:00"}, **fields)
    assert form.is_valid()
    assert form.answer == {"at": datetime(2030, 1, 1, 10)}  # noqa: DTZ001  as such a project has them


def test_labels_help_and_initial_are_shown():
    form = form_of(
        net_amount={"type": "decimal", "initial": "1.50", "help": "In <b>euros</b>"},
        speed={"type": "choice", "choices": {"a": "Slow", "b": "Fast"}, "initial": "b"},
        some={"type": "multiple_choice", "choices": [1, 2, 3], "initial": [2, 3]},
        day={"type": "date", "initial": date(2030, 1, 31), "label": "On"},
        late={"type": "boolean", "initial": True},
    )
    page = form.as_div()
    assert "Net amount" in page
    assert 'value="1.50"' in page
    assert "In &lt;b&gt;euros&lt;/b&gt;" in page
    assert page.count("checked") == 4
    assert 'value="2030-01-31"' in page
    assert "On:" in page
    assert "Fast" in page


def test_what_is_not_required_may_be_left_out():
    fields = {
        name: {**(kind if isinstance(kind, dict) else {"type": kind}), "required": False}
        for name, kind in EVERY_TYPE.items()
    }
    form = form_of({}, **fields)
    assert form.is_valid()
    assert form.answer == {
        **dict.fromkeys(EVERY_TYPE),
        "title": "",
        "story": "",
        "mail": "",
        "urgent": False,
        "extras": [],
    }


def test_a_boolean_may_be_left_unticked_unless_it_is_required():
    assert form_of({}, yes="boolean").is_valid()
    assert not form_of({}, yes={"type": "boolean", "required": True}).is_valid()


def test_choices_keep_their_type():
    choices = ["1", 1, True, None, 1.5, "true", ""]
    form_class = form_for(asked("choice", choices=choices))
    for wanted in choices:
        form = form_class({"value": values.encode(wanted, "choice")})
        assert form.is_valid()
        assert form.answer == wanted
        assert type(form.answer) is type(wanted)


def test_many_choices_are_a_list_and_few_are_buttons():
    few, many = (form_for(asked("choice", choices=range(n))) for n in (6, 7))
    assert isinstance(few().fields["value"].widget, forms.RadioSelect)
    assert not isinstance(many().fields["value"].widget, forms.RadioSelect)
    assert not many({"value": ""}).is_valid()


@pytest.mark.parametrize(
    "name",
    ["media", "prefix", "fields", "data", "errors", "specs", "answer", "clean", "files", "value"],
)
def test_a_field_may_be_called_like_what_a_form_has(name):
    form = form_of({name: "x"}, **{name: "text", "other": "boolean"})
    assert form.is_valid()
    assert form.answer == {name: "x", "other": False}
    assert name in form.as_div()


def test_an_approval_is_approved_or_rejected():
    form_class = form_for(asked("approval"))
    assert form_class({"value": '"approved"'}).is_valid()
    form = form_class({"value": '"rejected"'})
    assert form.is_valid()
    assert form.answer == "rejected"
    assert not form_class({"value": '"perhaps"'}).is_valid()
    assert not form_class({}).is_valid()


@pytest.mark.parametrize("kind", ["text", "input"])
def test_without_fields_a_text_is_asked_for(kind):
    form = form_for(asked(kind))({"value": "a\nb"})
    assert form.is_valid()
    assert form.answer == "a\nb"
    assert not form_for(asked(kind))({"value": " "}).is_valid()


def test_an_input_may_have_fields_like_a_form():
    form = form_for(asked("input", fields={"n": "integer"}))({"n": "1"})
    assert form.is_valid()
    assert form.answer == {"n": 1}


def test_other_widgets_can_be_used():
    given = {"day": widgets.AdminDateWidget, "moment": widgets.AdminSplitDateTime}
    wait = asked(
        fields={"day": "date", "at": {"type": "datetime", "min": "2030-01-01T00:00+00:00"}}
    )
    form = form_for(wait, {"date": given["day"], "datetime": given["moment"]})
    sent = form({"day": "2030-01-31", "at_0": "2030-01-31", "at_1": "10:30"})
    assert sent.is_valid()
    assert sent.answer["at"] == datetime(2030, 1, 31, 10, 30, tzinfo=UTC)
    early = form({"day": "2030-01-31", "at_0": "2029-01-31", "at_1": "10:30"})
    assert sorted(early.errors) == ["at"]
    assert isinstance(form().fields["day"].widget, widgets.AdminDateWidget)


def test_no_number_is_too_large_to_be_refused():
    form = form_of({"n": "9" * 5000, "d": "1e999999999999999999"}, n="integer", d="decimal")
    assert sorted(form.errors) == ["d", "n"]
