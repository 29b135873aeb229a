"""The gate: subclasses, what is refused and with which advice, the limit, what is made visible."""

from __future__ import annotations

import doctest
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db.models import IntegerChoices, TextChoices
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from durable_django.engine import value_types, values
from durable_django.engine.values import decode, encode, visible
from durable_django.exceptions import NotSerializable, PayloadTooLarge
from tests.engine.sameness import refusal, told

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


# Subclasses become the plain type


class Colour(TextChoices):
    RED = "red", "Red"


class Size(IntegerChoices):
    LARGE = 3, "Large"


class Mood(str, Enum):  # noqa: UP042
    GOOD = "good"


class Level(IntEnum):
    HIGH = 9


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


class Metres(float):
    pass


class FakeDatetime(datetime):
    """As freezegun's."""


class Blob(bytes):
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Colour.RED, "red"),
        (Mood.GOOD, "good"),
        (Loud("quiet"), "quiet"),
        (mark_safe("<b>"), "<b>"),
        (gettext_lazy("Yes"), "Yes"),
        (lazy(lambda: mark_safe("<i>"), str)(), "<i>"),
        (Size.LARGE, 3),
        (Level.HIGH, 9),
        (Metres(2.5), 2.5),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (type("Rows", (list,), {})([1, Level.HIGH]), [1, 9]),
        (type("Bag", (set,), {})({1}), {1}),
        (Point(1, Level.HIGH), (1, 9)),
        (Blob(b"x"), b"x"),
        (type("Money", (Decimal,), {})("1.50"), Decimal("1.50")),
        (type("Key", (UUID,), {})(int=5), UUID(int=5)),
        (FakeDatetime(2030, 1, 1, tzinfo=NEW_YORK, fold=1), None),
        (type("Day", (date,), {})(2030, 1, 1), date(2030, 1, 1)),
        (type("Clock", (time,), {})(1, 2, fold=1), time(1, 2, fold=1)),
        (type("Span", (timedelta,), {})(days=-1, microseconds=3), timedelta(-1, 0, 3)),
        ({Colour.RED: Level.HIGH, mark_safe("b"): 1}, {"red": 9, "b": 1}),
        ({"$": Colour.RED}, {"$": "red"}),
        (type("Box", (dict,), {})({"$": 1}), {"$": 1}),
        ({Colour.RED, Level.HIGH}, {"red", 9}),
    ],
)
def test_a_subclass_is_stored_as_the_type_it_extends(value: Any, stored: Any) -> None:
    if stored is None:
        stored = datetime(2030, 1, 1, tzinfo=NEW_YORK, fold=1)
    for wrapped, expected in ((value, stored), ([value], [stored]), ({"k": value}, {"k": stored})):
        assert told(decode(encode(wrapped, "input"))) == told(expected)


def test_subclasses_are_judged_too() -> None:
    assert refusal([Metres("nan")]).path == "input[0]"
    assert refusal({"a": Loud("\0")}).path == 'input["a"]'
    assert refusal(type("Huge", (int,), {})(10**4_000)).path == "input"
    assert refusal(OrderedDict(a=[object()])).path == 'input["a"][0]'
    assert refusal(Point(1, object())).path == "input[1]"
    assert refusal({mark_safe("\0"): 1}).reason == "the key contains a NUL character"


def test_datetimes_are_stored_while_a_test_freezes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """freezegun puts its own class wherever a module holds the name `datetime`."""
    monkeypatch.setattr(value_types, "datetime", FakeDatetime)
    value = FakeDatetime(2030, 1, 1, tzinfo=UTC)
    assert told(decode(encode(value, "x"))) == told(datetime(2030, 1, 1, tzinfo=UTC))


def test_a_subclass_that_holds_more_than_its_base_is_refused() -> None:
    class Nanoseconds(timedelta):
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    class NotATime(datetime):
        @property
        def year(self) -> float:  # type: ignore[override]
            return math.nan

    assert "more than a timedelta" in refusal([Nanoseconds(1)]).reason
    assert "cannot be read as datetime" in refusal(NotATime(2030, 1, 1, tzinfo=UTC)).reason


def test_parts_that_would_fall_into_one_are_refused() -> None:
    class Apart(str):
        __hash__ = object.__hash__

        def __eq__(self, other: object) -> bool:
            return self is other

    assert refusal({"k": {"a": 1, Apart("a"): 2}}).path == 'input["k"]'
    assert refusal([{"a", Apart("a")}]).path == "input[0]"


# Everything else is refused, with a word of advice


class Customer:
    """Has what tells a model instance: _meta and pk."""

    _meta = object()
    pk = 7


def test_a_model_instance_is_refused_with_the_way_out() -> None:
    for value in (Customer(), SimpleLazyObject(Customer)):
        error = refusal({"customer": value})
        assert error.path == 'input["customer"]'
        assert error.reason == (
            "a Customer is a model instance and cannot be stored: "
            "keep its pk and load it in the step"
        )


def test_a_lazy_object_that_cannot_be_looked_at_is_still_refused() -> None:
    def broken() -> Any:
        raise RuntimeError("no database here")

    assert "SimpleLazyObject cannot be stored" in refusal(SimpleLazyObject(broken)).reason


def test_a_lazy_string_that_fails_is_refused_and_a_lazy_number_too() -> None:
    def broken() -> str:
        raise LookupError("no such url")

    assert "no such url" in refusal([lazy(broken, str)()]).reason
    refusal([lazy(lambda: 5, int)()])
    refusal({gettext_lazy("Yes"): 1})


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (frozenset({1}), "use a set"),
        (bytearray(b"x"), "use bytes"),
        (memoryview(b"x"), "use bytes"),
        (range(3), "use a list"),
        ((n for n in [1]), "use a list"),
        (Enum("Plain", "A").A, "keep its .value"),  # type: ignore[attr-defined]
        (lambda: None, "only data can be stored"),
        (1j, "builtins.complex cannot be stored"),
        (ValueError("x"), "builtins.ValueError cannot be stored"),
    ],
)
def test_the_reason_names_the_type_and_the_way_out(value: Any, advice: str) -> None:
    error = refusal([value])
    assert error.path == "input[0]"
    assert advice in error.reason


def test_a_refused_item_of_a_set_is_shown_in_the_path() -> None:
    assert refusal({"tags": {frozenset()}}).path == 'input["tags"]{frozenset()}'
    assert refusal({("a", "\0")}).path == "input{('a', '\\x00')}[1]"


def test_a_refused_value_whose_repr_fails_is_shown_by_its_type() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert refusal({Shy()}).path == "input{<Shy>}"
    assert refusal({Shy(): 1}).path == "input[<Shy>]"


def test_a_value_made_unfit_in_place_is_found_the_next_time() -> None:
    value: dict[str, Any] = {"items": [1]}
    encode(value, "context")
    value["items"].append(object())
    assert refusal(value, "context").path == 'context["items"][1]'


# The limit


def test_the_limit_is_in_bytes_of_utf8() -> None:
    assert encode("é" * 10, "x", limit=22)
    with pytest.raises(PayloadTooLarge) as caught:
        encode("é" * 10, "x", limit=21)
    assert (caught.value.path, caught.value.size, caught.value.limit) == ("x", 22, 21)
    assert encode([1, 2], "x", limit=5) == "[1,2]"
    with pytest.raises(PayloadTooLarge):
        encode([1, 2], "x", limit=4)


def test_the_limit_of_a_megabyte_is_exact() -> None:
    limit = 1_048_576
    assert encode("a" * (limit - 2), "x", limit=limit)
    for text in ("a" * (limit - 1), "é" * (limit // 2)):
        with pytest.raises(PayloadTooLarge, match=r"1,048,57\d|1,048,578"):
            encode(text, "x", limit=limit)


def test_what_cannot_be_stored_at_all_is_told_before_its_size() -> None:
    with pytest.raises(NotSerializable) as caught:
        encode("\0" * 100, "x", limit=10)
    assert type(caught.value) is NotSerializable


# Made visible


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain é 🙂", "plain é 🙂"),
        ("a\0b", "a\\x00b"),
        ("\udc80", "\\udc80"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("tab\tline\n\r", "tab\tline\n\r"),
        (ValueError("no"), "no"),
        (math.nan, "nan"),
        (None, "None"),
        (Loud("x"), "LOUD"),
    ],
)
def test_anything_can_be_made_visible(value: object, shown: str) -> None:
    assert visible(value) == shown
    assert type(visible(value)) is str


def test_an_object_whose_text_fails_is_named() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    class Wrong:
        def __str__(self) -> str:
            return 5  # type: ignore[return-value]

    assert visible(Broken()) == "<Broken: its str() raised RuntimeError>"
    assert visible(Wrong()) == "<Wrong: its str() raised TypeError>"
    assert visible(10**5_000) == "<int: its str() raised ValueError>"


def test_what_is_cut_says_so_and_cuts_no_letter_in_half() -> None:
    assert visible("abcdefgh", 8) == "abcdefgh"
    assert visible("abcdefghi", 8) == "abcde…"
    assert visible("ééééé", 8) == "éé…"
    assert visible("\0\0\0", 8) == "\\x00\\…"
    assert visible("abc", 2) == "ab"
    assert visible("abc", 0) == ""


def test_the_examples_in_the_docstrings_are_true() -> None:
    result = doctest.testmod(values)
    assert result.attempted
    assert not result.failed
