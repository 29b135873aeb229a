"""A host whose clock is wrong by WRONG_CLOCK_SECONDS: an interpreter that has this folder in its
PYTHONPATH takes it for the time. The monotonic clock goes on as ever."""

import datetime
import os
import time

_SECONDS = float(os.environ["WRONG_CLOCK_SECONDS"])
_OFFSET = datetime.timedelta(seconds=_SECONDS)
_right_datetime, _right_time, _right_time_ns = datetime.datetime, time.time, time.time_ns


class _AsTheRightOne(type):
    """What C code made is a datetime as well."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _right_datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _right_datetime)


class _WrongDatetime(_right_datetime, metaclass=_AsTheRightOne):
    @classmethod
    def now(cls, tz=None):
        return _right_datetime.now(tz) + _OFFSET

    @classmethod
    def utcnow(cls):
        return _right_datetime.now(datetime.UTC).replace(tzinfo=None) + _OFFSET


datetime.datetime = _WrongDatetime
time.time = lambda: _right_time() + _SECONDS
time.time_ns = lambda: _right_time_ns() + int(_SECONDS * 1e9)
