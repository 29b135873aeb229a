"""The parts of the overview: figures in words, each with the page where one finds more.

It asks no database. What a run brought (names of errors and nodes) is text to be escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from ..figures import Capped, Failing, Fleet, Pace, QueueFigures, Throughput, WorkerFigures
from ..models import Schedule, WorkerStatus
from ..showing import schedules as said
from ..showing import spoken
from ..showing.visible import visible
from ..version import VERSION
from . import badges, moments
from .charts import grouped
from .overview_links import Links
from .schedule_views import state_badge

# What has waited longer for a worker is worth a look.
LATE_SECONDS: Final = 60
NAME_LENGTH_MAX: Final = 200


def shown(counted: Capped) -> str:
    """A count: ``12``, ``10,000+``."""
    number = grouped(counted.number)
    return _("%(number)s+") % {"number": number} if counted.more else number


def oldest(moment: datetime | None, now: datetime) -> str:
    """``oldest for 3 min 12 s``; "" for nothing."""
    if moment is None:
        return ""
    return _("oldest for %(time)s") % {"time": spoken.length((now - moment).total_seconds())}


@dataclass(frozen=True)
class Tile:
    """A status with the number of runs that have it."""

    badge: str
    number: str
    url: str
    is_none: bool


def tiles(counted: Mapping[str, Capped], links: Links) -> list[Tile]:
    """One for each status, in the order of a run's life."""
    return [
        Tile(
            badges.execution_badge(status),
            shown(number),
            links.to("execution", status=status),
            not number.number,
        )
        for status, number in counted.items()
    ]


@dataclass(frozen=True)
class Choice:
    """A link that chooses a period."""

    label: str
    url: str
    is_chosen: bool


def periods(chosen: str) -> list[Choice]:
    """Hour, day, week."""
    labels = {"hour": _("Past hour"), "day": _("Past day"), "week": _("Past week")}
    return [Choice(label, f"?period={name}", name == chosen) for name, label in labels.items()]


def totals(throughput: Throughput, links: Links) -> dict[str, Any]:
    """The sums of a period; how many of those that ended failed, in percent; where runs of each
    status are listed."""
    total = throughput.total
    return {
        "urls": {
            status: links.to("execution", status=status)
            for status in ("completed", "failed", "cancelled")
        },
        "completed": grouped(throughput.completed),
        "failed": grouped(throughput.failed),
        "cancelled": grouped(throughput.cancelled),
        "share": percent(throughput.failed, total),
        "rate": rate(total, throughput.period.length.total_seconds()) if total else "",
    }


def percent(part: int, total: int) -> str:
    """``3.2 %``; "" of nothing."""
    if not total:
        return ""
    share = 100 * part / total
    if part and share < 0.1:
        return _("under %(n)s %%") % {"n": "0.1"}
    return _("%(n)s %%") % {"n": _short(share)}


def rate(number: int, seconds: float) -> str:
    """How many in a second, a minute or an hour: whichever is at least one."""
    for unit, text in ((1, _("%(n)s a second")), (60, _("%(n)s a minute"))):
        if number >= seconds / unit:
            return text % {"n": _short(number / seconds * unit)}
    return _("%(n)s an hour") % {"n": _short(number / seconds * 3600)}


def _short(value: float) -> str:
    rounded = round(value, 1)
    return number_format(rounded, decimal_pos=0 if rounded.is_integer() else 1)


@dataclass(frozen=True)
class PaceRow:
    """A workflow in the table of durations."""

    name: str
    url: str
    total: str
    failed: str
    failed_url: str
    share: str
    times: tuple[str, ...]


def pace(found: Pace, links: Links) -> PaceRow:
    """How fast a workflow is, in words."""
    name = found.workflow_name
    return PaceRow(
        visible(name),
        links.to("execution", workflow=name),
        grouped(found.total),
        grouped(found.failed) if found.failed else "",
        links.to("execution", workflow=name, status="failed"),
        percent(found.failed, found.total),
        tuple(
            "" if seconds is None else about(seconds)
            for seconds in (found.p50, found.p95, found.p99)
        ),
    )


def about(seconds: float) -> str:
    """A duration that is known to two digits."""
    if seconds < spoken.MINUTE:
        digits = 1 - len(str(int(seconds * 1000))) + 1
        seconds = max(round(seconds * 1000, digits), 1) / 1000
    return spoken.length(seconds)


@dataclass(frozen=True)
class FailingRow:
    """What fails often: so many times, where, with what error."""

    number: str
    workflow: str
    workflow_url: str
    error: str
    node: str
    last: str | None
    last_url: str


def failings(found: list[Failing], now: datetime, links: Links) -> list[FailingRow]:
    """What fails most, in words."""
    return [
        FailingRow(
            grouped(row.number),
            visible(row.workflow_name),
            links.to("execution", workflow=row.workflow_name, status="failed"),
            visible(Truncator(row.error_type).chars(NAME_LENGTH_MAX)),
            visible(Truncator(row.node).chars(NAME_LENGTH_MAX)),
            moments.ago(row.last_at, now),
            links.page("execution", row.run_id),
        )
        for row in found
    ]


@dataclass(frozen=True)
class QueueRow:
    """A queue."""

    name: str
    url: str
    badge: str
    waiting: str
    waiting_url: str
    oldest: str
    is_late: bool
    running: str
    limit: str
    workers: str


def queues(fleet: Fleet, now: datetime, links: Links) -> list[QueueRow]:
    """The queues, in words."""
    rows = []
    for queue in fleet.queues:
        oldest_at = queue.oldest_at
        rows.append(
            QueueRow(
                visible(queue.name),
                links.page("queue", queue.name) if queue.has_row else "",
                queue_badge(queue),
                shown(queue.waiting),
                links.waiting_in(queue.name) if queue.waiting.number else "",
                spoken.length((now - oldest_at).total_seconds()) if oldest_at else "",
                is_late(queue, now),
                grouped(queue.running),
                grouped(queue.limit) if queue.limit is not None else "",
                grouped(queue.workers),
            )
        )
    return rows


def is_late(queue: QueueFigures, now: datetime) -> bool:
    """Whether something in it has waited for long."""
    waits_since = queue.oldest_at
    return waits_since is not None and (now - waits_since).total_seconds() > LATE_SECONDS


def queue_badge(queue: QueueFigures) -> str:
    """Whether a queue moves."""
    if queue.paused_at is not None:
        return badges.execution_badge("paused")
    if not queue.workers:
        return badges.badge("overdue" if queue.waiting.number else "stopped", _("not served"))
    if queue.limit is not None and queue.running >= queue.limit:
        return badges.badge("waiting", _("full"))
    return badges.badge("alive", _("open"))


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule that is due soon."""

    name: str
    url: str
    badge: str
    next: str | None
    words: str


def schedules(found: Iterable[Schedule], now: datetime, links: Links) -> list[ScheduleRow]:
    """Those that come next, in words."""
    return [
        ScheduleRow(
            visible(Truncator(str(row)).chars(NAME_LENGTH_MAX)),
            links.page("schedule", row.pk),
            state_badge(row, now),
            moments.ago(row.next_at, now),
            said.words(row),
        )
        for row in found
    ]


@dataclass(frozen=True)
class WorkerRow:
    """A worker that is alive."""

    name: str
    url: str
    badge: str
    queues: tuple[str, ...]
    held: str
    threads: str
    runs_steps: bool
    load: int
    version: str
    is_other_version: bool
    heartbeat: str | None


def workers(fleet: Fleet, now: datetime, links: Links) -> list[WorkerRow]:
    """The workers, in words."""
    return [
        WorkerRow(
            visible(worker.name),
            links.page("worker", worker.id),
            alive_badge(worker),
            tuple(visible(queue) for queue in worker.queues),
            grouped(worker.held),
            grouped(worker.threads),
            worker.runs_steps,
            load(worker.held, worker.threads),
            worker.version,
            worker.version not in ("", VERSION),
            moments.ago(worker.heartbeat_at, now),
        )
        for worker in fleet.workers
    ]


def alive_badge(worker: WorkerFigures) -> str:
    """Whether it says that it is alive."""
    if worker.is_overdue:
        return badges.badge("overdue", _("overdue"))
    return badges.badge(WorkerStatus.ALIVE, str(WorkerStatus.ALIVE.label))


def load(held: int, threads: int) -> int:
    """How much of its threads what a worker holds would take, in percent, up to 100."""
    return min(round(100 * held / threads), 100) if threads else 0
