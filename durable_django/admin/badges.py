"""Statuses as a shape, a text and a colour; never a colour alone.

The colours are tones that the style sheet takes from the admin's own variables. The shapes are
lines on a grid of 16 by 16.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext

from ..models import ExecutionStatus, StepStatus

_CIRCLE = "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5z"
_BACK = "M5.5 2.5L2 6l3.5 3.5M2 6h7.5a4 4 0 0 1 0 8H6"
_TRIANGLE = "M8 1.75L15 14.25H1zM8 6v4M8 11.75v.75"
_CROSS = f"{_CIRCLE}M5.5 5.5l5 5M10.5 5.5l-5 5"
_HOURGLASS = "M4 1.75h8M4 14.25h8M5 2v2l3 4l3-4V2M5 14v-2l3-4l3 4v2"
_CLOCK = f"{_CIRCLE}M8 4.5V8l2.5 1.5"


class Look(NamedTuple):
    """A tone (a class of the style sheet) and the path of a shape."""

    tone: str
    path: str


LOOKS: Final[dict[str, Look]] = {
    "scheduled": Look("calm", _CLOCK),
    "pending": Look("calm", f"{_CIRCLE}M5 8h.5M7.75 8h.5M10.5 8h.5"),
    "running": Look("busy", f"{_CIRCLE}M6.5 5l4.5 3l-4.5 3z"),
    "sleeping": Look("calm", "M13.5 10A6 6 0 1 1 7 2.25A5 5 0 0 0 13.5 10z"),
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
}
_UNKNOWN: Final = Look("calm", _CIRCLE)


def badge(status: str, label: str) -> str:
    """A status as people see it; ``label`` is its text in the reader's language."""
    look = LOOKS.get(status, _UNKNOWN)
    return format_html(
        '<span class="durable-status durable-{}">'
        '<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="{}"/></svg>'
        "{}</span>",
        look.tone,
        look.path,
        label,
    )


def execution_badge(status: str) -> str:
    """The badge of an execution's status."""
    known = status in ExecutionStatus.values
    return badge(status, str(ExecutionStatus(status).label) if known else status)


def member_badge(status: str) -> str:
    """The badge of a strand; of one that is held back, which is no status of its own, too."""
    if status == "held_back":
        return badge(status, gettext("waits for its turn"))
    return execution_badge(status)


def count_badge(status: str, count: int) -> str:
    """How many members of a fork have a status: a shape, a number and a text."""
    return badge(status, f"{number_format(count, force_grouping=True)} {_label_of_many(status)}")


def _label_of_many(status: str) -> str:
    if status == "held_back":
        return gettext("waiting for their turn")
    return str(ExecutionStatus(status).label) if status in ExecutionStatus.values else status


def step_badge(status: str) -> str:
    """The badge of a step run's status."""
    known = status in StepStatus.values
    return badge(status, str(StepStatus(status).label) if known else status)
