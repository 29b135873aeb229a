"""The timetable: which schedules there is something to do for, now and next.

Only those whose workflow this process has: others are left to workers that have it. It reads, and
locks a schedule for whoever is about to write; nothing else.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import connections
from django.db.models import BooleanField, F, QuerySet
from django.db.models.expressions import RawSQL

from ..conf import settings
from ..definition import registry
from ..models import Execution, Schedule, ScheduleTick
from . import clock
from .transactions import has_row_locks

BATCH = 500
LEFT_SECONDS = 60.0

# Schedules that this process leaves to others for a while, and until when (monotonic).
_left: dict[int, float] = {}

_SCHEDULE = Schedule._meta.db_table
_FREE = f"""
    "queued_at" IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM "{ScheduleTick._meta.db_table}" AS tick
        JOIN "{Execution._meta.db_table}" AS run ON run."id" = tick."execution_id"
        WHERE tick."schedule_id" = "{_SCHEDULE}"."id" AND tick."outcome" = 'started'
            AND tick."run_status" = '' AND run."finished_at" IS NULL)
"""


def ours() -> list[str]:
    """The names of the workflows that this process has."""
    return sorted({workflow.definition.name for workflow in registry.all()})


def outlook() -> tuple[str, list[Any]]:
    """The SQL of two columns, and its parameters: when the next schedule is due, and whether a tick
    that waited for the run before it can begin. They cost a look into two partial indexes."""
    names, left = ours(), _left_here()
    if not names:
        return "NULL, FALSE", []
    here, given = _among(names)
    if left:
        here += f' AND "id" NOT IN ({", ".join(["%s"] * len(left))})'
        given += left
    sql = f"""
    (SELECT "due_at" FROM "{_SCHEDULE}" WHERE "due_at" IS NOT NULL AND {here}
        ORDER BY "due_at" LIMIT 1),
    EXISTS (SELECT 1 FROM "{_SCHEDULE}" WHERE {_FREE} AND {here})
    """
    return sql, [*given, *given]


def _among(names: list[str]) -> tuple[str, list[Any]]:
    if connections[settings.DATABASE].vendor == "postgresql":
        return '"workflow_name" = ANY(%s)', [names]
    # The plus keeps SQLite from looking through all schedules of these workflows: those that are
    # due are few.
    return f'+"workflow_name" IN ({", ".join(["%s"] * len(names))})', list(names)


def due() -> list[int]:
    """Those whose time has come, the earliest first, some at a time."""
    rows = _here().filter(due_at__lte=clock.now()).order_by("due_at", "id")
    return list(rows.values_list("id", flat=True)[:BATCH])


def queued() -> list[int]:
    """Those with a tick that waited for the run before it, where that has ended, some at a time.
    What waits on is not among them: it would keep the others from their turn."""
    free = RawSQL(_FREE, [], output_field=BooleanField())
    rows = _here().filter(free).order_by("queued_at", "id")
    return list(rows.values_list("id", flat=True)[:BATCH])


def leave(pk: int) -> None:
    """This process leaves a schedule alone for a minute: others may know what to do."""
    _left[pk] = time.monotonic() + LEFT_SECONDS


def forget() -> None:
    """Nothing is left alone any more; for tests."""
    _left.clear()


def lock(pk: int) -> Schedule | None:
    """The schedule, locked until the end of the transaction; None if it is gone."""
    rows = Schedule.objects.using(settings.DATABASE).filter(pk=pk)
    return _locking(rows, skip_locked=False).first()


def lock_named(workflow_name: str, name: str) -> int | None:
    """The id of a schedule, locked until the end of the transaction, which has written before; None
    if there is none."""
    rows = Schedule.objects.using(settings.DATABASE).filter(workflow_name=workflow_name, name=name)
    if has_row_locks():
        rows = rows.select_for_update(no_key=True)
    return rows.values_list("id", flat=True).first()


def lock_free(pks: list[int]) -> list[Schedule]:
    """Those that are there and that nobody else holds, locked until the end of the transaction."""
    rows = Schedule.objects.using(settings.DATABASE).filter(pk__in=pks)
    return list(_locking(rows, skip_locked=True).order_by("due_at", "id"))


def _locking(rows: QuerySet[Schedule], *, skip_locked: bool) -> QuerySet[Schedule]:
    if has_row_locks():
        return rows.select_for_update(no_key=True, skip_locked=skip_locked)
    rows.update(error=F("error"))  # a write first, as SQLite wants it
    return rows


def _here() -> QuerySet[Schedule]:
    rows = Schedule.objects.using(settings.DATABASE).filter(workflow_name__in=ours())
    left = _left_here()
    return rows.exclude(id__in=left) if left else rows


def _left_here() -> list[int]:
    if not _left:
        return []
    now = time.monotonic()
    for pk in [pk for pk, until in _left.items() if until <= now]:
        _left.pop(pk, None)
    return list(_left)
