"""Times and durations as people read them: relative on the face, exact in the title.

Text only; what the time is now is handed in.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

MINUTE, HOUR, DAY = 60, 3_600, 86_400
# As the reasons why a run does not move write them.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+\w-]+)", re.ASCII)


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value


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


def ago(value: datetime | None, now: datetime) -> str | None:
    """For lists: relative, the exact moment in its title."""
    if value is None:
        return None
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        value.isoformat(),
        exact(value),
        relative(value, now),
    )


def at(value: datetime | None, now: datetime) -> str | None:
    """For pages: exact, and how long ago."""
    if value is None:
        return None
    return format_html(
        '<time datetime="{0}" title="{0}" dir="ltr">{1}</time> <span class="quiet">'
        '(<time datetime="{0}" data-relative>{2}</time>)</span>',
        value.isoformat(),
        exact(value),
        relative(value, now),
    )


def told(text: str) -> str:
    """A sentence for a page: where the language is written from right to left, the moments in it
    are set apart, since their parts would be turned around; all else is escaped then."""
    if not get_language_bidi():
        return text
    pieces = (
        (format_html('<bdi dir="ltr">{}</bdi>', part) if n % 2 else part,)
        for n, part in enumerate(_MOMENT.split(text))
    )
    return format_html_join("", "{}", pieces)
