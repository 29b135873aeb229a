"""Checks of the schedules that workflows declare: what a class body must not know, since it depends
on the machine and the settings.

They look at code only; schedules that people made are judged when they are made. What a schedule's
function says as the input of a tick is told when the tick comes. All that they say are warnings: an
error would keep each worker from starting, and all else of the project with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Warning
from django.utils import timezone

from ..definition import registry
from ..definition.occurrences import Calendar
from ..definition.schedule import Cron, Every
from ..definition.spelling import did_you_mean
from ..engine import values
from ..exceptions import NotSerializable, PayloadTooLarge
from .values import valid

if TYPE_CHECKING:
    from ..definition.workflow import Workflow

# So many ticks show how near two of them come: a day of every quarter of an hour.
TICKS_LOOKED_AT = 100

_FIELDS = 'Five fields, like "0 9 * * MON-FRI", six with seconds first, or "@daily".'
_ZONES = 'A name like "America/New_York"; on a machine without any, pip install tzdata.'


def check_schedules(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """W006, W007 and W016 to W019: what ``Meta.schedules`` say."""
    return [
        message
        for cls in registry.all()
        for schedule in cls.definition.options.schedules
        for check in (_check_queue, _check_calendar, _check_input)
        for message in check(cls, schedule)
    ]


def _check_queue(cls: type[Workflow], schedule: Cron | Every) -> Iterator[CheckMessage]:
    """As for a workflow's own queue."""
    queues, queue = valid("QUEUES"), schedule.queue
    if queue is None or not queues or queue in (known := sorted({*queues, "default"})):
        return
    yield Warning(
        f'{_what(schedule)} has the queue "{queue}", which DURABLE["QUEUES"] does not name'
        f"{did_you_mean(queue, known) or '.'}",
        hint=f"The queues are {', '.join(known)}.",
        obj=_name_of(cls),
        id="durable_django.W016",
    )


def _check_calendar(cls: type[Workflow], schedule: Cron | Every) -> Iterator[CheckMessage]:
    """Its zone, its expression, and whether and when it ticks."""
    mistakes = []
    try:
        _ = schedule.zone
    except ValueError as error:
        mistakes.append(_wrong(cls, schedule, error, hint=_ZONES, id="durable_django.W018"))
    try:
        # In a zone that each machine has, so that a wrong zone does not hide a wrong expression.
        _in_utc(schedule).calendar()
    except ValueError as error:
        mistakes.append(_wrong(cls, schedule, error, hint=_FIELDS, id="durable_django.W017"))
    yield from mistakes or _check_ticks(cls, schedule, schedule.calendar())


def _check_ticks(
    cls: type[Workflow], schedule: Cron | Every, calendar: Calendar
) -> Iterator[CheckMessage]:
    now = timezone.now()
    if calendar.after(now) is None:
        yield Warning(
            f"{_what(schedule)} never ticks: {calendar.explain()}.",
            hint="No day has all that its fields ask for; leave it out, or ask for less.",
            obj=_name_of(cls),
            id="durable_django.W006",
        )
    jitter = timedelta(seconds=schedule.columns()["jitter_seconds"])
    if not jitter:
        return
    ticks = islice(calendar.between(now, now + timedelta(days=3_660)), TICKS_LOOKED_AT)
    gap = min((later - tick for tick, later in pairwise(ticks)), default=jitter)
    if jitter > gap:
        yield Warning(
            f"{_what(schedule)} has a jitter of {jitter}, and ticks that are only {gap} apart: one "
            "can be fired when the next is due already.",
            hint="A jitter shorter than the time between two ticks.",
            obj=_name_of(cls),
            id="durable_django.W007",
        )


def _check_input(cls: type[Workflow], schedule: Cron | Every) -> Iterator[CheckMessage]:
    if schedule.asks_for_input:
        return
    try:
        values.encode(schedule.input, "input", limit=valid("MAX_PAYLOAD_BYTES"))
    except (NotSerializable, PayloadTooLarge) as error:
        hint = "What a run takes as its input, or a function of the tick that says it."
        yield _wrong(cls, schedule, error, hint=hint, id="durable_django.W019")


def _wrong(
    cls: type[Workflow], schedule: Cron | Every, error: Exception, *, hint: str, id: str
) -> CheckMessage:
    text = str(error)
    return Warning(
        f"{_what(schedule)}: {text if text.endswith(('.', '?')) else f'{text}.'}",
        hint=hint,
        obj=_name_of(cls),
        id=id,
    )


def _in_utc(schedule: Cron | Every) -> Cron | Every:
    return Cron(schedule.expression, timezone="UTC") if isinstance(schedule, Cron) else schedule


def _what(schedule: Cron | Every) -> str:
    return f'Meta.schedules: "{schedule.name}"'


def _name_of(cls: type[Workflow]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
