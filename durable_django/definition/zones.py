"""Zones: time zones by name, what instant a wall clock's time is, and where the clocks change.

Reads the zones that the machine has, and no clock. Wall times are naive datetimes; instants are
aware.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.utils import timezone

from durable_django.definition.spelling import did_you_mean

# No zone changes its clocks twice within so short a time; in the data since 1970 the nearest two
# changes are seven days apart.
_BETWEEN_CHANGES = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def zone_named(name: str, what: str = "timezone") -> tzinfo:
    """The zone of that name; of "", Django's TIME_ZONE. ValueError says what is wrong.

    Example::

        zone_named("America/New_York")
    """
    if not name:
        return timezone.get_default_timezone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = available_timezones()
    if not known:
        raise ValueError(
            f"{what} is {name!r:.80}, and this machine knows no time zones; pip install tzdata"
        )
    by_lower = {zone.lower(): zone for zone in known}
    exact = by_lower.get(name.strip().lower())
    near = f'; did you mean "{exact}"?' if exact else did_you_mean(name, known)
    raise ValueError(
        f'{what} is the name of a time zone, like "Europe/Paris", and {name!r:.80} is none{near}'
    )


def instant_of(wall: datetime, zone: tzinfo, *, fold: int = 0) -> datetime:
    """The instant of a wall time in a zone, aware, in that zone.

    Of a time that the clocks skip: the first instant after it. Of one that comes twice: the first
    of the two, or with ``fold=1`` the second.
    """
    aware = wall.replace(tzinfo=zone, fold=fold)
    if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return aware
    # Skipped: the clocks are moved between these two, by the seconds that lie between them.
    early = aware.replace(fold=1).astimezone(UTC).replace(microsecond=0)
    late = aware.replace(fold=0).astimezone(UTC).replace(microsecond=0)
    return _changed(early, late, zone).astimezone(zone)


def offset_at(instant: datetime, zone: tzinfo) -> timedelta:
    """How far a zone's clocks are ahead of UTC at that instant."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def first_change(after: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """The first instant later than `after` and not after `until`, both of whole seconds, at which
    the zone's clocks are moved; None if they are not.
    """
    offset, early = offset_at(after, zone), after
    while early < until:
        late = min(early + _BETWEEN_CHANGES, until)
        if offset_at(late, zone) != offset:
            return _changed(early, late, zone)
        early = late
    return None


def last_change(after: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """The last instant later than `after` and not after `until`, both of whole seconds, at which
    the zone's clocks are moved; None if they are not.
    """
    offset, late = offset_at(until, zone), until
    while late > after:
        early = max(late - _BETWEEN_CHANGES, after)
        if offset_at(early, zone) != offset:
            return _changed(early, late, zone)
        late = early
    return None


def _changed(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """Between two instants of whole seconds with one change: the first second after it."""
    before = offset_at(early, zone)
    while late - early > _SECOND:
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if offset_at(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late
