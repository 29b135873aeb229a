"""Ticks reckoned by counting minutes, to compare calendars with: no cron library, no arithmetic
over changes of the clocks, only `astimezone` of one minute after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

# Half an hour and a whole day at once, midnight moved, an offset of 45 minutes, Ramadan, a change
# at one minute past midnight, winter as the exception, half an hour for good, and two plain ones.
ZONES = [
    "Africa/Casablanca",
    "America/Caracas",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
]
YEARS = range(2007, 2027)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pattern:
    """A cron expression and what it means, each made without the other."""

    text: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    on_day: Callable[[date], bool]

    @property
    def means_wall_times(self) -> bool:
        minute, hour = self.text.split()[-5:-3]
        return minute[0] != "*" and hour[0] != "*"

    def matches(self, wall: datetime) -> bool:
        return (
            wall.second in self.seconds
            and wall.minute in self.minutes
            and wall.hour in self.hours
            and self.on_day(wall.date())
        )


def reckoned(
    pattern: Pattern, zone: str, start: datetime, end: datetime, size: timedelta = MINUTE
) -> list[datetime]:
    """The ticks from `start` on and before `end`, of which `start` is in no repeated hour."""
    if not pattern.means_wall_times:
        return [moment for moment, wall in clock(zone, start, end, size) if pattern.matches(wall)]
    # What the clock on the wall shows or passes for the first time.
    ticks, shown = [], clock(zone, start - size, start, size)[0][1]
    for moment, wall in clock(zone, start, end, size):
        passed = False
        while shown < wall:
            shown += size
            passed = passed or pattern.matches(shown)
        if passed:
            ticks.append(moment)
    return ticks


@cache
def clock(
    zone: str, start: datetime, end: datetime, size: timedelta
) -> list[tuple[datetime, datetime]]:
    """Each minute (or second), and what the clock on the wall shows then."""
    info = ZoneInfo(zone)
    count = (end - start) // size
    moments = [start + number * size for number in range(count)]
    return [(moment, moment.astimezone(info).replace(tzinfo=None, fold=0)) for moment in moments]


@cache
def changes(zone: str) -> list[datetime]:
    """The minutes at which the clocks are moved; and a few at which nothing happens."""
    info = ZoneInfo(zone)
    found = [datetime(year, 1, 15, 11, tzinfo=UTC) for year in YEARS[::7]]
    day, end = datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC)
    while day < end:
        offset = day.astimezone(info).utcoffset()
        if (day + DAY).astimezone(info).utcoffset() != offset:
            moment = day
            while moment.astimezone(info).utcoffset() == offset:
                moment += MINUTE
            found.append(moment)
        day += DAY
    return sorted(found)


def around(change: datetime, margin: timedelta) -> tuple[datetime, datetime]:
    """A stretch with `change` in it, on whole hours."""
    hour = change.replace(minute=0)
    return hour - margin, hour + margin


# Patterns


def values_of(most: int, named: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """One field from 0 to `most`: its text, which names numbers up to `named`, and its meaning."""
    number = st.integers(0, named)
    every = range(most + 1)
    ranges = st.tuples(number, number).map(sorted)
    steps = st.integers(1, most)
    return st.one_of(
        number.map(lambda n: (f"{n}", [n])),
        st.just(("*", every)),
        steps.map(lambda step: (f"*/{step}", every[::step])),
        ranges.map(lambda r: (f"{r[0]}-{r[1]}", range(r[0], r[1] + 1))),
        st.tuples(ranges.filter(lambda r: r[0] < r[1]), steps).map(
            lambda p: (f"{p[0][0]}-{p[0][1]}/{p[1]}", range(p[0][0], p[0][1] + 1, p[1]))
        ),
        st.lists(number, min_size=2, max_size=4).map(lambda ns: (",".join(map(str, ns)), ns)),
    ).map(lambda field: (field[0], frozenset(field[1])))


def _last_day(day: date) -> bool:
    return (day + DAY).month != day.month


def _last_weekday(day: date) -> bool:
    rest = [day + n * DAY for n in range(1, 7) if (day + n * DAY).month == day.month]
    return day.weekday() < 5 and all(later.weekday() >= 5 for later in rest)


DAYS: list[tuple[str, Callable[[date], bool]]] = [
    ("* * *", lambda day: True),
    ("* * *", lambda day: True),
    ("*/2 * *", lambda day: day.day % 2 == 1),
    ("L * *", _last_day),
    ("LW * *", _last_weekday),
    ("29 2 *", lambda day: (day.month, day.day) == (2, 29)),
    ("1,15 JAN-JUN *", lambda day: day.day in (1, 15) and day.month <= 6),
    ("* * SUN", lambda day: day.weekday() == 6),
    ("* * 7", lambda day: day.weekday() == 6),
    ("* * MON-FRI", lambda day: day.weekday() < 5),
    ("* * 5-7", lambda day: day.weekday() >= 4),
    ("* * MON#2", lambda day: day.weekday() == 0 and 8 <= day.day <= 14),
    (
        "* 3,10 0L",
        lambda d: d.month in (3, 10) and d.weekday() == 6 and (d + 7 * DAY).month != d.month,
    ),
    # Both named: one of them is enough; a star in one: both.
    ("13 * FRI", lambda day: day.day == 13 or day.weekday() == 4),
    ("*/10 * FRI", lambda day: day.day in (1, 11, 21, 31) and day.weekday() == 4),
]


@st.composite
def patterns(draw: st.DrawFn, seconds: bool = False) -> Pattern:
    """An expression of five fields, or of six with seconds first."""
    first, each = draw(values_of(59, 59)) if seconds else ("0", frozenset({0}))
    minute, minutes = draw(values_of(59, 59))
    # Where clocks are moved, more often than not.
    hour, hours = draw(st.one_of(values_of(23, 23), values_of(23, 3)))
    days, on_day = draw(st.sampled_from(DAYS))
    text = f"{minute} {hour} {days}"
    return Pattern(f"{first} {text}" if seconds else text, each, minutes, hours, on_day)


def plain(text: str) -> Pattern:
    """What an expression means that has a `*`, a `/`, a `,` or one `-` at the most in a field of
    its time, and days of DAYS."""

    def numbers(field: str, most: int) -> frozenset[int]:
        span, _, step = field.partition("/")
        found: list[int] = []
        for part in (f"0-{most}" if span == "*" else span).split(","):
            least, _, last = part.partition("-")
            found += range(int(least), int(last or least) + 1, int(step or 1))
        return frozenset(found)

    *first, minute, hour = (fields := text.split())[:-3]
    seconds = numbers(first[0], 59) if first else frozenset({0})
    days = dict(DAYS)[" ".join(fields[-3:])]
    return Pattern(text, seconds, numbers(minute, 59), numbers(hour, 23), days)
