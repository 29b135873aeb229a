"""Synchronising: what code declares becomes rows, without losing what operators decided.

Runs after migrate and when a worker starts, in any number of processes at the same time, of old and
of new code. Of a workflow that this process does not have it touches nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError

from ..conf import settings
from ..definition import registry
from ..definition.schedule import Cron, Every
from ..engine import values
from ..models import Schedule, ScheduleSource
from . import clock, ticking, ticks, timetable
from .preparing import told
from .transactions import in_callers_transaction, repeating, worker_transaction

logger = logging.getLogger("durable_django.worker")

# One that is declared again so soon was gone during a deploy: an old worker started beside new
# ones. Its ticks of that time are caught up with.
DEPLOY_SECONDS = 3_600.0
# What of the columns makes the calendar, beside the zone that "" stands for.
_CALENDAR = ("cron", "timezone", "interval_seconds", "offset_seconds")

Key = tuple[str, str]


def synchronise() -> int:
    """Makes, changes and retires the rows that differ from what is declared; how many. One that
    fails is logged and stops no other. One statement where nothing differs."""
    declared = _declared()
    known = timetable.ours()
    if not known:
        return 0
    rows = Schedule.objects.using(settings.DATABASE).filter(workflow_name__in=known)
    stored = {(row.workflow_name, row.name): row for row in rows}
    changed = 0
    for key, entry in declared.items():
        row = stored.get(key)
        if row is None or _is_outdated(row, _text_of(entry)):
            changed += _guarded(key, partial(_declare, key, entry, row.pk if row else None))
    for key, row in stored.items():
        if row.source == ScheduleSource.CODE and key not in declared and row.retired_at is None:
            changed += _guarded(key, partial(_retire, row.pk))
    return changed


def synchronise_or_log() -> None:
    """As :func:`synchronise`, for who must go on whatever happens: migrate, a worker that starts.
    In somebody's transaction the database's errors are raised: it could not go on."""
    try:
        synchronise()
    except DatabaseError:
        if in_callers_transaction():
            raise
        logger.exception("the schedules could not be synchronised")
    except Exception:
        logger.exception("the schedules could not be synchronised")


def _declared() -> dict[Key, Cron | Every]:
    """What the latest version of each workflow declares."""
    found: dict[Key, Cron | Every] = {}
    for name in timetable.ours():
        for entry in registry.get(name).definition.options.schedules:
            found[name, entry.name or ""] = entry
    return found


def _guarded(key: Key, act: Callable[[], bool]) -> int:
    try:
        return 1 if repeating(act) else 0
    except DatabaseError:
        if in_callers_transaction():
            raise
        logger.exception("the schedule %s: %s could not be synchronised", *key)
    except Exception:
        logger.exception("the schedule %s: %s could not be synchronised", *key)
    return 0


# -- what is declared ------------------------------------------------------------------------


def _text_of(entry: Cron | Every) -> str:
    """All that makes one declaration another, as a text."""
    said: dict[str, Any] = {**entry.columns(), "queue": entry.queue, "zone": ""}
    said["asks_for_input"] = entry.asks_for_input
    if isinstance(entry, Cron) and not entry.timezone:
        said["zone"] = str(entry.zone)  # TIME_ZONE may be another one tomorrow
    said["input"] = _input_of(entry)[0]
    return values.encode({key: said[key] for key in sorted(said)}, "schedule")


def _input_of(entry: Cron | Every) -> tuple[str, str]:
    """(The input as it is stored, why it cannot be)."""
    if entry.asks_for_input or entry.input is None:
        return "{}", ""
    try:
        return values.encode(entry.input, "input", limit=settings.MAX_PAYLOAD_BYTES), ""
    except Exception as error:
        return "{}", told(error)


def _is_outdated(row: Schedule, text: str) -> bool:
    if row.declared_text != text or row.retired_at is not None:
        return True
    if row.source != ScheduleSource.CODE:
        return True
    if not row.enabled or row.next_at is not None:
        return False
    # On, and yet nothing is to come: its calendar has ended, or could not be read when it was last
    # tried, whatever became of the error since.
    return bool(row.error) or _goes_on(row)


def _goes_on(row: Schedule) -> bool:
    try:
        return ticking.calendar(row).after(clock.now()) is not None
    except ValueError:
        return True


def _declare(key: Key, entry: Cron | Every, pk: int | None) -> bool:
    """The row says what the code says."""
    with worker_transaction(None):
        row = None if pk is None else timetable.lock(pk)
        if row is None:
            return _insert(key, entry)
        text = _text_of(entry)
        if not _is_outdated(row, text):
            return False  # another process was faster
        moved = _calendar_changed(row, entry, text)
        returned_at, row.retired_at = row.retired_at, None
        _fill(row, entry, text)
        now = clock.now()
        if returned_at is not None:
            recent = now - returned_at < timedelta(seconds=DEPLOY_SECONDS)
            _aim_after(row, returned_at if recent else now)
        elif row.next_at is None or (moved and row.next_at > now):
            _aim_after(row, now)
        else:
            # What is due already is fired, whatever is declared now.
            ticking.aim(row, row.next_at)
        row.save(using=settings.DATABASE)
    logger.info("schedule %s: as the code declares it now", row)
    return True


def _insert(key: Key, entry: Cron | Every) -> bool:
    now = clock.now()
    row = Schedule(
        workflow_name=key[0],
        name=key[1],
        source=ScheduleSource.CODE,
        created_at=now,
        enabled_at=now,
    )
    _fill(row, entry, _text_of(entry))
    _aim_after(row, now)
    # race: declared-twice. Of two processes that start at the same moment one inserts it.
    rows = Schedule.objects.using(settings.DATABASE)
    rows.bulk_create([row], ignore_conflicts=True)
    logger.info("schedule %s: declared", row)
    return True


def _fill(row: Schedule, entry: Cron | Every, text: str) -> None:
    row.source = ScheduleSource.CODE.value
    row.declared_text = text
    row.queue = entry.queue or ""
    row.input_text, row.error = _input_of(entry)
    for name, value in entry.columns().items():
        setattr(row, name, value)


def _calendar_changed(row: Schedule, entry: Cron | Every, text: str) -> bool:
    columns = entry.columns()
    if any(getattr(row, name) != columns[name] for name in _CALENDAR):
        return True
    before: Mapping[str, Any] = values.decode(row.declared_text) if row.declared_text else {}
    return bool(before.get("zone") != values.decode(text)["zone"])


def _aim_after(row: Schedule, moment: datetime) -> None:
    """Its next tick is the first after the moment; an error instead, where its calendar cannot be
    read here."""
    try:
        ticking.aim(row, ticking.calendar(row).after(moment))
    except ValueError as error:
        row.error = told(error)
        ticking.aim(row, None)


def _retire(pk: int) -> bool:
    """The code says no longer that there is one. Its runs and ticks stay."""
    with worker_transaction(None):
        row = timetable.lock(pk)
        if row is None or row.retired_at is not None or row.source != ScheduleSource.CODE:
            return False
        row.retired_at = clock.now()
        ticks.drop_queued(row, "the schedule is no longer declared")
        ticking.aim(row, None)
        row.save(using=settings.DATABASE)
    logger.info("schedule %s: no longer declared", row)
    return True
