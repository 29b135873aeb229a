"""The types beside JSON's own, and the form each is written in: ``{"$": [tag, argument, ...]}``.

``FORMS`` writes them, ``restore`` reads them back; containers are walked in ``value_walk``.
Nothing here builds JSON text, and nothing read from a form names code to import: a tag picks from
a table.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from .results import MemberFailure, Results

TAG: Final = "$"

_SURROGATE = re.compile("[\ud800-\udfff]")


class Refused(Exception):
    """A value the gate does not let in. The walk adds a segment per level while it unwinds."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.segments: list[str] = []


def check_text(text: str) -> None:
    """Refuses what PostgreSQL or UTF-8 cannot hold."""
    if "\0" in text:
        raise Refused("contains a NUL character")
    if not text.isascii() and (found := _SURROGATE.search(text)):
        raise Refused(f"contains a lone surrogate (\\u{ord(found[0]):04x})")


# Writing


def _datetime_form(value: datetime) -> dict[str, Any]:
    return _clock_form("datetime", value)


def _time_form(value: time) -> dict[str, Any]:
    return _clock_form("time", value)


def _clock_form(tag: str, value: datetime | time) -> dict[str, Any]:
    zone = None if value.tzinfo is None else _zone_form(value.tzinfo)
    if zone is None:
        form: list[Any] = [tag, value.isoformat()]
    else:  # the wall time: it stays what was meant when a country changes its rules
        form = [tag, value.replace(tzinfo=None).isoformat(), zone]
    if value.fold:
        form += [None, 1] if zone is None else [1]
    return {TAG: form}


def _zone_form(zone: tzinfo) -> str | list[Any] | None:
    """A ZoneInfo's key; the arguments of a fixed offset that ISO 8601 cannot tell; else None."""
    if zone is UTC:
        return None
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        arguments = [offset.days, offset.seconds, offset.microseconds]
        if name != timezone(offset).tzname(None):
            check_text(name)
            return [*arguments, name]
        # fromisoformat() takes +00:00:00.000001 for UTC
        return arguments if offset.microseconds else None
    key = getattr(zone, "key", None)
    if not issubclass(type(zone), ZoneInfo) or type(key) is not str:
        raise Refused(
            f"the time zone {type(zone).__name__} cannot be stored: "
            "use zoneinfo.ZoneInfo(name) or datetime.timezone"
        )
    check_text(key)
    return key


def _decimal_form(value: Decimal) -> dict[str, Any]:
    if not value.is_finite():
        raise Refused(f"{value} is not a finite number")
    return {TAG: ["decimal", str(value)]}


def _failure_form(value: MemberFailure) -> dict[str, Any]:
    for text in (value.type, value.message):
        if not isinstance(text, str):
            raise Refused(f"a MemberFailure holds two texts, not {type(text).__name__}")
        check_text(text)
    return {TAG: ["failure", str.__str__(value.type), str.__str__(value.message)]}


FORMS: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    datetime: _datetime_form,
    date: lambda value: {TAG: ["date", value.isoformat()]},
    time: _time_form,
    timedelta: lambda value: {TAG: ["timedelta", value.days, value.seconds, value.microseconds]},
    Decimal: _decimal_form,
    UUID: lambda value: {TAG: ["uuid", str(value)]},
    bytes: lambda value: {TAG: ["bytes", b64encode(value).decode("ascii")]},
    MemberFailure: _failure_form,
}


# Subclasses are stored as the type they extend: how to make a plain one of each. The unbound
# methods do not ask the subclass: str() of a (str, Enum) member would give its name.
# `base` is the key, since freezegun replaces the names `datetime` and `date` in every module.
PLAIN_COPIES: Final[dict[type, Callable[[Any, Any], Any]]] = {
    str: lambda base, v: str.__str__(v),
    int: lambda base, v: int.__int__(v),
    float: lambda base, v: float.__float__(v),
    dict: lambda base, v: dict(v),
    list: lambda base, v: list(v),
    tuple: lambda base, v: tuple(v),
    set: lambda base, v: set(v),
    bytes: lambda base, v: bytes(v),
    datetime: lambda base, v: base(
        v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.tzinfo, fold=v.fold
    ),
    date: lambda base, v: base(v.year, v.month, v.day),
    time: lambda base, v: base(v.hour, v.minute, v.second, v.microsecond, v.tzinfo, fold=v.fold),
    timedelta: lambda base, v: base(v.days, v.seconds, v.microseconds),
    Decimal: lambda base, v: base(v),
    UUID: lambda base, v: base(int=v.int),
}


# Reading


def _clock_reader(parse: Callable[[str], Any]) -> Callable[..., Any]:
    def read(text: str, zone: str | list[Any] | None = None, fold: int = 0) -> Any:
        value = parse(text)
        if zone is None and not fold:
            return value
        return value.replace(tzinfo=_zone(zone) if zone else value.tzinfo, fold=fold)

    return read


def _zone(form: str | list[Any]) -> tzinfo:
    if isinstance(form, str):
        return ZoneInfo(form)
    days, seconds, microseconds, *name = form
    return timezone(timedelta(days, seconds, microseconds), *name)


_READERS: Final[dict[str, Callable[..., Any]]] = {
    TAG: lambda value: {TAG: value},
    "tuple": tuple,
    "set": set,
    "datetime": _clock_reader(datetime.fromisoformat),
    "date": date.fromisoformat,
    "time": _clock_reader(time.fromisoformat),
    "timedelta": timedelta,
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": b64decode,
    "failure": MemberFailure,
    "results": Results,
}


def restore(found: dict[str, Any]) -> Any:
    """The hook for each JSON object read: a form becomes its value, any other stays. ValueError for
    a form that cannot be read here: an unknown tag, or a time zone this machine does not have."""
    if len(found) != 1 or TAG not in found:
        return found
    try:
        tag, *arguments = found[TAG]
        return _READERS[tag](*arguments)
    except Exception as error:
        shown = repr(found)[:200]
        raise ValueError(f"{shown} is no value that can be read here: {error!r}") from error
