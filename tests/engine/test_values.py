"""The gate for values: what it lets in comes back the same, what it refuses is named by its path.

Sampled worlds first (Hypothesis), then the edges one by one.
"""

from __future__ import annotations

import copy
import doctest
import math
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db.models import IntegerChoices, TextChoices
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import strategies as st

from durable_django.engine import value_types, values
from durable_django.engine.values import decode, encode, visible
from durable_django.exceptions import NotSerializable, PayloadTooLarge

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


# What "the same" means


def told(value: Any) -> Any:
    """Everything that tells a value from another, as something comparable: 1, True and 1.0 differ,
    -0.0 and 0.0 differ, so do two folds, two zones with one offset and two exponents."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [told(item) for item in value]
    if kind is dict:
        return kind, [(told(key), told(item)) for key, item in value.items()]
    if kind is set:
        return kind, sorted((told(item) for item in value), key=repr)
    if kind is float:
        return kind, value.hex()
    if kind is Decimal:
        return kind, value.as_tuple()
    if kind in (datetime, time):
        zone = value.tzinfo
        if type(zone) is timezone:
            zone = zone.utcoffset(None), zone.tzname(None)
        return kind, value.replace(tzinfo=None).isoformat(), value.fold, repr(zone)
    return kind, value


def there_and_back(value: Any) -> Any:
    text = encode(value, "input")
    result = decode(text)
    assert told(result) == told(value)
    assert encode(result, "input") == text
    return result


def refusal(value: Any, path: str = "input") -> NotSerializable:
    with pytest.raises(NotSerializable) as caught:
        encode(value, path)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


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


# Plain values


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        1,
        1.0,
        -0.0,
        5e-324,
        sys.float_info.max,
        1e22,
        2**64,
        "",
        '\u2028 é 🙂 \x01 \x7f " \\ /',
        [],
        {},
        (),
        set(),
        b"",
        bytes(range(256)),
        [[], {}, (), set(), b"", ""],
        ((),),
        (1,),
        {(1, ("a", None)), (2,)},
        {1, "1", 2.5, None, Decimal("1.5"), b"1", date(2030, 1, 1), ("1",)},
        {"": {"": ""}},
        uuid4(),
        UUID(int=0),
    ],
)
def test_a_value_comes_back_as_itself(value: Any) -> None:
    there_and_back(value)


def test_the_text_is_compact_and_keeps_letters_as_they_are() -> None:
    assert encode({"naïve": [1, 2.0, None]}, "input") == '{"naïve":[1,2.0,null]}'


def test_the_order_of_keys_is_kept() -> None:
    assert list(decode(encode({"b": 1, "a": 2}, "input"))) == ["b", "a"]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_of_4000_digits_is_let_in_and_of_4001_refused(sign: int) -> None:
    largest = 10**4_000 - 1
    there_and_back(sign * largest)
    there_and_back([{"n": sign * largest}, {sign * largest}])
    for value in (sign * (largest + 1), sign * 10**6_000):
        assert refusal(value).path == "input"
        assert refusal({"a": [0, value]}).path == 'input["a"][1]'
        assert "4,000 digits" in refusal((value,)).reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_floats_that_are_no_numbers_are_refused(value: float) -> None:
    assert refusal({"a": (1.5, value)}).path == 'input["a"][1]'
    assert refusal({value}).path == f"input{{{value!r}}}"


def test_a_text_about_an_escape_is_no_escape() -> None:
    there_and_back("\\u0000 and \\ud800")
    there_and_back({"\\u0000": "C:\\u0000"})
    assert refusal(["\\u0000", "\0"]).path == "input[1]"


def test_two_halves_of_a_pair_are_still_lone_surrogates() -> None:
    assert refusal("\ud83d\ude00").reason == "contains a lone surrogate (\\ud83d)"


@pytest.mark.parametrize(
    ("key", "path", "reason"),
    [
        (1, "input[1]", "the keys of a dict must be str, not int"),
        (True, "input[True]", "the keys of a dict must be str, not bool"),
        (None, "input[None]", "the keys of a dict must be str, not NoneType"),
        (("a", 1), "input[('a', 1)]", "the keys of a dict must be str, not tuple"),
        (b"a", "input[b'a']", "the keys of a dict must be str, not bytes"),
        ("a\0", 'input["a\\x00"]', "the key contains a NUL character"),
        ("\udc80", 'input["\\udc80"]', "the key contains a lone surrogate (\\udc80)"),
    ],
)
def test_a_key_that_is_no_plain_text_is_refused(key: Any, path: str, reason: str) -> None:
    error = refusal({"first": 1, key: 2})
    assert (error.path, error.reason) == (path, reason)


def test_a_quote_in_a_key_is_escaped_in_the_path() -> None:
    assert refusal({'say "no"\\': object()}).path == r'input["say \"no\"\\"]'


def test_the_path_is_the_one_of_the_design() -> None:
    value = {"order": {"items": [1, 2, 3, object()]}}
    error = refusal(value)
    assert str(error) == 'input["order"]["items"][3]: builtins.object cannot be stored'


# Nesting


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        shapes = ([value], (value,), {"key": value}, {"$": value})
        value = shapes[level % len(shapes)]
    return value


@pytest.mark.parametrize("shape", ["list", "tuple", "dict", "$", "mixed"])
def test_nesting_of_100_is_let_in_and_of_101_refused(shape: str) -> None:
    wrap: dict[str, Callable[[Any], Any]] = {
        "list": lambda value: [value],
        "tuple": lambda value: (value,),
        "dict": lambda value: {"k": value},
        "$": lambda value: {"$": value},
    }
    value: Any = "end"
    if shape == "mixed":
        value = nested(100)
    else:
        for _ in range(100):
            value = wrap[shape](value)
    there_and_back(value)
    error = refusal([value])
    assert error.path.startswith("input[0]")
    assert "100" in error.reason


def test_an_empty_container_counts_as_a_level() -> None:
    value: Any = set()
    for _ in range(99):
        value = [value]
    there_and_back(value)
    refusal([value])


def test_a_set_of_deep_tuples_counts_its_level() -> None:
    value: Any = 1
    for _ in range(99):
        value = (value,)
    there_and_back({value})
    refusal([{value}])


def test_containers_that_contain_themselves_are_refused() -> None:
    cyclic_list: list[Any] = []
    cyclic_list.append(cyclic_list)
    cyclic_dict: dict[str, Any] = {}
    cyclic_dict["me"] = (cyclic_dict,)
    pair: list[Any] = []
    pair += [pair, pair]
    for value in (cyclic_list, cyclic_dict, pair):
        assert "contains itself" in refusal(value).reason
    assert refusal(cyclic_list).path == "input" + "[0]" * 100


def test_one_object_in_two_places_is_no_cycle() -> None:
    shared = [1]
    assert decode(encode({"a": shared, "b": shared}, "input")) == {"a": [1], "b": [1]}


# The tag


@pytest.mark.parametrize(
    "value",
    [
        {"$": 1},
        {"$": None},
        {"$": []},
        {"$": {}},
        {"$": {"$": 1}},
        {"$": {"$": {"$": {}}}},
        {"$": ["datetime", "2030-01-01T00:00:00"]},
        {"$": ["$", 1]},
        {"$": ["unknown"]},
        {"$": (1, {"$": {2}})},
        {"$": 1, "a": 2},
        {"a": {"$": date(2030, 1, 1)}},
        ["$", {"$": "$"}],
        '{"$":["date","2030-01-01"]}',
    ],
)
def test_a_users_own_dollar_key_is_no_tag(value: Any) -> None:
    there_and_back(value)


@pytest.mark.parametrize(
    "text",
    ['{"$":5}', '{"$":[]}', '{"$":["pickle","x"]}', '{"$":[["date"]]}', '{"$":["date","x"]}'],
)
def test_a_form_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no value that can be read here"):
        decode(text)


def test_text_that_is_no_json_is_told() -> None:
    for text in ("", "{", "[1] 2"):
        with pytest.raises(ValueError, match="line 1"):
            decode(text)


# Dates and times


NAIVE = datetime.fromisoformat("2024-11-03T01:30:00")


@pytest.mark.parametrize(
    "value",
    [
        datetime.min,  # noqa: DTZ901
        datetime.max,  # noqa: DTZ901
        datetime.max.replace(tzinfo=NEW_YORK),
        datetime.min.replace(tzinfo=NEW_YORK, fold=1),
        NAIVE,
        NAIVE.replace(fold=1),
        NAIVE.replace(tzinfo=UTC),
        NAIVE.replace(tzinfo=UTC, fold=1),
        NAIVE.replace(tzinfo=ZoneInfo("UTC")),
        NAIVE.replace(tzinfo=NEW_YORK),
        NAIVE.replace(tzinfo=NEW_YORK, fold=1),
        NAIVE.replace(tzinfo=timezone(timedelta(hours=5, minutes=30, seconds=15))),
        NAIVE.replace(tzinfo=timezone(-timedelta(hours=5, microseconds=7)), fold=1),
        NAIVE.replace(tzinfo=timezone(timedelta(microseconds=1))),
        NAIVE.replace(tzinfo=timezone(-timedelta(microseconds=1))),
        NAIVE.replace(tzinfo=timezone(timedelta(hours=1), "CET")),
        NAIVE.replace(tzinfo=timezone(timedelta(0), "Zulu")),
        date.min,
        date.max,
        time.min,
        time.max,
        time(1, 30, fold=1),
        time(1, 30, tzinfo=UTC),
        time(1, 30, tzinfo=BERLIN, fold=1),
        time(1, 30, tzinfo=timezone(timedelta(seconds=-1))),
        timedelta(0),
        timedelta.min,
        timedelta.max,
        timedelta(microseconds=-1),
        timedelta(days=-3, microseconds=5),
    ],
)
def test_times_come_back_with_zone_offset_name_and_fold(value: Any) -> None:
    there_and_back(value)


def test_the_two_half_past_ones_of_a_november_night_stay_two() -> None:
    first = NAIVE.replace(tzinfo=NEW_YORK)
    second = NAIVE.replace(tzinfo=NEW_YORK, fold=1)
    assert there_and_back(second).timestamp() - there_and_back(first).timestamp() == 3_600


def test_the_common_forms_are_readable() -> None:
    assert (
        encode(NAIVE.replace(tzinfo=UTC), "x") == '{"$":["datetime","2024-11-03T01:30:00+00:00"]}'
    )
    assert (
        encode(NAIVE.replace(tzinfo=BERLIN), "x")
        == '{"$":["datetime","2024-11-03T01:30:00","Europe/Berlin"]}'
    )
    assert encode(Decimal("1.50"), "x") == '{"$":["decimal","1.50"]}'
    assert encode({"b", "a"}, "x") == '{"$":["set",["a","b"]]}'


def test_a_time_zone_of_another_library_is_refused() -> None:
    class Pytz(tzinfo):
        zone = "Europe/Berlin"

        def utcoffset(self, when: Any) -> timedelta:
            return timedelta(hours=1)

        dst = tzname = lambda self, when: None

    error = refusal({"at": NAIVE.replace(tzinfo=Pytz())})
    assert error.path == 'input["at"]'
    assert "use zoneinfo.ZoneInfo(name)" in error.reason


def test_a_nameless_or_damaged_zone_is_refused() -> None:
    damaged = timezone(timedelta(hours=1), "C\0T")
    assert refusal([NAIVE.replace(tzinfo=damaged)]).path == "input[0]"

    class Nameless(ZoneInfo):
        key = None  # type: ignore[assignment]

    assert "cannot be stored" in refusal(NAIVE.replace(tzinfo=Nameless("UTC"))).reason


# Numbers, bytes


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "0E-10", "-0E+5", "1E+5", "1.50", "1e-999999", "9" * 5_000, "1E+999999999999"],
)
def test_decimals_keep_their_sign_and_exponent(text: str) -> None:
    there_and_back(Decimal(text))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-NaN123", "Infinity", "-Infinity"])
def test_decimals_that_are_no_numbers_are_refused(text: str) -> None:
    error = refusal({"total": Decimal(text)})
    assert (error.path, error.reason) == ('input["total"]', f"{text} is not a finite number")


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
