"""A host whose clock is wrong by WRONG_CLOCK_SECONDS: an interpreter that has this folder in its
PYTHONPATH takes it for the time. The monotonic clock goes on as ever."""

import ctypes
import datetime
import gc
import os
import time

_SECONDS = float(os.environ["WRONG_CLOCK_SECONDS"])
_OFFSET = datetime.timedelta(seconds=_SECONDS)
_right_now, _right_time, _right_time_ns = datetime.datetime.now, time.time, time.time_ns


def _wrong_now(cls: type, tz: datetime.tzinfo | None = None) -> datetime.datetime:
    return _right_now(tz) + _OFFSET


time.time = lambda: _right_time() + _SECONDS
time.time_ns = lambda: _right_time_ns() + int(_SECONDS * 1e9)
# Of a type made in C no attribute can be set; a class in its place would not be the type of what C
# code makes. So it is set in the type's own dictionary.
gc.get_referents(datetime.datetime.__dict__)[0]["now"] = classmethod(_wrong_now)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))
