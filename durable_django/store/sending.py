"""Send: an event becomes a row, in the caller's transaction if there is one.

Locks nothing and looks at no wait: a caller's open transaction holds nobody up, and whom the event
is for is found by workers, once it has committed. One statement, the notice to them included.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections

from ..conf import settings
from ..models import AuditVerb, Event, EventKind, EventStatus, Execution
from ..models.execution import ExecutionKind
from ..models.lookups import adapt_id
from ..models.status import FINAL_VALUES
from . import audit, clock, wakeup
from .hot import adapted
from .spreading import runs_waiting
from .transactions import worker_transaction


def send(
    run_id: UUID,
    name: str,
    payload_text: str,
    *,
    kind: str = EventKind.EVENT,
    key: str = "",
    scope: str = "",
    idempotency_key: str | None = None,
    by: Any = None,
) -> Event | None:
    """Writes one event for a run and wakes a worker. With an idempotency key that this run has got
    already, nothing is written: the event that has it, whatever became of the run.

    None, and nothing written, where there is no such run or it has ended. A child's end is written
    even then: a parent that failed can be retried, and would wait for it for ever.

    ``by`` is who sends it, whose name is kept.
    """
    row = _row(kind, name, key, payload_text, idempotency_key)
    row["scope"] = scope
    statement = _addressed_sql(tuple(row), to_ended=kind == EventKind.CHILD)
    with nullcontext() if by is None else worker_transaction(None):
        event = _insert(statement, row, adapt_id(run_id, settings.DATABASE), execution_id=run_id)
        if event is not None and by is not None:
            detail = {"name": name, "key": key, "event": event.pk}
            audit.record(AuditVerb.SEND_EVENT, execution_id=run_id, by=by, detail=detail)
    if event is None and idempotency_key is not None:
        return _find(execution_id=run_id, idempotency_key=idempotency_key)
    return event


def publish(
    name: str,
    key: str,
    payload_text: str,
    keep_seconds: float | None = None,
    idempotency_key: str | None = None,
    by: Any = None,
) -> Event:
    """Writes one event for every run that waits for its name and key, and, for ``keep_seconds``,
    for those that will. With an idempotency key that was used for this name and key already,
    nothing is written: the event that has it. ``by`` is who publishes it, whose name is kept by
    the runs that wait for it at this moment."""
    row = _row(EventKind.EVENT, name, key, payload_text, idempotency_key)
    if keep_seconds is not None:
        row["expires_at"] = clock.after(row["created_at"], keep_seconds)
    while True:
        with nullcontext() if by is None else worker_transaction(None):
            event = _insert(_published_sql(tuple(row)), row)
            if event is not None and by is not None:
                _record_published(event, by)
        if event is None:
            event = _find(execution=None, name=name, key=key, idempotency_key=idempotency_key)
        if event is not None:  # else it was deleted between the two statements
            return event


def _record_published(event: Event, by: Any) -> None:
    """An entry for each run that waits now. Only read: no wait is locked, so that one that parks
    at this very moment, or waits later for what is kept, gets the event without an entry."""
    detail = {"name": event.name, "key": event.key, "event": event.pk, "published": True}
    audit.record_many(AuditVerb.SEND_EVENT, runs_waiting(event), by=by, detail=detail)


def _row(
    kind: str, name: str, key: str, payload_text: str, idempotency_key: str | None
) -> dict[str, Any]:
    """Column -> value of a new event; columns that are left out are NULL."""
    return {
        "kind": str(kind),
        "name": name,
        "key": key,
        "scope": "",
        "payload_text": payload_text,
        "idempotency_key": idempotency_key,
        "status": EventStatus.NEW.value,
        "created_at": clock.now(),
    }


def _insert(statement: str, row: dict[str, Any], *more: Any, **known: Any) -> Event | None:
    """The event, if it was written. ``more`` are the statement's other parameters, ``known`` what
    they come to in the row."""
    connection = connections[settings.DATABASE]
    (params,) = adapted(connection, list(row), [tuple(row.values())])
    params += more
    if connection.vendor == "postgresql":
        statement = f"WITH sent AS ({statement}) SELECT id, pg_notify(%s, '') FROM sent"
        params.append(wakeup.WAITS_CHANNEL)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        # All rows there are: SQLite's statement ends, and commits, with the last.
        written = cursor.fetchall()
    if not written:
        return None
    event = Event(id=written[0][0], **row, **known)
    event._state.adding, event._state.db = False, settings.DATABASE
    return event


@cache
def _addressed_sql(columns: tuple[str, ...], *, to_ended: bool) -> str:
    ended = ", ".join(f"'{status}'" for status in sorted(FINAL_VALUES))
    names, marks = _columns(columns)
    return (
        f'INSERT INTO "{Event._meta.db_table}" ({names}, execution_id) SELECT {marks}, run.id '
        f'FROM "{Execution._meta.db_table}" AS run '
        f"WHERE run.id = %s AND run.kind = '{ExecutionKind.WORKFLOW}' "
        f"{'' if to_ended else f'AND run.status NOT IN ({ended}) '}"
        "ON CONFLICT DO NOTHING RETURNING id"
    )


@cache
def _published_sql(columns: tuple[str, ...]) -> str:
    names, marks = _columns(columns)
    return (
        f'INSERT INTO "{Event._meta.db_table}" ({names}) VALUES ({marks}) '
        "ON CONFLICT DO NOTHING RETURNING id"
    )


def _columns(columns: tuple[str, ...]) -> tuple[str, str]:
    return ", ".join(f'"{name}"' for name in columns), ", ".join(["%s"] * len(columns))


def _find(**wanted: Any) -> Event | None:
    return Event.objects.using(settings.DATABASE).filter(**wanted).first()
