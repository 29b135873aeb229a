"""The one clock: the database's time, carried forward by this process's monotonic clock.

Leases and wake-ups are decided by database time, so that a host whose clock is wrong changes
nothing. On SQLite the host's clock is the database's. The test kit moves time by an offset.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from django.db import connections

from ..conf import settings

RECALIBRATE_SECONDS = 60.0

_lock = threading.Lock()
_base: datetime | None = None
_base_monotonic = 0.0
_base_alias = ""
_offset = timedelta(0)


def now() -> datetime:
    """The database's time now (aware, UTC). Asks the database at most once a minute."""
    if _base is None or time.monotonic() - _base_monotonic > RECALIBRATE_SECONDS:
        return _calibrate()
    if _base_alias != settings.DATABASE:
        return _calibrate()
    return at(time.monotonic())


def at(monotonic: float) -> datetime:
    """The database's time at a reading of ``time.monotonic()`` in this process."""
    base = _base
    if base is None:
        return _calibrate() + timedelta(seconds=monotonic - time.monotonic())
    return base + timedelta(seconds=monotonic - _base_monotonic) + _offset


def after(moment: datetime, seconds: float) -> datetime | None:
    """``moment`` plus ``seconds``; None, no limit, where that is later than the calendar goes."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def observe(database_time: datetime) -> None:
    """Takes a time a statement of the last moment returned, so that no extra one is needed."""
    global _base, _base_monotonic, _base_alias
    with _lock:
        _base, _base_monotonic, _base_alias = database_time, time.monotonic(), settings.DATABASE


def advance(delta: timedelta) -> None:
    """Moves time, for tests: every wait, timeout, retry and schedule follows."""
    global _offset
    with _lock:
        _offset += delta


def reset() -> None:
    """Forgets offset and calibration."""
    global _base, _offset
    with _lock:
        _base, _offset = None, timedelta(0)


def _calibrate() -> datetime:
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            observe(cursor.fetchone()[0].astimezone(UTC))
    else:
        observe(datetime.now(UTC))
    return at(time.monotonic())
