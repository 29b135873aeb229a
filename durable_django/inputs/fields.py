"""Form fields for what a workflow asks: one field of Django's for each field of a request.

The specification is that of ``definition.input_fields``. No row, no request of a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django import forms
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms.utils import pretty_name
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _

from ..definition.choices import key_of_scalar
from ..engine import values

RADIOS_MAX: Final = 6
EXPONENT_MAX: Final = 1_000
EMPTY_LABEL: Final = "---------"


class Choices:
    """Values to choose from, each with the word that stands for it in a form: its JSON text."""

    def __init__(self, choices: Iterable[Sequence[Any]]) -> None:
        pairs = list(choices)
        self.labels = [(values.encode(value, "choice"), label) for value, label in pairs]
        self._values = {values.encode(value, "choice"): value for value, _label in pairs}
        self._words = {key_of_scalar(value): word for word, value in self._values.items()}

    def value_of(self, word: str) -> Any:
        """The value that a word stands for. KeyError for none."""
        return self._values[word]

    def word_for(self, value: Any) -> str | None:
        """The word for a value, by JSON type and value (``True`` is not 1, ``1.0`` is), or None."""
        key = key_of_scalar(value)
        return None if key is None else self._words.get(key)

    def __len__(self) -> int:
        return len(self._values)


class LongText(forms.CharField):
    """Lines of text. They end in a newline, whatever browsers send."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class OneOf(forms.ChoiceField):
    """One of some values of any scalar type; None for no choice."""

    def __init__(self, choices: Choices, **options: Any) -> None:
        self.known = choices
        super().__init__(choices=choices.labels, **options)

    def clean(self, value: Any) -> Any:
        word = super().clean(value)
        return self.known.value_of(word) if word else None


class SomeOf(forms.MultipleChoiceField):
    """Some of some values, as a list in the order in which they are offered."""

    def __init__(self, choices: Choices, **options: Any) -> None:
        self.known = choices
        super().__init__(choices=choices.labels, **options)

    def clean(self, value: Any) -> Any:
        chosen = set(super().clean(value))
        return [self.known.value_of(word) for word, _label in self.known.labels if word in chosen]


Widgets = Mapping[str, Callable[[], forms.Widget]]


def make_field(spec: Mapping[str, Any], widgets: Widgets) -> forms.Field:
    """The form field for one field of a request; ``widgets`` are those to use instead of Django's
    usual ones, by type.

    >>> make_field({"name": "amount", "type": "decimal", "min": 0}, {}).label
    'Amount'
    """
    kind = _TYPES[spec["type"]]
    options = {
        "label": spec.get("label") or pretty_name(spec["name"]),
        "required": spec.get("required", True),
        # Django shows help texts as they are, and this one may hold anybody's data.
        "help_text": escape(spec.get("help") or ""),
    }
    if spec["type"] in widgets:
        options["widget"] = widgets[spec["type"]]()
    return kind.make(spec, options)


def as_data(spec: Mapping[str, Any], field: forms.Field, value: Any) -> Any:
    """A value that code gives, as the form takes it. ValidationError for one of another type: a
    form would make a text of anything."""
    if isinstance(field, OneOf) and field.known.word_for(value) is not None:
        return _word(field, value)  # None may be one of its values
    if value is None:
        return [] if isinstance(field, SomeOf) else ""
    if isinstance(field, SomeOf):
        if not isinstance(value, list | tuple | set | frozenset):
            raise ValidationError(field.error_messages["invalid_list"], code="invalid_list")
        return [_word(field, one) for one in value]
    if isinstance(field, OneOf):
        return _word(field, value)
    kind = _TYPES[spec["type"]]
    if not isinstance(value, kind.takes) or isinstance(value, kind.refuses):
        said = field.error_messages.get("invalid") or _("Enter a text.")
        raise ValidationError(said, code="invalid")
    return value


def _word(field: OneOf | SomeOf, value: Any) -> str:
    word = field.known.word_for(value)
    if word is None:
        said = field.error_messages["invalid_choice"]
        shown = values.visible(value, 200)
        raise ValidationError(said, code="invalid_choice", params={"value": shown})
    return word


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _text(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    return forms.CharField(initial=spec.get("initial"), **_lengths(spec), **options)


def _long_text(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    return LongText(initial=spec.get("initial"), **_lengths(spec), **options)


def _email(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    return forms.EmailField(initial=spec.get("initial"), **options)


def _lengths(spec: Mapping[str, Any]) -> dict[str, Any]:
    return _given(min_length=spec.get("min"), max_length=spec.get("max"))


def _integer(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    limits = _given(min_value=spec.get("min"), max_value=spec.get("max"))
    return forms.IntegerField(initial=spec.get("initial"), **limits, **options)


def _decimal(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    limits = _given(min_value=_exactly(spec.get("min")), max_value=_exactly(spec.get("max")))
    kept: dict[str, Any] = {"initial": spec.get("initial"), "validators": [_check_exponent]}
    return forms.DecimalField(**kept, **limits, **options)


def _check_exponent(number: Decimal) -> None:
    """1e999999999 is a short text, and a number that fills the memory of whoever writes it out."""
    if abs(number.adjusted()) > EXPONENT_MAX:
        raise ValidationError(forms.DecimalField.default_error_messages["invalid"], code="invalid")


def _exactly(limit: str | None) -> Decimal | None:
    return None if limit is None else Decimal(limit)


def _boolean(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    return forms.BooleanField(initial=spec.get("initial"), **options)


def _date(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    limits = _limits(_day(spec.get("min")), _day(spec.get("max")))
    return forms.DateField(initial=_day(spec.get("initial")), validators=limits, **options)


def _datetime(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    limits = _limits(_moment(spec.get("min")), _moment(spec.get("max")))
    initial = _moment(spec.get("initial"))
    is_split = isinstance(options.get("widget"), forms.MultiWidget)
    field_class = forms.SplitDateTimeField if is_split else forms.DateTimeField
    return field_class(initial=initial, validators=limits, **options)


def _limits(first: Any, last: Any) -> list[Any]:
    least = [] if first is None else [MinValueValidator(first)]
    return least if last is None else [*least, MaxValueValidator(last)]


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _moment(text: str | None) -> datetime | None:
    """With a time zone, unless the project has none: then what a form gives has none, either."""
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is None or django_settings.USE_TZ:
        return moment
    return timezone.make_naive(moment)


def _choice(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    choices = Choices(spec["choices"])
    initial = spec.get("initial")
    # None may be one of the values, but as an initial it stands for none.
    options["initial"] = None if initial is None else choices.word_for(initial)
    if len(choices) <= RADIOS_MAX and options["required"]:
        options.setdefault("widget", forms.RadioSelect())
        return OneOf(choices, **options)
    field = OneOf(choices, **options)
    field.choices = [("", EMPTY_LABEL), *choices.labels]
    return field


def _multiple(spec: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    choices = Choices(spec["choices"])
    options["initial"] = [choices.word_for(value) for value in spec.get("initial") or ()]
    options.setdefault("widget", forms.CheckboxSelectMultiple())
    return SomeOf(choices, **options)


class _Type(NamedTuple):
    """How a type of field is made, and which values of Python it takes."""

    make: Callable[[Mapping[str, Any], dict[str, Any]], forms.Field]
    takes: tuple[type, ...] = (str,)
    refuses: tuple[type, ...] = ()


_TYPES: Final[dict[str, _Type]] = {
    "text": _Type(_text),
    "long_text": _Type(_long_text),
    "email": _Type(_email),
    "integer": _Type(_integer, (int, float, Decimal, str), (bool,)),
    "decimal": _Type(_decimal, (int, float, Decimal, str), (bool,)),
    "boolean": _Type(_boolean, (bool,)),
    "date": _Type(_date, (date, str), (datetime,)),
    "datetime": _Type(_datetime, (datetime, str)),
    "choice": _Type(_choice),
    "multiple_choice": _Type(_multiple),
}
