"""Collecting: all metrics at one moment, by about eight statements.

By index and up to a limit, or from small tables, like every figure: it may be asked for every few
seconds. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import connections

from .. import figures
from ..conf import settings
from ..figures import counts
from ..models import ExecutionStatus, PendingInput, Schedule
from ..store import clock
from ..version import VERSION
from .ended import ended
from .metric import Metric, Sample, gauge, plain

SCHEDULES_MAX: Final = 1_000
_CAPPED: Final = f"Counted up to {counts.COUNTED_MAX}."


def collect(now: datetime | None = None) -> list[Metric]:
    """All metrics, in a fixed order. ``now`` is an aware datetime, by default the database's.

    >>> [metric.name for metric in collect()][:2]
    ['durable_build_info', 'durable_executions']
    """
    now = now or clock.now()
    return [
        _build(),
        *_executions(now),
        *ended(now),
        *_fleet(figures.fleet(now), now),
        *_schedules(now),
    ]


def _build() -> Metric:
    labels = {"version": VERSION, "database": connections[settings.DATABASE].vendor}
    about = "Always 1; its labels tell the version of durable_django and the kind of the database."
    return gauge("durable_build_info", about, [Sample(1, labels)])


def _executions(now: datetime) -> Iterator[Metric]:
    runs = figures.all_runs()
    found = figures.count_capped(
        {
            **counts.statuses(runs),
            "overdue": counts.overdue(runs, now),
            "asked": PendingInput.objects.using(settings.DATABASE).order_by(),
        }
    )
    standing = figures.count_statuses(found)
    # Of those that completed there may be millions, which nothing counts; see what ended instead.
    standing.pop(ExecutionStatus.COMPLETED)
    yield gauge(
        "durable_executions",
        f"Runs that stand in a status, strands not included. {_CAPPED}",
        (Sample(number.number, {"status": status}) for status, number in standing.items()),
    )
    yield plain(
        "durable_executions_overdue",
        f"Runs whose time to go on came over a minute ago, and that nobody woke. {_CAPPED}",
        found["overdue"].number,
    )
    yield plain(
        "durable_pending_inputs",
        f"Requests for input that people have not answered. {_CAPPED}",
        found["asked"].number,
    )


def _fleet(fleet: figures.Fleet, now: datetime) -> Iterator[Metric]:
    overdue = len(fleet.workers) - fleet.alive
    yield gauge(
        "durable_workers",
        "Worker processes that have not ended. An overdue one has missed its lease.",
        [Sample(fleet.alive, {"state": "alive"}), Sample(overdue, {"state": "overdue"})],
    )
    yield plain(
        "durable_worker_threads",
        "Threads of the workers that are alive.",
        sum(worker.threads for worker in fleet.workers if not worker.is_overdue),
    )
    yield plain(
        "durable_worker_held",
        "Executions that workers hold, strands included.",
        sum(worker.held for worker in fleet.workers),
    )
    yield from _queues(fleet.queues, now)


def _queues(queues: tuple[figures.QueueFigures, ...], now: datetime) -> Iterator[Metric]:
    def of(name: str, about: str, numbers: Iterator[tuple[str, float]]) -> Metric:
        return gauge(name, about, (Sample(value, {"queue": queue}) for queue, value in numbers))

    yield of(
        "durable_queue_ready",
        f"Executions that are ready and that no worker has claimed, strands included. {_CAPPED}",
        ((queue.name, queue.waiting.number) for queue in queues),
    )
    yield of(
        "durable_queue_oldest_seconds",
        "For how long the oldest of those has been ready; 0 where nothing is.",
        ((queue.name, _age(queue.oldest_at, now)) for queue in queues),
    )
    yield of(
        "durable_queue_held",
        "Executions that workers hold, strands included.",
        ((queue.name, queue.running) for queue in queues),
    )
    yield of(
        "durable_queue_workers",
        "Workers alive that serve the queue.",
        ((queue.name, queue.workers) for queue in queues),
    )
    yield of(
        "durable_queue_paused",
        "1 if the queue is paused.",
        ((queue.name, int(queue.paused_at is not None)) for queue in queues),
    )
    yield of(
        "durable_queue_limit",
        "How many executions of the queue may run at once, where that is limited.",
        ((queue.name, queue.limit) for queue in queues if queue.limit is not None),
    )


def _schedules(now: datetime) -> Iterator[Metric]:
    rows = Schedule.objects.using(settings.DATABASE).filter(retired_at__isnull=True)
    columns = ("workflow_name", "name", "enabled", "error", "due_at", "next_at", "jitter_seconds")
    found = list(rows.order_by("workflow_name", "name").values_list(*columns)[:SCHEDULES_MAX])

    def of(name: str, about: str, numbers: Iterator[float]) -> Metric:
        labels = ({"workflow": row[0], "schedule": row[1]} for row in found)
        return gauge(name, about, (Sample(n, of) for n, of in zip(numbers, labels, strict=True)))

    yield of("durable_schedule_on", "1 if the schedule is on.", (int(row[2]) for row in found))
    yield of(
        "durable_schedule_error",
        "1 if the schedule could not be fired when that was last tried.",
        (int(bool(row[3])) for row in found),
    )
    yield of(
        "durable_schedule_late_seconds",
        "For how long the schedule's next tick has been due; 0 if it is not.",
        (_age(_due_at(*row[3:]), now) for row in found),
    )


def _due_at(
    error: str, due_at: datetime | None, next_at: datetime | None, jitter_seconds: float
) -> datetime | None:
    """When a schedule was due first: one that could not be fired is put off, minute by minute."""
    if not error or due_at is None or next_at is None:
        return due_at
    return min(due_at, clock.after(next_at, jitter_seconds) or due_at)


def _age(moment: datetime | None, now: datetime) -> float:
    return 0 if moment is None else max((now - moment) / timedelta(seconds=1), 0)
