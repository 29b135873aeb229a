"""The shape of what ``--json`` prints: plain JSON, with stable names, for programs.

Moments are ISO 8601 in UTC, durations seconds, ids texts, statuses as they are stored. Values of
runs come from ``showing.shapes``, masked and in the form they are stored in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID


def plain(value: Any) -> Any:
    """``value`` in JSON's own types. TypeError for what has no form there.

    >>> plain({"at": datetime(2030, 1, 31, tzinfo=UTC), "took": timedelta(seconds=3)})
    {'at': '2030-01-31T00:00:00+00:00', 'took': 3.0}
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def moment(value: datetime | None) -> str | None:
    """A moment in UTC: ``2030-01-31T10:00:00.250000+00:00``."""
    return None if value is None else value.astimezone(UTC).isoformat()
