"""Moments: the next business day, the next Monday, the end of the day, in a time zone.

Aware datetimes, right across changes of the clocks. What time it is now they ask of `now`, which
the app sets to the one clock of the store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from durable_django.definition.body import find_place
from durable_django.definition.spelling import did_you_mean
from durable_django.definition.zones import instant_of
from durable_django.exceptions import DefinitionError

now: Callable[[], datetime] = timezone.now
"""What time it is, aware. Set when Django is ready, so that waits and moments have one clock."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def next_business_day(hour: int = 9, minute: int = 0, tz: tzinfo | str | None = None) -> datetime:
    """That time on the next day from Monday to Friday, never today. Holidays are not known.

    `tz`: a ZoneInfo, the name of a zone, or None for Django's current one. A time that the clocks
    skip is the first one after; one that comes twice is the first of the two. TypeError or
    ValueError names the argument that is wrong.

    Example::

        morning = sleep_until(lambda self: next_business_day(hour=9, tz="America/New_York"))
    """
    at, zone = _time(hour, minute), _zone(tz)
    day = _today("next_business_day", zone) + timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return instant_of(datetime.combine(day, at), zone)


def next_weekday(
    weekday: str, hour: int = 9, minute: int = 0, tz: tzinfo | str | None = None
) -> datetime:
    """That time on the next such weekday: today, if it is one and the time is still to come.

    `weekday`: "monday" to "sunday"; the rest as for `next_business_day`.

    Example::

        report = sleep_until(lambda self: next_weekday("monday", hour=8))
    """
    wanted, at, zone = _weekday(weekday), _time(hour, minute), _zone(tz)
    today = _today("next_weekday", zone)
    day = today + timedelta(days=(wanted - today.weekday()) % 7)
    found = instant_of(datetime.combine(day, at), zone)
    if found > now():
        return found
    return instant_of(datetime.combine(day + timedelta(days=7), at), zone)


def end_of_day(tz: tzinfo | str | None = None) -> datetime:
    """The last moment of today, 23:59:59.999999. `tz` as for `next_business_day`.

    Example::

        answer = wait_for_text(prompt="Today?", timeout=lambda self: end_of_day() - timezone.now())
    """
    zone = _zone(tz)
    return instant_of(datetime.combine(_today("end_of_day", zone), time.max), zone, fold=1)


def _today(function: str, zone: tzinfo) -> date:
    _refuse_at_import(function)
    return now().astimezone(zone).date()


def _refuse_at_import(function: str) -> None:
    """In a class body the moment would be that of the import, the same for every run."""
    try:
        place = find_place(function)
    except DefinitionError:
        return
    raise DefinitionError(
        f"{place.body.class_name}: {function}(…) would be asked once, when the module is imported; "
        f"write lambda self: {function}(…)",
        filename=place.filename,
        line=place.line,
    )


def _zone(tz: object) -> tzinfo:
    if tz is None:
        return timezone.get_current_timezone()
    if isinstance(tz, tzinfo):
        return tz
    if not isinstance(tz, str):
        raise TypeError(
            f'tz is a time zone or the name of one, like "Europe/Paris", not {tz!r:.80}'
        )
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"tz is the name of a time zone, and {tz!r:.80} is none") from None


def _weekday(weekday: object) -> int:
    if not isinstance(weekday, str):
        raise TypeError(f'weekday is a name like "monday", not {weekday!r:.80}')
    name = weekday.lower()
    if name not in _WEEKDAYS:
        raise ValueError(
            f"weekday is {', '.join(_WEEKDAYS)}, not {weekday!r:.80}{did_you_mean(name, _WEEKDAYS)}"
        )
    return _WEEKDAYS.index(name)


def _time(hour: object, minute: object) -> time:
    return time(_read_number("hour", hour, 23), _read_number("minute", minute, 59))


def _read_number(what: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} is a whole number, not {value!r:.80}")
    if not 0 <= value <= most:
        raise ValueError(f"{what} is between 0 and {most}, not {value!r:.40}")
    return value
