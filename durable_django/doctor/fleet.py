"""Workers and queues: whether somebody does the work, and whether it waits for long.

It words ``figures.fleet`` and asks for little more. What a living worker puts right by itself at
its next look is no finding until it has had the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connections
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..conf import settings
from ..executors.clusters import cluster_of
from ..figures import Capped, QueueFigures, WorkerFigures, all_runs
from ..figures.fleet import silence_max
from ..models import Schedule
from ..store import ailing, mending
from . import clusters
from .finding import ERROR, INFO, WARNING, Finding, Fix, Place, places
from .ward import Ward
from .wording import ago, length, many, named, sentences, typed

MANAGE: Final = "durable_django.manage_queue"
# A backlog of minutes is a busy fleet; one of longer wants more workers.
WAITS_LONG: Final = timedelta(minutes=15)
FORGOTTEN_AFTER: Final = timedelta(days=1)
# A deploy replaces workers one by one.
DEPLOY_TAKES: Final = timedelta(hours=1)
CLOCKS_APART_MAX: Final = timedelta(seconds=5)


def examine(ward: Ward) -> Iterator[Finding]:
    """Workers, then queues, then clocks."""
    yield from _no_worker(ward)
    yield from _overdue(ward)
    yield from _held_by_nobody()
    yield from _versions(ward)
    for queue in ward.fleet.queues:
        yield from _queue(queue, ward)
    yield from clusters.examine(ward)
    yield from _clocks()


def _no_worker(ward: Ward) -> Iterator[Finding]:
    if ward.is_staffed:
        return
    waits = any(queue.waiting.number or queue.running for queue in ward.fleet.queues)
    scheduled = Schedule.objects.using(settings.DATABASE).filter(due_at__isnull=False)
    due = all_runs().filter(due_at__isnull=False).order_by()
    if not (waits or due.exists() or scheduled.exists()):
        return
    if ward.fleet.alive:
        yield clusters.no_sweeper()
        return
    yield Finding(
        code="no_worker",
        severity=ERROR,
        title=_("No worker is alive"),
        what=_("Nothing moves: what is ready is not claimed, and nothing is woken or scheduled."),
        todo=_("Start one: manage.py durable_worker"),
    )


def _overdue(ward: Ward) -> Iterator[Finding]:
    # The living declare it dead at their next look.
    patience = timedelta(seconds=2 * settings.HEARTBEAT_SECONDS) if ward.is_staffed else timedelta()
    limit = ward.now - silence_max() - patience
    late = [worker for worker in ward.fleet.workers if worker.heartbeat_at < limit]
    if not late:
        return
    held = sum(worker.held for worker in late)
    holds = ngettext("It holds %(n)d execution.", "They hold %(n)d executions.", held)
    oldest = min(worker.heartbeat_at for worker in late)
    what = _("They count as alive, and were last heard of %(time)s ago or later.")
    yield Finding(
        code="worker_overdue",
        severity=ERROR if held else WARNING,
        title=_("Workers are overdue: %(number)s") % {"number": many(Capped(len(late)))},
        what=sentences(what % {"time": ago(oldest, ward.now)}, holds % {"n": held} if held else ""),
        todo=_("Look whether their processes are frozen or their hosts are gone."),
        where=places("worker", [worker.name for worker in late]),
        number=Capped(len(late)),
        fix=Fix(
            _("They are declared dead, and what they hold is made ready for others."),
            MANAGE,
            mending.bury,
        ),
    )


def _held_by_nobody() -> Iterator[Finding]:
    ids = ailing.among(ailing.held(), ailing.held_by_nobody)
    if not ids:
        return
    yield Finding(
        code="held_by_nobody",
        severity=ERROR,
        title=_("Executions are held by workers that are gone: %(number)s")
        % {"number": many(Capped(len(ids)))},
        what=_("No living worker takes them back: nobody drives them, and nobody else may."),
        todo=_("Have them handed back."),
        where=places("execution", ids),
        number=Capped(len(ids)),
        fix=Fix(
            _("They are made ready again, as those of a dead worker are."),
            MANAGE,
            lambda by: mending.cure(mending.TAKE_BACK, ids, by),
        ),
    )


def _versions(ward: Ward) -> Iterator[Finding]:
    # Those that serve other queues may well have another project's code.
    newest: dict[str, WorkerFigures] = {}
    workers = [worker for worker in ward.fleet.workers if not worker.is_overdue]
    for worker in sorted(workers, key=lambda worker: worker.started_at):
        newest.update(dict.fromkeys(worker.queues, worker))
    others = [
        worker
        for worker in workers
        if any(_is_left_behind(worker, newest[queue], ward) for queue in worker.queues)
    ]
    if not others:
        return
    yield Finding(
        code="workers_differ",
        severity=INFO,
        title=_("Workers have different code: %(number)s") % {"number": many(Capped(len(others)))},
        what=_(
            "They serve the same queues as newer workers that started long ago, but have other "
            "versions of workflows or of this package."
        ),
        todo=_("Restart those that a deploy has left behind."),
        where=places("worker", [worker.name for worker in others]),
        number=Capped(len(others)),
    )


def _is_left_behind(worker: WorkerFigures, newest: WorkerFigures, ward: Ward) -> bool:
    return ward.now - newest.started_at > DEPLOY_TAKES and _code(worker) != _code(newest)


def _code(worker: WorkerFigures) -> tuple[str, frozenset[str]]:
    return worker.version, frozenset(worker.workflows)


def _queue(queue: QueueFigures, ward: Ward) -> Iterator[Finding]:
    if queue.paused_at is not None:
        if ward.now - queue.paused_at > FORGOTTEN_AFTER:
            yield _paused(queue, ward)
    elif queue.is_unserved and ward.fleet.alive:
        if not clusters.is_awaited(queue, ward):
            yield _unserved(queue)
    elif queue.workers and queue.oldest_at and ward.now - queue.oldest_at > WAITS_LONG:
        yield _late(queue, queue.oldest_at, ward)


def _paused(queue: QueueFigures, ward: Ward) -> Finding:
    assert queue.paused_at is not None
    waits = _("%(number)s wait in it.") % {"number": many(queue.waiting)}
    what = _("It was paused %(time)s ago.") % {"time": ago(queue.paused_at, ward.now)}
    return Finding(
        code="queue_paused",
        subject=queue.name,
        severity=WARNING if queue.waiting.number else INFO,
        title=_("The queue %(queue)s is paused") % {"queue": named(queue.name)},
        what=sentences(what, waits if queue.waiting.number else ""),
        todo=_("If that was forgotten, resume it: manage.py durable queues resume %(queue)s")
        % {"queue": typed(queue.name)},
        where=(Place("queue", queue.name),),
        number=queue.waiting,
    )


def _unserved(queue: QueueFigures) -> Finding:
    start = _("Start a worker that serves it: manage.py durable_worker --queues %(queue)s")
    start %= {"queue": typed(queue.name)}
    cluster = cluster_of(queue.name)
    if cluster is not None:
        start = _("Name it in QUEUES, then restart the cluster %(cluster)s and durable_worker.")
        start %= {"cluster": named(cluster.name)}
    return Finding(
        code="queue_unserved",
        subject=queue.name,
        severity=ERROR,
        title=_("No worker serves the queue %(queue)s") % {"queue": named(queue.name)},
        what=_("%(number)s wait in it, and no living worker takes any of them.")
        % {"number": many(queue.waiting)},
        todo=start,
        where=(Place("queue", queue.name),),
        number=queue.waiting,
    )


def _late(queue: QueueFigures, oldest_at: datetime, ward: Ward) -> Finding:
    is_full = queue.limit is not None and queue.running >= queue.limit
    more = _("Start more workers, or give them more threads.")
    cluster = cluster_of(queue.name)
    if cluster is not None:
        more = _("Start more processes of the cluster %(cluster)s.")
        more %= {"cluster": named(cluster.name)}
    if is_full:
        more = _("It is at its limit of %(limit)d at once: raise that, if there is room.")
        more %= {"limit": queue.limit}
    return Finding(
        code="queue_late",
        subject=queue.name,
        severity=WARNING,
        title=_("The queue %(queue)s is behind") % {"queue": named(queue.name)},
        what=_("%(number)s wait in it, the oldest for %(time)s.")
        % {"number": many(queue.waiting), "time": ago(oldest_at, ward.now)},
        todo=more,
        where=(Place("queue", queue.name),),
        number=queue.waiting,
    )


def _clocks() -> Iterator[Finding]:
    connection = connections[settings.DATABASE]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        told: datetime = cursor.fetchone()[0]
    apart = abs(datetime.now(UTC) - told)
    if apart < CLOCKS_APART_MAX:
        return
    yield Finding(
        code="clocks_apart",
        severity=WARNING,
        title=_("The clocks of this host and of the database are %(time)s apart")
        % {"time": length(apart.total_seconds())},
        what=_(
            "Leases, waits and schedules go by the database's clock; what steps reckon with the "
            "host's, such as a deadline, is off by as much."
        ),
        todo=_("Have both kept by NTP."),
    )
