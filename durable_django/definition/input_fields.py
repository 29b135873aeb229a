"""Input fields: what a form asks for, as it is written and as it is kept.

Each field becomes a dict of JSON's own types, so that a request reads the same wherever it is
stored. Making a form of it is not done here, and no form class is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.functional import Promise

from durable_django.definition.choices import key_of_scalar, plain_scalar, read_choices
from durable_django.definition.field_values import READERS, SIZES
from durable_django.definition.shown import read_words
from durable_django.definition.spelling import did_you_mean

FIELD_NAME_LENGTH_MAX = 100

TYPES = (
    "text",
    "long_text",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "email",
    "choice",
    "multiple_choice",
)
OPTIONS = ("name", "type", "label", "required", "help", "initial", "min", "max", "choices")
_CHOOSING = ("choice", "multiple_choice")

_SHAPES = (
    'a mapping of names to types, like {"amount": "decimal"}, or to options, or a list of options '
    'with "name"'
)


def read_fields(value: Any, what: str = "fields") -> list[dict[str, Any]]:
    """The fields of a form, each with all of the keys `name`, `type`, `label`, `required`, `help`,
    `initial`, `min`, `max` and `choices`.

    `value` is a mapping of names to a type or to options, or a sequence of options with "name".
    What is not said is None, but: `type` is "text", `label` is made of the name, `help` is "",
    `choices` is [], and a field is required unless it is a boolean (one that is required has to be
    ticked). Decimals, dates and datetimes are kept as text, the latter two in ISO 8601. TypeError
    or ValueError names what is wrong, with `what` for the whole.

    >>> read_fields({"amount": "decimal"})[0]["label"]
    'Amount'
    """
    found = [_read_field(*entry, what) for entry in _entries(value, what)]
    if not found:
        raise ValueError(f"{what} is empty; a form has at least one field")
    names = [field["name"] for field in found]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f'{what} has "{name}" twice')
    return found


def _entries(value: Any, what: str) -> Iterable[tuple[object, Mapping[str, Any]]]:
    """(name, options) of each field."""
    if isinstance(value, Mapping):
        for name, options in value.items():
            given = options if isinstance(options, Mapping) else {"type": options}
            if "name" in given and given["name"] != name:
                raise ValueError(f"{what} calls {name!r:.80} also {given['name']!r:.80}")
            yield name, given
    elif isinstance(value, (list, tuple)):
        for options in value:
            if not isinstance(options, Mapping):
                raise TypeError(f"{what} is {_SHAPES}; {options!r:.80} is neither")
            if "name" not in options:
                raise ValueError(f"{what} has a field without a name: {dict(options)!r:.80}")
            yield options["name"], options
    else:
        raise TypeError(f"{what} is {_SHAPES}, not {value!r:.80}")


def _read_field(name: object, options: Mapping[str, Any], what: str) -> dict[str, Any]:
    name = _read_name(name, what)
    where = f'{what}["{name}"]'
    for option in options:
        if option not in OPTIONS:
            near = did_you_mean(option, OPTIONS) if isinstance(option, str) else ""
            raise ValueError(
                f"{where} has no option {option!r:.80}{near} (there are {', '.join(OPTIONS)})"
            )
    kind = _read_type(options.get("type", "text"), where)
    field: dict[str, Any] = {
        "name": name,
        "type": kind,
        "label": _read_words(options.get("label"), f"{where} label") or _label(name),
        "required": _read_required(options.get("required"), kind, where),
        "help": _read_words(options.get("help"), f"{where} help") or "",
        "initial": None,
        "min": _read_bound(options.get("min"), kind, f"{where} min"),
        "max": _read_bound(options.get("max"), kind, f"{where} max"),
        "choices": _read_choices(options.get("choices"), kind, where),
    }
    _check_bounds(field, where)
    if options.get("initial") is not None:
        field["initial"] = _read_initial(options["initial"], field, f"{where} initial")
    return field


def _read_name(name: object, what: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{what} has a field whose name is no string: {name!r:.80}")
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(
            f"{what} has a field called {name!r:.80}; a name is made of letters, digits and "
            "underscores, and begins with a letter"
        )
    if len(name) > FIELD_NAME_LENGTH_MAX:
        raise ValueError(f"{what}: a field's name has at most {FIELD_NAME_LENGTH_MAX} characters")
    return str.__str__(name)


def _read_type(kind: object, where: str) -> str:
    if not isinstance(kind, str):
        raise TypeError(f"{where} has the type {kind!r:.80}; a type is one of {', '.join(TYPES)}")
    if kind not in TYPES:
        raise ValueError(
            f'{where} has the type "{kind:.80}", which there is not{did_you_mean(kind, TYPES)} '
            f"(there are {', '.join(TYPES)})"
        )
    return str.__str__(kind)


def _read_words(words: object, what: str) -> Any:
    """A text for people, which may be one that is translated when it is shown."""
    return None if words is None else read_words(words, what)


def _label(name: str) -> str:
    """``"amount_due"`` → ``"Amount due"``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _read_required(required: object, kind: str, where: str) -> bool:
    if required is None:
        return kind != "boolean"
    if not isinstance(required, bool):
        raise TypeError(f"{where} required is True or False, not {required!r:.80}")
    return required


def _read_bound(bound: object, kind: str, what: str) -> Any:
    if bound is None:
        return None
    if kind not in SIZES:
        raise ValueError(f"{what} is for {', '.join(SIZES)}, not for {kind}")
    return SIZES[kind].bound(bound, what)


def _read_choices(choices: object, kind: str, where: str) -> list[list[Any]]:
    if kind in _CHOOSING:
        if choices is None:
            raise ValueError(f"{where} is of the type {kind} and has no choices")
        return read_choices(choices, f"{where} choices")
    if choices is not None:
        raise ValueError(f"{where} choices is for {' and '.join(_CHOOSING)}, not for {kind}")
    return []


def _check_bounds(field: Mapping[str, Any], where: str) -> None:
    least, most = field["min"], field["max"]
    if least is None or most is None:
        return
    order = SIZES[field["type"]].order
    if order(least) > order(most):
        raise ValueError(f"{where} min is {least}, more than its max, {most}")


def _read_initial(initial: object, field: Mapping[str, Any], what: str) -> Any:
    if field["type"] == "choice":
        return _chosen(initial, field, what)
    if field["type"] == "multiple_choice":
        if not isinstance(initial, (list, tuple)):
            raise TypeError(f"{what} is a list of choices, not {initial!r:.80}")
        return [_chosen(entry, field, what) for entry in initial]
    value = READERS[field["type"]](initial, what)
    if field["type"] in SIZES:
        _check_within(value, field, what)
    return value


def _chosen(value: object, field: Mapping[str, Any], what: str) -> Any:
    plain = plain_scalar(value)
    key = key_of_scalar(plain)
    if key is None or key not in [key_of_scalar(choice) for choice, _ in field["choices"]]:
        raise ValueError(f"{what} is none of its choices: {value!r:.80}")
    return plain


def _check_within(value: Any, field: Mapping[str, Any], what: str) -> None:
    sizes = SIZES[field["type"]]
    size = sizes.size(value)
    least, most = field["min"], field["max"]
    if least is not None and size < sizes.order(least):
        raise ValueError(f"{what} is below its min, {least}")
    if most is not None and size > sizes.order(most):
        raise ValueError(f"{what} is above its max, {most}")


def texts_settled(fields: Any, settle: Callable[[Any], str] = str) -> Any:
    """A copy of the fields or choices in which each text that is translated when it is shown is
    one now.
    """
    if isinstance(fields, Promise):
        return settle(fields)
    if isinstance(fields, Mapping):
        return {key: texts_settled(value, settle) for key, value in fields.items()}
    if isinstance(fields, (list, tuple)):
        return [texts_settled(value, settle) for value in fields]
    return fields
