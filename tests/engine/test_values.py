"""The gate for values: what it lets in comes back the same, what it refuses is named by its path.

Sampled worlds first (Hypothesis), then the edges one by one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from durable_django.engine.values import decode, encode
from tests.engine.sameness import refusal, there_and_back

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


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
