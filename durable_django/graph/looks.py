"""Looks: statuses as a tone and a shape, kinds of nodes as a sign. Never a colour alone.

Tones are classes of the style sheets, and have colours of their own only in an SVG that stands
alone. Shapes are lines on a grid of 16 by 16.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_CIRCLE = "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5z"
_BACK = "M5.5 2.5L2 6l3.5 3.5M2 6h7.5a4 4 0 0 1 0 8H6"
_TRIANGLE = "M8 1.75L15 14.25H1zM8 6v4M8 11.75v.75"
_CROSS = f"{_CIRCLE}M5.5 5.5l5 5M10.5 5.5l-5 5"
_HOURGLASS = "M4 1.75h8M4 14.25h8M5 2v2l3 4l3-4V2M5 14v-2l3-4l3 4v2"
_CLOCK = f"{_CIRCLE}M8 4.5V8l2.5 1.5"
_MOON = "M13.5 10A6 6 0 1 1 7 2.25A5 5 0 0 0 13.5 10z"
UNDONE: Final = _BACK


class Look(NamedTuple):
    """A tone (a class of the style sheet) and the path of a shape."""

    tone: str
    path: str


# What is different between two versions.
MARKS: Final[dict[str, Look]] = {
    "added": Look("good", "M8 2.5v11M2.5 8h11"),
    "removed": Look("bad", "M2.5 8h11"),
    "moved": Look("wait", "M5 2.5v11M2.5 5L5 2.5L7.5 5M11 13.5v-11M8.5 11l2.5 2.5L13.5 11"),
    "changed": Look("busy", "M2.5 5.5h11M2.5 10.5h11M11 2.5l-6 11"),
}

LOOKS: Final[dict[str, Look]] = {
    "scheduled": Look("calm", _CLOCK),
    "pending": Look("calm", f"{_CIRCLE}M5 8h.5M7.75 8h.5M10.5 8h.5"),
    "running": Look("busy", f"{_CIRCLE}M6.5 5l4.5 3l-4.5 3z"),
    "sleeping": Look("calm", _MOON),
    "waiting": Look("wait", _HOURGLASS),
    "held_back": Look("calm", _HOURGLASS),
    "paused": Look("wait", f"{_CIRCLE}M6.25 5.5v5M9.75 5.5v5"),
    "compensating": Look("busy", _BACK),
    "completed": Look("good", f"{_CIRCLE}M5 8.25l2.25 2.25L11 6"),
    "failed": Look("bad", _CROSS),
    "timed_out": Look("bad", _CLOCK),
    "compensated": Look("quiet", _BACK),
    "compensation_failed": Look("bad", _TRIANGLE),
    "cancelled": Look("quiet", f"{_CIRCLE}M3.75 12.25l8.5-8.5"),
    "skipped": Look("quiet", "M2.5 4l4 4l-4 4M8.5 4l4 4l-4 4"),
    "alive": Look("good", f"{_CIRCLE}M8 7v2M7 8h2"),
    "overdue": Look("bad", _TRIANGLE),
    "stopped": Look("quiet", "M3 3h10v10H3z"),
    "dead": Look("bad", _CROSS),
    **MARKS,
}
UNKNOWN: Final = Look("calm", _CIRCLE)

_PERSON = "M8 8a3 3 0 1 0 0-6a3 3 0 0 0 0 6zM2.5 14a5.5 5.5 0 0 1 11 0"
_PLAY = "M4 2.5v11l9-5.5z"
_BOLT = "M9 1.75L3.5 9H8l-1 5.25L12.5 7H8z"
KINDS: Final[dict[str, str]] = {
    "step": "M2.5 3.5h11v9h-11z",
    "decision": "M8 1.5L14.5 8L8 14.5L1.5 8z",
    "branch": "M8 14V9M8 9L3 4.5V2M8 9l5-4.5V2M1.25 3.75L3 2l1.75 1.75M11.25 3.75L13 2l1.75 1.75",
    "parallel": "M2 2.5h12M2 13.5h12M4 2.5v11M8 2.5v11M12 2.5v11",
    "race": "M3 14.5v-13M3 2.5h10l-2.5 3l2.5 3H3",
    "foreach": "M5.5 5.5h8.5v8.5H5.5zM2 10.5V2h8.5",
    "loop": "M13.5 8A5.5 5.5 0 1 1 11.5 3.75M11.75 1v3h-3",
    "sequence": "M8 1.75v12M4.5 10.5L8 14l3.5-3.5",
    "sleep": _MOON,
    "event": _BOLT,
    "any": _BOLT,
    "all": _BOLT,
    "input": _PERSON,
    "callback": "M1.5 5h8.5M7.5 2L10.5 5l-3 3M14.5 11H6M8.5 8L5.5 11l3 3",
    "call": "M2 3h12v10H2zM5 3v10M11 3v10",
    "start": _PLAY,
}
OTHER_KIND: Final = _CIRCLE
