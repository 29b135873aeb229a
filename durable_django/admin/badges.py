"""Statuses as a shape, a text and a colour; never a colour alone.

Their looks are those of the graph: a tone, which is a class of the style sheet, and a shape.
"""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext

from ..graph.looks import LOOKS as LOOKS
from ..graph.looks import UNKNOWN
from ..models import ExecutionStatus, StepStatus


def badge(status: str, label: str) -> str:
    """A status as people see it; ``label`` is its text in the reader's language."""
    look = LOOKS.get(status, UNKNOWN)
    return format_html(
        '<span class="durable-status durable-{}">'
        '<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="{}"/></svg>'
        "{}</span>",
        look.tone,
        look.path,
        label,
    )


def icon(status: str) -> str:
    """A status where there is room for its shape only; its text is heard, and in the title."""
    look = LOOKS.get(status, UNKNOWN)
    label = status_label(status)
    return format_html(
        '<span class="durable-icon durable-{}" title="{}">'
        '<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="{}"/></svg>'
        '<span class="visually-hidden">{}</span></span>',
        look.tone,
        label,
        look.path,
        label,
    )


def status_label(status: str) -> str:
    """The text of a status of an attempt or an execution, in the reader's language."""
    if status == "held_back":
        return gettext("waits for its turn")
    if status in StepStatus.values:
        return str(StepStatus(status).label)
    return str(ExecutionStatus(status).label) if status in ExecutionStatus.values else status


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
