"""Saying: moments in what is refused, as people read them.

For the texts of errors only: what is stored, and what a program reads, stays in UTC. It reads no
clock.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def said(moment: datetime) -> str:
    """An aware moment in the zone that is in force, that of whoever reads it in the admin and the
    terminal; in its own where the calendar ends before.

    >>> said(datetime(2030, 1, 31, 9, tzinfo=UTC))  # doctest: +SKIP
    '2030-01-31 10:00:00 CET'
    """
    try:
        local = timezone.localtime(moment)
    except OverflowError:
        local = moment
    return f"{local.replace(tzinfo=None).isoformat(' ')} {local.tzname() or ''}".rstrip()
