"""What may be said of a schedule, and how: when it comes in words, its next times, its input.

The admin and the terminal both stand on it. It reads rows and calls the API's previews; it decides
nothing, and knows no person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from .. import schedules
from ..definition import registry
from ..definition.occurrences import Calendar, calendar_of
from ..exceptions import WorkflowNotFound
from ..models import Schedule
from .durations import written
from .learning import learn
from .masking import Mask, Masks
from .visible import visible

NEXT_MAX: Final = 10


def zone_name(schedule: Schedule) -> str:
    """The name of the time zone that it is read in."""
    return schedule.timezone or timezone.get_default_timezone_name()


def calendar(schedule: Schedule) -> Calendar:
    """Its calendar. ValueError where that cannot be read on this machine."""
    return calendar_of(
        schedule.cron, schedule.timezone, schedule.interval_seconds, schedule.offset_seconds
    )


def words(schedule: Schedule) -> str:
    """When it comes, in words: ``At 09:00 every day, America/New_York``; as it is written where it
    cannot be read."""
    try:
        return visible(calendar(schedule).explain())
    except ValueError:
        return visible(schedule.cron or written(schedule.interval_seconds or 0))


def to_come(schedule: Schedule, now: datetime, count: int = NEXT_MAX) -> list[datetime]:
    """Its next times: the first is where it stands, be it moved there; of one that is off those
    that would be; none where its calendar cannot be read."""
    first = [schedule.next_at] if schedule.next_at is not None else []
    after = schedule.next_at or now
    try:
        rest = schedules.preview_ticks(schedule, count - len(first), after=after)
    except ValueError:
        rest = []
    return [*first, *rest]


def gives_input(schedule: Schedule) -> bool:
    """Whether the code in this process says for each tick what its run is given."""
    try:
        declared = registry.get(schedule.workflow_name).definition.options.schedules
    except WorkflowNotFound:
        return False
    return any(each.name == schedule.name and each.asks_for_input for each in declared)


def is_known(schedule: Schedule) -> bool:
    """Whether this process has the code of its workflow."""
    try:
        registry.get(schedule.workflow_name)
    except WorkflowNotFound:
        return False
    return True


def mask_of(schedule: Schedule, *, reveal: bool) -> Mask:
    """What must not be shown of its runs, having seen its input; with ``reveal`` nothing."""
    try:
        version = registry.get(schedule.workflow_name).definition.version
    except WorkflowNotFound:
        version = 0
    named = (schedule.workflow_name, version)
    mask = Masks([named], reveal=reveal).of(*named)
    learn(mask, schedule.input_text)
    return mask


def shape(schedule: Schedule, state: str, mask: Mask) -> dict[str, Any]:
    """A schedule as the terminal's ``--json`` gives it; names and their order are stable."""
    from .shapes import value_shape

    return {
        "id": schedule.pk,
        "workflow": schedule.workflow_name,
        "name": schedule.name,
        "state": state,
        "source": schedule.source,
        "cron": schedule.cron or None,
        "timezone": zone_name(schedule) if schedule.cron else None,
        "interval_seconds": schedule.interval_seconds,
        "offset_seconds": schedule.offset_seconds,
        "words": words(schedule),
        "input": value_shape(schedule.input_text, mask),
        "queue": schedule.queue or None,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "catch_up_seconds": schedule.catch_up_seconds,
        "jitter_seconds": schedule.jitter_seconds,
        "disable_after": schedule.disable_after,
        "next_at": schedule.next_at,
        "due_at": schedule.due_at,
        "queued_at": schedule.queued_at,
        "last_at": schedule.last_at,
        "why_off": mask.text(schedule.disabled_reason) or None,
        "error": mask.text(schedule.error) or None,
        "retired_at": schedule.retired_at,
        "created_at": schedule.created_at,
    }
