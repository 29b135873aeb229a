"""Queues: what operators decide about them, written with who did it and why.

A queue needs no row to be used; one is made when a worker starts that serves it, or when somebody
pauses or limits it. What the decisions do to claims stands in ``gates``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import connections, transaction

from ..conf import settings
from ..definition import registry
from ..definition.spelling import did_you_mean
from ..exceptions import InvalidState, QueueNotFound
from ..models import AuditVerb, Execution, Queue, Worker, WorkerStatus
from . import audit, clock, wakeup
from .claiming import is_ready
from .hot import IS_READY
from .transactions import has_row_locks, repeating


def ensure(names: Iterable[str]) -> int:
    """Makes the rows that are missing; how many. Two processes may do it at the same time."""
    rows = Queue.objects.using(settings.DATABASE)
    wanted = set(names)
    missing = sorted(wanted - set(rows.filter(name__in=wanted).values_list("name", flat=True)))
    if missing:
        repeating(lambda: _insert(missing))
    return len(missing)


def pause(name: str, reason: str, by: Any) -> Queue:
    """Nothing of the queue is claimed from now on. QueueNotFound, InvalidState if it is paused."""

    def paused(queue: Queue) -> dict[str, Any]:
        if queue.is_paused:
            raise InvalidState(f"queue {name!r} is already paused", status="paused")
        queue.paused_at = clock.now()
        return {}

    return _change(name, AuditVerb.PAUSE, paused, reason, by)


def resume(name: str, reason: str, by: Any) -> Queue:
    """It is claimed from again. QueueNotFound, InvalidState if it is not paused."""

    def resumed(queue: Queue) -> dict[str, Any]:
        if not queue.is_paused:
            raise InvalidState(f"queue {name!r} is not paused")
        queue.paused_at = None
        return {}

    return _change(name, AuditVerb.RESUME, resumed, reason, by)


def limit(name: str, limit: int | None, reason: str, by: Any) -> Queue:
    """Workers hold at most ``limit`` of its executions at once; None: any number. QueueNotFound."""

    def limited(queue: Queue) -> dict[str, Any]:
        before, queue.concurrency_limit = queue.concurrency_limit, limit
        return {"limit": limit, "before": before}

    return _change(name, AuditVerb.LIMIT, limited, reason, by)


def _change(
    name: str, verb: str, change: Callable[[Queue], dict[str, Any]], reason: str, by: Any
) -> Queue:
    if not is_known(name):
        names = [queue.name for queue in listed()]
        raise QueueNotFound(f"no queue is called {name!r}{did_you_mean(name, names)}")

    def transition() -> Queue:
        with transaction.atomic(using=settings.DATABASE):
            _insert([name])  # a write first, as SQLite wants it
            rows = Queue.objects.using(settings.DATABASE)
            queue = (rows.select_for_update(no_key=True) if has_row_locks() else rows).get(pk=name)
            detail = change(queue)
            queue.save(using=settings.DATABASE, update_fields=["paused_at", "concurrency_limit"])
            audit.record(verb, queue=name, by=by, reason=reason, detail=detail)
            wakeup.notify(name)
        return queue

    return repeating(transition)


def _insert(names: list[str]) -> None:
    now = clock.now()
    rows = Queue.objects.using(settings.DATABASE)
    rows.bulk_create([Queue(name=name, created_at=now) for name in names], ignore_conflicts=True)


# -- which there are -------------------------------------------------------------------------


def listed() -> list[Queue]:
    """All queues by name: those with a row, and those without that settings, workflows, living
    workers or ready runs name. Three small statements."""
    found = {queue.name: queue for queue in Queue.objects.using(settings.DATABASE)}
    now = clock.now()
    for name in (*_declared(), *_served(), *_with_ready_runs()):
        found.setdefault(name, Queue(name=name, created_at=now))
    return [found[name] for name in sorted(found)]


def is_known(name: str) -> bool:
    """Whether settings, a workflow, a row, a worker or a run names it. The last is a long look, at
    every run that has not ended; only a name that nobody else knows needs it."""
    if name in _declared() or Queue.objects.using(settings.DATABASE).filter(pk=name).exists():
        return True
    if name in _served() or is_ready([name]):
        return True
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(queue=name, finished_at__isnull=True).exists()


def _declared() -> set[str]:
    queues = {workflow.definition.options.queue for workflow in registry.all()}
    return {"default", *settings.QUEUES, *queues}


def _served() -> set[str]:
    rows = Worker.objects.using(settings.DATABASE).filter(status=WorkerStatus.ALIVE)
    return {name for queues in rows.values_list("queues", flat=True) for name in queues}


# One look into the index of what is ready for each queue, not for each run.
_READY_QUEUES = f"""
WITH RECURSIVE found(name) AS (
    SELECT min(queue) FROM "{Execution._meta.db_table}" WHERE {IS_READY}
    UNION ALL
    SELECT (SELECT min(queue) FROM "{Execution._meta.db_table}"
        WHERE {IS_READY} AND queue > found.name)
    FROM found WHERE found.name IS NOT NULL
) SELECT name FROM found WHERE name IS NOT NULL
"""


def _with_ready_runs() -> list[str]:
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(_READY_QUEUES)
        return [name for (name,) in cursor.fetchall()]
