"""The time line of a run: a lane for each node, a bar for each attempt, waits hatched.

It makes what is drawn out of what was read, with places in per cent, so that a browser stretches it
as it likes. Pure: `timeline_rows` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..showing import spoken
from ..showing.visible import visible
from . import badges, moments
from .time_scale import Scale, scale_of

BAR_WIDTH_MIN: Final = 0.4
# Bars that are narrower than this are drawn as one where they lie in a column so wide.
CROWD: Final = 0.6
CROSSES_MAX: Final = 50


class Span(NamedTuple):
    """An attempt, or a wait, on a lane; ``end`` is None while it goes on."""

    start: datetime
    end: datetime | None
    status: str
    attempt: int = 1
    is_wait: bool = False


@dataclass
class Lane:
    """What happened at one node, or in one member of a fork. ``lanes`` are a fork's members, of
    which there may be ``more``; ``status`` is how it stands."""

    name: str
    kind: str
    spans: list[Span] = field(default_factory=list)
    status: str = ""
    address: str = ""
    is_rollback: bool = False
    lanes: list[Lane] = field(default_factory=list)
    more: int = 0
    is_open: bool = False


class Bar(NamedTuple):
    """A bar from ``x``, ``width`` wide, both per cent, as text: an SVG takes no localized numbers.
    ``cross`` is where its end is marked, "" where it did not fail."""

    x: str
    width: str
    tone: str
    is_wait: bool
    title: str
    cross: str


@dataclass(frozen=True)
class LaneView:
    """A lane, ready to be drawn; ``thread`` joins its first bar with its last."""

    name: str
    kind: str
    icon: str
    status: str
    address: str
    bars: list[Bar]
    thread: tuple[str, str]
    length: str
    attempts: int
    first: str | None
    lanes: list[LaneView]
    more: int
    is_open: bool


class TickView(NamedTuple):
    """A mark on the axis; ``anchor`` keeps the last one inside."""

    x: str
    label: str
    title: str
    anchor: str
    is_minor: bool


class CutView(NamedTuple):
    """A silence that is not drawn in its length."""

    x: str
    width: str
    middle: str
    length: str


@dataclass(frozen=True)
class Timeline:
    """A time line, ready to be drawn; ``undone`` are the lanes of a rollback."""

    lanes: list[LaneView]
    undone: list[LaneView]
    ticks: list[TickView]
    cuts: list[CutView]
    has_waits: bool


def timeline_of(lanes: Sequence[Lane], start: datetime, end: datetime, now: datetime) -> Timeline:
    """Draws lanes between two moments.

    Example: ``timeline_of(lanes, run.created_at, now, now)``.
    """
    spans = [span for lane in _all(lanes) for span in lane.spans]
    busy = [(span.start, span.end or now) for span in spans if not span.is_wait]
    marks = [moment for span in spans for moment in (span.start, span.end or now)]
    scale = scale_of(start, end, busy=busy, marks=marks)
    views = [_view(lane, scale, now) for lane in lanes]
    return Timeline(
        lanes=[view for view, lane in zip(views, lanes, strict=True) if not lane.is_rollback],
        undone=[view for view, lane in zip(views, lanes, strict=True) if lane.is_rollback],
        ticks=_ticks(scale),
        cuts=[
            CutView(
                _number(cut.left),
                _number(cut.right - cut.left),
                _number((cut.left + cut.right) / 2),
                spoken.length(cut.seconds),
            )
            for cut in scale.cuts
        ],
        has_waits=any(span.is_wait for span in spans),
    )


def _all(lanes: Iterable[Lane]) -> Iterable[Lane]:
    for lane in lanes:
        yield lane
        yield from _all(lane.lanes)


def _view(lane: Lane, scale: Scale, now: datetime) -> LaneView:
    spans = sorted(lane.spans, key=lambda span: (span.start, span.end or now))
    attempts = [span for span in spans if not span.is_wait]
    bars = _bars(spans, scale, now)
    status = lane.status or (spans[-1].status if spans else "")
    first = spans[0].start if spans else None
    last = max((span.end or now for span in spans), default=None)
    begin, finish = (scale.place(first), scale.place(last)) if first and last else (0.0, 0.0)
    busy = sum(((span.end or now) - span.start).total_seconds() for span in attempts or spans)
    return LaneView(
        name=visible(lane.name),
        kind=lane.kind,
        icon=badges.icon(status),
        status=badges.status_label(status),
        address=lane.address,
        bars=bars,
        thread=(_number(begin), _number(finish)),
        length=spoken.length(busy) if spans else "",
        attempts=len(attempts),
        first=moments.ago(first, now),
        lanes=[_view(inner, scale, now) for inner in lane.lanes],
        more=lane.more,
        is_open=lane.is_open,
    )


def _bars(spans: Sequence[Span], scale: Scale, now: datetime) -> list[Bar]:
    """Waits lie below what ran, and failures above it; those in a crowd are drawn as one."""
    found: list[tuple[int, Bar]] = []
    crosses = 0
    for group, left, right in _groups(spans, scale, now):
        first = group[0]
        width = min(max(right - left, BAR_WIDTH_MIN), 100.0)
        left = min(left, 100.0 - width)
        tone = badges.LOOKS[first.status].tone if first.status in badges.LOOKS else "calm"
        fell = tone == "bad" and crosses < CROSSES_MAX
        crosses += fell
        cross = _number(left + width) if fell else ""
        title = _title(group, now)
        layer = 0 if first.is_wait else 2 if tone == "bad" else 1
        bar = Bar(_number(left), _number(width), tone, first.is_wait, title, cross)
        found.append((layer, bar))
    return [bar for _layer, bar in sorted(found, key=lambda pair: pair[0])]


class _Group(NamedTuple):
    """Attempts that are drawn as one bar, and where."""

    spans: list[Span]
    left: float
    right: float


def _groups(spans: Sequence[Span], scale: Scale, now: datetime) -> list[_Group]:
    """Each by itself, but for those that are too small to be seen: in each narrow column these are
    one for each status."""
    found: dict[object, _Group] = {}
    for number, span in enumerate(spans):
        left, right = scale.place(span.start), scale.place(span.end or now)
        is_narrow = right - left < CROWD
        column = (int(left / CROWD), span.status, span.is_wait)
        key = column if is_narrow else number
        group = found.get(key)
        if group is None:
            found[key] = _Group([span], left, right)
        else:
            group.spans.append(span)
            found[key] = group._replace(right=max(group.right, right))
    return list(found.values())


def _title(group: Sequence[Span], now: datetime) -> str:
    first = group[0]
    seconds = sum(((span.end or now) - span.start).total_seconds() for span in group)
    said = {
        "what": _("wait") if first.is_wait else _("attempt %(n)s") % {"n": first.attempt},
        "status": badges.status_label(first.status),
        "length": spoken.length(seconds),
        "at": spoken.exact(first.start),
    }
    if len(group) > 1:
        many = ngettext("%(n)s attempt", "%(n)s attempts", len(group))
        waits = ngettext("%(n)s wait", "%(n)s waits", len(group))
        said["what"] = (waits if first.is_wait else many) % {"n": len(group)}
    return _("%(what)s: %(status)s, %(length)s, from %(at)s") % said


def _ticks(scale: Scale) -> list[TickView]:
    return [
        TickView(
            _number(tick.at),
            tick.label,
            spoken.exact(tick.moment),
            "end" if tick.at > 92 else "start",
            bool(number % 2),
        )
        for number, tick in enumerate(scale.ticks())
    ]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
