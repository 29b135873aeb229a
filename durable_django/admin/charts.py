"""Charts as SVG: where each bar, line and label stands. Pure geometry; the template draws it.

Widths are in percent and heights in pixels, so that a chart fits any window without a script and
without distorting its text. What the numbers are is handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from ..figures import Bar, Throughput

PLOT_HEIGHT: Final = 150
# Above the highest bar, and below the line for the labels of times.
ABOVE, BELOW = 10, 22
# What is there at all is seen, above all what failed.
HEIGHTS_MIN: Final = {"completed": 1.0, "failed": 3.0, "cancelled": 1.0}
LABELS_MAX: Final = 7
GAP_SHARE: Final = 0.22


@dataclass(frozen=True)
class Part:
    """A piece of a bar; ``kind`` is "completed", "failed" or "cancelled"."""

    kind: str
    y: str
    height: str


@dataclass(frozen=True)
class Column:
    """A bar with its parts, from the bottom up, and what it says."""

    x: str
    width: str
    parts: tuple[Part, ...]
    said: str


@dataclass(frozen=True)
class Mark:
    """A label at a place, in percent along the times or in pixels along the numbers."""

    at: str
    text: str


@dataclass(frozen=True)
class Row:
    """A bar as a line of the table that says the same as the chart."""

    time: str
    completed: int
    failed: int
    cancelled: int


@dataclass(frozen=True)
class Chart:
    """All that the template draws. ``rows`` has the bars in which anything ended."""

    height: int
    base: int
    columns: tuple[Column, ...]
    times: tuple[Mark, ...]
    numbers: tuple[Mark, ...]
    rows: tuple[Row, ...]


def chart(throughput: Throughput) -> Chart:
    """The chart of runs that ended."""
    bars = throughput.bars
    top = nice(max((bar.total for bar in bars), default=0))
    name = throughput.period.name
    base = ABOVE + PLOT_HEIGHT
    return Chart(
        base + BELOW,
        base,
        tuple(_column(index, len(bars), bar, top, name) for index, bar in enumerate(bars)),
        tuple(_times(bars, name)),
        tuple(_numbers(top)),
        tuple(
            Row(_span(bar, name), bar.completed, bar.failed, bar.cancelled)
            for bar in bars
            if bar.total
        ),
    )


def nice(number: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100, … that is not below ``number``: it has a whole half.

    >>> nice(0), nice(3), nice(37), nice(1_234)
    (2, 4, 40, 2000)
    """
    power = int(10 ** math.floor(math.log10(max(number, 1))))
    return next(top for digit in (2, 4, 10, 20) if (top := digit * power) >= number)


def _column(index: int, count: int, bar: Bar, top: int, period: str) -> Column:
    share = 100 / count
    parts = []
    below = float(ABOVE + PLOT_HEIGHT)
    kinds = (("completed", bar.completed), ("failed", bar.failed), ("cancelled", bar.cancelled))
    for kind, number in kinds:
        if number:
            height = max(number / top * PLOT_HEIGHT, HEIGHTS_MIN[kind])
            below -= height
            parts.append(Part(kind, _px(max(below, 0.0)), _px(height)))
    gap = share * GAP_SHARE
    return Column(
        _percent(index * share + gap / 2), _percent(share - gap), tuple(parts), _said(bar, period)
    )


def _said(bar: Bar, period: str) -> str:
    said = _("%(time)s: %(completed)s completed, %(failed)s failed, %(cancelled)s cancelled")
    return said % {
        "time": _span(bar, period),
        "completed": grouped(bar.completed),
        "failed": grouped(bar.failed),
        "cancelled": grouped(bar.cancelled),
    }


def grouped(number: int) -> str:
    """A number as people of the reader's country write it: ``12,345``."""
    return str(number_format(number, force_grouping=True))


def _span(bar: Bar, period: str) -> str:
    begin, end = timezone.localtime(bar.begins_at), timezone.localtime(bar.ends_at)
    times = f"{date_format(begin, 'H:i')}\N{EN DASH}{date_format(end, 'H:i')}"
    return times if period == "hour" else f"{date_format(begin, 'D j N')}, {times}"


def _times(bars: Sequence[Bar], period: str) -> list[Mark]:
    """Labels below the bars that begin at a round time of the reader's."""
    is_round, text = _ROUND[period]
    begins = [timezone.localtime(bar.begins_at) for bar in bars]
    found = [index for index, begin in enumerate(begins) if is_round(begin)]
    # A day of another length, or half an hour between time zones, may leave too many, or none.
    found = found[:: math.ceil(len(found) / LABELS_MAX) or 1] or [0]
    # What stands too near the end would reach beyond it.
    near = len(bars) * 0.96
    return [
        Mark(_percent((index + 0.5) * 100 / len(bars)), date_format(begins[index], text))
        for index in found
        if index < near
    ]


_ROUND: Final[dict[str, tuple[Callable[[datetime], bool], str]]] = {
    "hour": (lambda begin: begin.minute % 10 == 0, "H:i"),
    "day": (lambda begin: begin.hour % 4 == 0, "H:i"),
    "week": (lambda begin: begin.hour < 4, "D j"),
}


def _numbers(top: int) -> list[Mark]:
    return [
        Mark(_px(ABOVE + PLOT_HEIGHT * (1 - number / top)), grouped(number))
        for number in (top, top // 2, 0)
    ]


def _px(value: float) -> str:
    return f"{value:.1f}"


def _percent(value: float) -> str:
    return f"{value:.3f}%"
