"""Preparing: what the run of a tick is started with, settled before anything is locked.

Runs code of the project: an ``input`` that is a function, ``clean_input``. It may take its time,
ask the database and fail; so it runs outside the transaction that writes, and writes nothing.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction

from ..conf import settings
from ..definition import registry
from ..definition.schedule import Cron, Every
from ..engine import values
from ..exceptions import WorkflowNotFound
from ..models import Schedule, ScheduleSource
from .options import UNSET, StartOptions, input_text, settled
from .ticking import run_key, spelled
from .transactions import in_callers_transaction

if TYPE_CHECKING:
    from ..definition.workflow import Workflow

logger = logging.getLogger("durable_django.worker")

ERROR_BYTES_MAX = 10_000


class Prepared(NamedTuple):
    """``options`` and ``input_text`` of the run; without options ``error`` says why it cannot be
    started."""

    options: StartOptions | None
    input_text: str = ""
    error: str = ""


class NotHere(Exception):
    """This process does not have the code that says what the run is given."""


def declaration(schedule: Schedule) -> Cron | Every | None:
    """What the code of this process says of it; None if it says nothing, or people made it."""
    if schedule.source != ScheduleSource.CODE:
        return None
    try:
        declared = registry.get(schedule.workflow_name).definition.options.schedules
    except WorkflowNotFound:
        return None
    return next((entry for entry in declared if entry.name == schedule.name), None)


def prepare(schedule: Schedule, tick: datetime, *, input: Any = UNSET, keyed: bool = True) -> Any:
    """What the run of this tick is started with: a Prepared. ``input`` is another input; without
    ``keyed`` the run is one of its own, not the one of that time.

    Raises NotHere, and whatever the project's code and ``start`` raise.
    """
    cls = _workflow(schedule)
    declared = declaration(schedule)
    if declared is None and is_given_by_code(schedule) and input is UNSET:
        raise NotHere(f"the input of {schedule.key} is in newer or older code than this")
    with _savepoint():
        if input is not UNSET:
            given = input
        elif declared is not None:
            given = declared.input_at(tick)
        else:
            given = schedule.input
        text = input_text(cls, given)
    options = settled(
        cls,
        queue=schedule.queue or UNSET,
        scheduled_at=tick if keyed else None,
        idempotency_key=run_key(schedule.name, spelled(tick)) if keyed else None,
        tags={"schedule": schedule.name},
    )
    return Prepared(options, text)


def prepared_or_why(schedule: Schedule, tick: datetime) -> Prepared:
    """As :func:`prepare`; what the project's code raises is told instead. NotHere is raised."""
    try:
        return prepare(schedule, tick)  # type: ignore[no-any-return]
    except (NotHere, KeyboardInterrupt):
        raise
    except BaseException as error:
        logger.warning("%s: its tick of %s cannot be started", schedule, tick, exc_info=True)
        return Prepared(None, error=told(error))


def told(error: BaseException) -> str:
    """An error as it is kept with a schedule."""
    return values.visible(f"{type(error).__name__}: {error}", ERROR_BYTES_MAX)


def is_given_by_code(schedule: Schedule) -> bool:
    """Whether only code can say what its runs are given."""
    if schedule.source != ScheduleSource.CODE or not schedule.declared_text:
        return False
    return bool(values.decode(schedule.declared_text).get("asks_for_input"))


def _workflow(schedule: Schedule) -> type[Workflow]:
    return registry.get(schedule.workflow_name)


def _savepoint() -> Any:
    """In somebody's transaction, what the project's code breaks is undone up to here."""
    if in_callers_transaction():
        return transaction.atomic(using=settings.DATABASE)
    return nullcontext()
