"""Clusters of another engine that carry the runs: whether any process of them lives, whether they
take what is handed over to them, and whether a durable_worker stands beside them.

It words ``figures.fleet`` and asks what is handed over. What the sweeper puts right by itself, by
sending again, is no finding until it has had the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from ..executors.clusters import Cluster, cluster_of, heartbeat, patience
from ..figures import Capped, QueueFigures
from ..store import dispatching
from .finding import ERROR, Finding, Place, places
from .ward import Ward
from .wording import length, many, named, sentences


def examine(ward: Ward) -> Iterator[Finding]:
    """Those to whose queues something is ready."""
    waiting: defaultdict[Cluster, list[QueueFigures]] = defaultdict(list)
    for queue in ward.fleet.queues:
        cluster = cluster_of(queue.name)
        if cluster is not None and queue.waiting.number and queue.paused_at is None:
            waiting[cluster].append(queue)
    for cluster, queues in waiting.items():
        if not ward.fleet.processes_of(cluster.executor, cluster.name):
            yield from _gone(cluster, [each for each in queues if not each.workers], ward)
        elif ward.is_staffed:
            yield from _stuck(cluster, queues, ward)


def is_awaited(queue: QueueFigures, ward: Ward) -> bool:
    """Whether nobody serves the queue because no process of its cluster lives: told of that."""
    cluster = cluster_of(queue.name)
    return cluster is not None and not ward.fleet.processes_of(cluster.executor, cluster.name)


def no_sweeper() -> Finding:
    """Only processes of clusters live, and there is something to do."""
    return Finding(
        code="no_sweeper",
        severity=ERROR,
        title=_("No durable_worker is alive beside the clusters"),
        what=_(
            "Processes of clusters run steps, but nobody wakes what is due, fires schedules, takes "
            "back what dead processes held, or hands over again what was lost."
        ),
        todo=_("Start one: manage.py durable_worker"),
    )


def _gone(cluster: Cluster, queues: Sequence[QueueFigures], ward: Ward) -> Iterator[Finding]:
    # A process of some engines is known from its first run on.
    limit = ward.now - 2 * heartbeat()
    if not any(queue.oldest_at and queue.oldest_at < limit for queue in queues):
        return
    number = _sum(queues)
    start = _("Start one.")
    if cluster.start:
        start = _("Start one: %(command)s") % {"command": named(cluster.start)}
    yield Finding(
        code="cluster_gone",
        subject=cluster.name,
        severity=ERROR,
        title=_("No process of the cluster %(cluster)s is alive")
        % {"cluster": named(cluster.name)},
        what=_("%(number)s wait in its queues, and nobody takes any of them.")
        % {"number": many(number)},
        todo=start,
        where=places("queue", [queue.name for queue in queues]),
        number=number,
    )


def _stuck(cluster: Cluster, queues: Sequence[QueueFigures], ward: Ward) -> Iterator[Finding]:
    processes = ward.fleet.processes_of(cluster.executor, cluster.name)
    settled = ward.now - patience()
    if any(process.held or process.started_at > settled for process in processes):
        return  # what is handed over waits behind what they run, or until they have all begun
    names = [queue.name for queue in queues]
    late = dispatching.taken_by_nobody(names, patience(), heartbeat())
    # A full queue refuses them; they are handed over again when it has room.
    full = {queue.name for queue in queues if _is_full(queue)}
    late = [each for each in late if each.queue not in full]
    if not late:
        return
    number = Capped(len(late), len(late) >= dispatching.OLDEST_MAX)
    what = _(
        "%(number)s are handed over to it, the oldest ready for %(time)s, and nobody takes them."
    ) % {"number": many(number), "time": length(late[0].seconds)}
    has = _("All of its processes are idle: %(n)d.") % {"n": len(processes)}
    yield Finding(
        code="cluster_stuck",
        subject=cluster.name,
        severity=ERROR,
        title=_("The cluster %(cluster)s takes nothing") % {"cluster": named(cluster.name)},
        what=sentences(what, has),
        todo=_(
            "If they are not at other work of yours, restart the whole cluster. A process that is "
            "killed while it is idle may leave the queue locked for all others."
        ),
        where=tuple(Place("execution", str(each.hint.execution_id)) for each in late[:5]),
        number=number,
    )


def _is_full(queue: QueueFigures) -> bool:
    return queue.limit is not None and queue.running >= queue.limit


def _sum(queues: Sequence[QueueFigures]) -> Capped:
    number = sum(queue.waiting.number for queue in queues)
    return Capped(number, any(queue.waiting.more for queue in queues))
