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
# An answer within this time is exact enough; otherwise the database is asked so often at the most.
QUICK_SECONDS = 0.005
ASKED_MOST = 3

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


def observe(database_time: datetime, monotonic: float | None = None) -> None:
    """Takes a time a statement of the last moment returned, so that no extra one is needed;
    ``monotonic`` is the reading of the monotonic clock it belongs to, None for now."""
    global _reading
    seen = time.monotonic() if monotonic is None else monotonic
    _reading = (database_time, seen, settings.DATABASE)


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
        observe(*_asked())
    else:
        observe(datetime.now(UTC))
    return at(time.monotonic())


def _asked() -> tuple[datetime, float]:
    """The database's time, and the monotonic clock's in the middle between question and answer. A
    process that is held up meanwhile would be behind by as much, for a minute: it asks again, and
    takes the quickest answer (Cristian, "Probabilistic clock synchronization", 1989)."""
    found: list[tuple[float, datetime, float]] = []
    with connections[settings.DATABASE].cursor() as cursor:
        for _ in range(ASKED_MOST):
            begun = time.monotonic()
            cursor.execute("SELECT clock_timestamp()")
            told = cursor.fetchone()[0].astimezone(UTC)
            took = time.monotonic() - begun
            found.append((took, told, begun + took / 2))
            if took < QUICK_SECONDS:
                break
    _, told, middle = min(found)
    return told, middle
