"""Shown: what a wait was given, as JSON-able data for a drawing; and copies of plain containers.

The same in every process that imports the class, so that a stored structure changes with the code
only. It stores nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from django.utils.functional import Promise

# Where an object lies in memory, which is another place in every process.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def shown(value: Any) -> Any:
    """`value` as JSON's own types; what JSON has no word for is shown as its repr.

    >>> from decimal import Decimal
    >>> shown({"limit": Decimal("0.5"), "days": (1, 2)})
    {'limit': "Decimal('0.5')", 'days': [1, 2]}
    """
    if isinstance(value, (str, Promise)):
        text = str(value)
        return text if is_storable(text) else repr(text)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(shown(str(key))): shown(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(entry) for entry in value]
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return _ADDRESS.sub("", repr(value))


def is_storable(text: str) -> bool:
    """Whether a database can hold it: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def read_words(value: object, what: str) -> Any:
    """A text for people, as it stands."""
    if not isinstance(value, (str, Promise)):
        raise TypeError(f"{what} is a string, not {value!r:.80}")
    if isinstance(value, str) and not is_storable(value):
        raise ValueError(f"{what} holds a character that cannot be stored: {value!r:.80}")
    return value


def own_copy(value: Any) -> Any:
    """`value` with each dict, list, tuple and set in it made anew; the rest is shared."""
    if isinstance(value, dict):
        return {key: own_copy(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(map(own_copy, value))
    return set(value) if type(value) is set else value
