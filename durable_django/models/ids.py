"""UUIDv7 keys: ordered by time of making, so that new rows land at one end of an index.

Python's own ``uuid.uuid7`` exists from 3.14 on; this follows RFC 9562 §5.7 with the counter of
§6.2 method 1 (a fixed-length dedicated counter: within a millisecond, ids of one process ascend).
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from uuid import UUID

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> UUID:
    """A new UUID of version 7.

    >>> first, second = uuid7(), uuid7()
    >>> first < second, first.version
    (True, 7)
    """
    global _last_ms, _counter
    tail = int.from_bytes(os.urandom(8), "big")
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _counter = now_ms, (tail >> 53) & 0x7FF
        else:  # same millisecond, or the clock went back: count on
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        value = (_last_ms & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | _counter << 64
    return UUID(int=value | 0b10 << 62 | (tail & 0x3FFFFFFFFFFFFFFF))


def following(first: UUID, count: int) -> list[UUID]:
    """``first`` and the ids that come after it one by one: the members of a fork, in item order.

    The last 62 bits are random, so none of them can have been given to anything else.

    >>> first = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    >>> [str(each)[-4:] for each in following(first, 3)]
    ['8057', '8058', '8059']
    """
    return [UUID(int=first.int + number) for number in range(count)]


def first_at(moment: datetime) -> UUID:
    """The least id that could be made at a moment: keys are ordered by time, other columns may have
    no index.

    >>> from datetime import UTC, datetime
    >>> first_at(datetime(2023, 7, 1, tzinfo=UTC))
    UUID('01890ebf-d400-0000-0000-000000000000')
    """
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=min(milliseconds, 2**48 - 1) << 80)
