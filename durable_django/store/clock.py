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
# What the database said, at which reading of the monotonic clock, and which database: one object,
# so that a thread that reads it while another writes does not mix two readings.
_reading: tuple[datetime, float, str] | None = None
_offset = timedelta(0)


def now() -> datetime:
    """The database's time now (aware, UTC). Asks the database at most once a minute."""
    monotonic = time.monotonic()
    reading = _reading
    if reading is None or reading[2] != settings.DATABASE:
        return _calibrate()
    if monotonic - reading[1] > RECALIBRATE_SECONDS:
        return _calibrate()
    return at(monotonic)


def known() -> datetime:
    """The database's time as far as it is known here: asks nobody, unless nobody was asked yet. For
    code that may run on an event loop, where Django refuses to query."""
    return at(time.monotonic())


def at(monotonic: float) -> datetime:
    """The database's time at a reading of ``time.monotonic()`` in this process."""
    reading = _reading
    if reading is None:
        return _calibrate() + timedelta(seconds=monotonic - time.monotonic())
    return reading[0] + timedelta(seconds=monotonic - reading[1]) + _offset


def after(moment: datetime, seconds: float) -> datetime | None:
    """``moment`` plus ``seconds``; None, no limit, where that is later than the calendar goes."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def observe(database_time: datetime) -> None:
    """Takes a time a statement of the last moment returned, so that no extra one is needed."""
    global _reading
    _reading = (database_time, time.monotonic(), settings.DATABASE)


def advance(delta: timedelta) -> None:
    """Moves time, for tests: every wait, timeout, retry and schedule follows."""
    global _offset
    with _lock:
        _offset += delta


def reset() -> None:
    """Forgets offset and calibration."""
    global _reading, _offset
    with _lock:
        _reading, _offset = None, timedelta(0)


def _calibrate() -> datetime:
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            observe(cursor.fetchone()[0].astimezone(UTC))
    else:
        observe(datetime.now(UTC))
    return at(time.monotonic())
