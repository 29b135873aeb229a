"""What "the same" means for stored values, and how a refusal is read; for the tests of the gate."""

from __future__ import annotations

from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from durable_django.engine.values import decode, encode
from durable_django.exceptions import NotSerializable

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
