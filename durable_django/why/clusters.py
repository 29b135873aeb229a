"""What is said where the cluster of another engine carries the runs: how far it is with a run that
is ready, that no process of it lives, and that nobody keeps time beside it. Text only."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .facts import ClusterFacts, Facts, Reason
from .wording import at, named, sentences


def of_carried(facts: Facts, cluster: ClusterFacts) -> list[Reason]:
    """Of what is ready, and nothing but the cluster has to do with it."""
    if facts.status == "waiting":
        return [_members(cluster)]
    handed_over_at = cluster.handed_over_at
    if handed_over_at is None:
        return [_not_yet(cluster), *keeper_missing(facts)]
    is_late = cluster.ready_at is not None and facts.now - cluster.ready_at > facts.patience
    # What is lost is handed over again, as long as somebody is there for that.
    is_idle = cluster.idle == cluster.processes and facts.now - handed_over_at > facts.heartbeat
    is_stuck = is_late and is_idle and facts.queue.is_kept
    found = [_handed_over(cluster, is_stuck=is_stuck)]
    return [*found, *keeper_missing(facts)] if is_late else found


def _members(cluster: ClusterFacts) -> Reason:
    text = _("The cluster “%(cluster)s” takes those that are ready as its processes become free.")
    return Reason(
        code="ready",
        text=text % {"cluster": named(cluster.name)},
        detail={"cluster": cluster.name, "processes": cluster.processes},
    )


def _not_yet(cluster: ClusterFacts) -> Reason:
    text = ngettext(
        "It is handed to the cluster “%(cluster)s” when there is room: it has as many runs as its "
        "%(n)d process can begin soon.",
        "It is handed to the cluster “%(cluster)s” when there is room: it has as many runs as its "
        "%(n)d processes can begin soon.",
        cluster.processes,
    ) % {"cluster": named(cluster.name), "n": cluster.processes}
    detail = {"cluster": cluster.name, "processes": cluster.processes}
    return Reason(code="not_handed_over", text=text, detail=detail)


def _handed_over(cluster: ClusterFacts, *, is_stuck: bool) -> Reason:
    assert cluster.handed_over_at is not None
    text = _(
        "It was handed to the cluster “%(cluster)s” at %(when)s, and no process of it has taken it "
        "yet."
    ) % {"cluster": named(cluster.name), "when": at(cluster.handed_over_at)}
    has = ngettext(
        "The cluster has %(n)d process; idle: %(idle)d.",
        "The cluster has %(n)d processes; idle: %(idle)d.",
        cluster.processes,
    ) % {"n": cluster.processes, "idle": cluster.idle}
    then = _("If they are not at other work of yours, restart the cluster.") if is_stuck else ""
    detail = {"cluster": cluster.name, "processes": cluster.processes, "idle": cluster.idle}
    return Reason(code="handed_over", text=sentences(text, has, then), detail=detail)


def process_missing(cluster: ClusterFacts) -> list[Reason]:
    """That no process of the cluster lives, if so."""
    if cluster.processes:
        return []
    names = {"cluster": named(cluster.name), "command": named(cluster.start)}
    if cluster.start:
        text = _("No process of the cluster “%(cluster)s” is alive: start one with %(command)s")
    else:
        text = _("No process of the cluster “%(cluster)s” is alive: start one.")
    detail = {"cluster": cluster.name, "start": cluster.start}
    return [Reason(code="no_process", text=text % names, detail=detail)]


def keeper_missing(facts: Facts) -> list[Reason]:
    """That nobody wakes what is due, and hands over what was lost, if so. Where nobody lives at
    all, and no cluster is awaited, it is said already."""
    queue = facts.queue
    if queue.is_kept or not (queue.alive or facts.cluster is not None):
        return []
    text = _(
        "No durable_worker is alive, which wakes what is due and hands over again what a cluster "
        "has lost: start one with manage.py durable_worker"
    )
    return [Reason(code="no_sweeper", text=text)]
