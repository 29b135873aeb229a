"""A scale of time for a drawing: where a moment lies, in per cent, and where long silences are cut.

What nothing happens in for long, a sleep of three days between two steps of a second, say, is drawn
as a short gap of fixed width, and the axis says how long it is. Pure: moments are handed in.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.utils import timezone

CUTS_MAX: Final = 6
CUT_WIDTH: Final = 5.0
# A silence is cut where it is longer than this part of what is left, than so many times what all
# steps took, and than a second.
CUT_PART: Final = 0.25
CUT_TIMES: Final = 2
CUT_SECONDS_MIN: Final = 1.0
TICK_DISTANCE: Final = 12.0
LABELLED_MAX: Final = 92.0
STEPS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000),
)

Span = tuple[datetime, datetime]


class Segment(NamedTuple):
    """A part of the scale, from ``left`` to ``right`` in per cent; one that is cut is no measure of
    time."""

    start: datetime
    end: datetime
    left: float
    right: float
    is_cut: bool

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


class Tick(NamedTuple):
    """A mark on the axis."""

    at: float
    label: str
    moment: datetime


@dataclass(frozen=True)
class Scale:
    """Moments as places between 0 and 100, from left to right.

    Example::

        scale = scale_of(start, end, busy=[(start, later)], marks=[start, later, end])
        scale.place(later)  # 20.0
    """

    segments: list[Segment]

    def place(self, moment: datetime) -> float:
        """Where a moment lies; what is before or behind the scale lies at its ends."""
        number = bisect_right(self.segments, moment, key=lambda segment: segment.start) - 1
        start, end, left, right, _ = self.segments[max(number, 0)]
        part = (moment - start) / (end - start) if end > start else 0.0
        return left + (right - left) * min(max(part, 0.0), 1.0)

    @property
    def cuts(self) -> list[Segment]:
        """What is cut."""
        return [segment for segment in self.segments if segment.is_cut]

    def ticks(self) -> list[Tick]:
        """Marks at round times, far enough from each other to be read."""
        found: list[Tick] = []
        for segment in self.segments:
            if segment.is_cut or segment.seconds <= 0:
                continue
            number = max(int((segment.right - segment.left) / TICK_DISTANCE), 1)
            step = next((s for s in STEPS if s * number >= segment.seconds), STEPS[-1])
            for moment in _round_times(segment, step):
                at, before = self.place(moment), found[-1] if found else None
                if before is not None and at > LABELLED_MAX:
                    continue
                # A longer label takes more room.
                if before is None or at - before.at >= len(before.label) + 2:
                    last = before.moment if before else None
                    found.append(Tick(at, _label(moment, step, last), moment))
        return found


def scale_of(
    start: datetime, end: datetime, *, busy: Iterable[Span], marks: Iterable[datetime]
) -> Scale:
    """The scale from ``start`` to ``end``; only what is not ``busy`` is cut, between ``marks``."""
    end = max(end, start + timedelta(milliseconds=1))
    steps = _merged(busy)
    silent = _silences(start, end, steps, marks)
    took = sum((last - first).total_seconds() for first, last in steps)
    left = (end - start).total_seconds()
    cut: list[Span] = []
    for span in sorted(silent, key=lambda span: span[0] - span[1]):
        seconds = (span[1] - span[0]).total_seconds()
        rest = left - seconds
        least = max(rest * CUT_PART, took * CUT_TIMES, CUT_SECONDS_MIN)
        if len(cut) == CUTS_MAX or seconds <= least or rest <= 0:
            break
        left = rest
        cut.append(span)
    return Scale(_segments(start, end, sorted(cut), left))


def _segments(start: datetime, end: datetime, cut: list[Span], seconds: float) -> list[Segment]:
    room = 100.0 - CUT_WIDTH * len(cut)
    found: list[Segment] = []
    at, place = start, 0.0
    for first, last in [*cut, (end, end)]:
        if first > at:
            right = place + room * (first - at).total_seconds() / seconds
            found.append(Segment(at, first, place, right, False))
            place = right
        if last > first:
            found.append(Segment(first, last, place, place + CUT_WIDTH, True))
            place += CUT_WIDTH
        at = last
    return found


def _merged(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _silences(
    start: datetime, end: datetime, busy: list[Span], marks: Iterable[datetime]
) -> list[Span]:
    """The times between two marks in which nothing is busy."""
    found = []
    inside = sorted({start, end, *(mark for mark in marks if start < mark < end)})
    number = 0
    for first, last in itertools.pairwise(inside):
        while number < len(busy) and busy[number][1] <= first:
            number += 1
        if number == len(busy) or busy[number][0] >= last:
            found.append((first, last))
    return found


def _round_times(segment: Segment, step: float) -> list[datetime]:
    """Multiples of ``step`` seconds in the reader's time zone; the beginning if there is none."""
    local = timezone.localtime(segment.start) if timezone.is_aware(segment.start) else None
    offset = local.utcoffset() if local is not None else None
    shift = offset.total_seconds() if offset is not None else 0.0
    # In whole microseconds: of floats the last digits are noise.
    width = round(step * 1_000_000)
    epoch = datetime(1970, 1, 1, tzinfo=UTC if timezone.is_aware(segment.start) else None)
    since = (segment.start - epoch) // timedelta(microseconds=1) + round(shift * 1_000_000)
    first = -(-since // width) * width
    found = []
    while (moment := segment.start + timedelta(microseconds=first - since)) <= segment.end:
        found.append(moment)
        first += width
    return found or [segment.start]


def _label(moment: datetime, step: float, before: datetime | None) -> str:
    """The time of day as exactly as the step asks for; with the day where that is another one."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    earlier = timezone.localtime(before) if before and timezone.is_aware(before) else before
    if step < 1 or (local.microsecond and step < 60):
        said = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    else:
        said = f"{local:%H:%M:%S}" if step < 60 else f"{local:%H:%M}"
    is_same_day = earlier is not None and earlier.date() == local.date()
    return said if is_same_day else f"{local:%m-%d} {said}"
