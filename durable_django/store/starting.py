"""Start: a new run becomes a row, in the caller's transaction if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from ..conf import settings
from ..models import Execution, ExecutionStatus
from ..models.ids import uuid7
from . import clock, wakeup
from .transactions import worker_transaction

BATCH = 1_000


class StartOptions(NamedTuple):
    """What ``start`` settled from its arguments and the workflow's Meta."""

    workflow_name: str
    version: int
    queue: str
    priority: int
    timeout: float | None
    scheduled_at: datetime | None
    idempotency_key: str | None
    tags: Any


def insert(options: StartOptions, input_text: str) -> Execution:
    """Writes one run and wakes a worker. With an idempotency key that is taken, the run that has
    it is returned and nothing is written."""
    run = _new(options, input_text, clock.now())
    if options.idempotency_key is not None:
        return _insert_once(run)
    connection = connections[settings.DATABASE]
    if connection.vendor == "postgresql":
        _insert_notifying(run)
    else:
        run.save(using=settings.DATABASE, force_insert=True)
    return run


def insert_many(options: StartOptions, input_texts: Sequence[str]) -> list[UUID]:
    """Writes a run for each input, a thousand a statement, all or none."""
    now = clock.now()
    rows = Execution.objects.using(settings.DATABASE)
    ids: list[UUID] = []
    with worker_transaction(None):
        for begin in range(0, len(input_texts), BATCH):
            batch = [_new(options, text, now) for text in input_texts[begin : begin + BATCH]]
            rows.bulk_create(batch)
            ids.extend(run.pk for run in batch)
        if ids:
            wakeup.notify(options.queue)
    return ids


def _new(options: StartOptions, input_text: str, now: datetime) -> Execution:
    pk = uuid7()
    scheduled = options.scheduled_at
    later = scheduled is not None and scheduled > now
    begins = scheduled if later and scheduled is not None else now
    timeout_at = None
    if options.timeout is not None:
        timeout_at = clock.after(begins, options.timeout)
    due = [moment for moment in (begins if later else None, timeout_at) if moment is not None]
    return Execution(
        pk=pk,
        root_id=pk,
        workflow_name=options.workflow_name,
        version=options.version,
        status=ExecutionStatus.SCHEDULED if later else ExecutionStatus.PENDING,
        queue=options.queue,
        priority=options.priority,
        tags=options.tags,
        idempotency_key=options.idempotency_key,
        input_text=input_text,
        created_at=now,
        scheduled_at=scheduled,
        ready_at=begins,
        timeout_at=timeout_at,
        due_at=min(due) if due else None,
    )


def _insert_once(run: Execution) -> Execution:
    """Insert, and on conflict read: a conflict with an uncommitted row waits for its commit."""
    rows = Execution.objects.using(settings.DATABASE)
    with worker_transaction(None):
        rows.bulk_create([run], ignore_conflicts=True)
        found = rows.get(workflow_name=run.workflow_name, idempotency_key=run.idempotency_key)
        if found.pk == run.pk:
            wakeup.notify(run.queue)
    return found




def _insert_notifying(run: Execution) -> None:
    """One statement that inserts the run and notifies.

    Measured on PostgreSQL 18, starts a second from one client: see benchmarks/README.md
    (``Model.save`` and a NOTIFY of its own are two round trips and 570 µs for the first alone).
    """
    fields = Execution._meta.concrete_fields
    connection = connections[settings.DATABASE]
    params = [field.get_db_prep_save(getattr(run, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_insert_sql(), [*params, wakeup.CHANNEL, run.queue])
    run._state.adding = False
    run._state.db = settings.DATABASE


def _insert_sql() -> str:
    if not _sql:
        columns = ", ".join(f'"{field.column}"' for field in Execution._meta.concrete_fields)
        marks = ", ".join(["%s"] * len(Execution._meta.concrete_fields))
        table = Execution._meta.db_table
        _sql.append(
            f'WITH run AS (INSERT INTO "{table}" ({columns}) VALUES ({marks})) '
            "SELECT pg_notify(%s, %s)"
        )
    return _sql[0]


_sql: list[str] = []
