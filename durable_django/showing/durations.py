"""Durations as people write them in forms and on command lines: ``90s``, ``1h 30m``, ``7d``.

Text in, seconds out, and back. What a duration may be is judged by ``definition.durations``; how
they are spoken in pages stands elsewhere. It knows no clock.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from ..definition.durations import to_seconds

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
# How else people write the units.
_LONG: Final = {
    "w": "weeks?",
    "d": "days?",
    "h": "hours?|hrs?",
    "m": "minutes?|mins?",
    "s": "seconds?|secs?",
}
_UNIT: Final = "|".join(f"(?P<{unit}>{_LONG[unit]}|{unit})" for unit in UNITS)
_PART: Final = re.compile(
    rf"\s*(?P<n>\d{{1,15}}(?:\.\d{{1,9}})?)\s*(?:{_UNIT})(?![a-z])", re.IGNORECASE | re.ASCII
)
_NUMBER: Final = re.compile(r"\s*\d{1,15}(?:\.\d{1,9})?\s*\Z", re.ASCII)


class UnitMissing(ValueError):
    """A number alone, where it may not be taken for seconds."""


def read_duration(text: str, what: str = "duration", *, needs_unit: bool = False) -> timedelta:
    """The duration that ``text`` says; a number alone is in seconds, or refused with
    ``needs_unit``. ``what`` names it in errors.

    Raises ValueError for what is none, or longer than a thousand years; UnitMissing is one.

    >>> read_duration("1h 30m"), read_duration("2 days"), read_duration("45")
    (datetime.timedelta(seconds=5400), datetime.timedelta(days=2), datetime.timedelta(seconds=45))
    """
    if _NUMBER.match(text):
        if needs_unit:
            raise UnitMissing(f"{what} needs a unit, w, d, h, m or s: 30d is 30 days")
        return timedelta(seconds=to_seconds(float(text), what))
    at, seconds, seen = 0, 0.0, ""
    while at < len(text.rstrip()):
        part = _PART.match(text, at)
        unit = part.lastgroup if part is not None else None
        if part is None or unit is None or unit in seen:
            raise ValueError(f"{what} is written like 30s, 10m, 1h 30m or 7d, not {text!r:.80}")
        seconds += float(part["n"]) * UNITS[unit]
        seen += unit
        at = part.end()
    if not seen:
        raise ValueError(f"{what} is empty: write it like 30s, 10m, 1h 30m or 7d")
    return timedelta(seconds=to_seconds(seconds, what))


def written(seconds: float) -> str:
    """A duration as ``read_duration`` reads it, without loss above a microsecond.

    >>> written(5400), written(0.25), written(0), written(90_061)
    ('1h 30m', '0.25s', '0s', '1d 1h 1m 1s')
    """
    left = round(seconds * 1_000_000)
    parts = []
    for unit in ("d", "h", "m"):
        number, left = divmod(left, UNITS[unit] * 1_000_000)
        if number:
            parts.append(f"{number}{unit}")
    if left or not parts:
        parts.append(f"{left / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s")
    return " ".join(parts)
