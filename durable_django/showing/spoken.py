"""Times and durations in words, in the reader's zone and language: ``3 min 12 s ago``.

Text only; what the time is now is handed in.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def exact(value: datetime) -> str:
    """A moment to the millisecond in the reader's time zone: ``2030-01-31 10:00:00.250 UTC``."""
    local = _local(value)
    zone = local.tzname() or ""
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {zone}".rstrip()


def clock_time(value: datetime) -> str:
    """Its time of day to the millisecond: ``10:00:00.250``."""
    local = _local(value)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def length(seconds: float) -> str:
    """A duration in its two largest units.

    >>> length(0.25), length(12.34), length(192), length(7_500), length(273_600)
    ('250 ms', '12.3 s', '3 min 12 s', '2 h 5 min', '3 d 4 h')
    """
    seconds = max(seconds, 0.0)
    if seconds < 0.0005:
        return _("under 1 ms")
    if seconds < 0.9995:
        return _("%(n)s ms") % {"n": round(seconds * 1000)}
    if seconds < MINUTE - 0.05:
        return _("%(n)s s") % {"n": number_format(round(seconds, 1), decimal_pos=1)}
    whole = round(seconds)
    if whole < HOUR:
        return _("%(m)s min %(s)s s") % {"m": whole // MINUTE, "s": whole % MINUTE}
    if whole < DAY:
        return _("%(h)s h %(m)s min") % {"h": whole // HOUR, "m": whole % HOUR // MINUTE}
    return _("%(d)s d %(h)s h") % {"d": whole // DAY, "h": whole % DAY // HOUR}


def relative(value: datetime, now: datetime) -> str:
    """How long ago, or in how long: ``3 min 12 s ago``, ``in 2 h 5 min``."""
    seconds = (now - value).total_seconds()
    if abs(seconds) < 1:
        return _("just now")
    size = abs(seconds)
    time = length(size) if size >= MINUTE else _("%(n)s s") % {"n": int(size)}
    return (_("in %(time)s") if seconds < 0 else _("%(time)s ago")) % {"time": time}


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value
