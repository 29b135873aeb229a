"""How long a day is here: 86,400 seconds, unless one wants to see a wait of days end.

A project of its own has no such module: it takes `days` and `next_business_day` from
durable_django.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from durable_django import next_business_day

REAL_DAY = timedelta(days=1)


def days(count: float) -> timedelta:
    """So many days, as long as the setting A_DAY says that one is."""
    duration: timedelta = count * settings.A_DAY
    return duration


def next_business_morning() -> datetime:
    """Nine o'clock on the next day from Monday to Friday. Where a day lasts seconds there are no
    weekdays: a day from now."""
    if settings.A_DAY == REAL_DAY:
        return next_business_day(hour=9)
    return timezone.now() + days(1)
