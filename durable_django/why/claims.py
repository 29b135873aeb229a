"""What is said of what is ready to be claimed, and of what a worker holds. What another engine's
cluster has to do with it stands in ``clusters``."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .clusters import keeper_missing, of_carried, process_missing
from .facts import Facts, Holder, MemberFacts, Reason
from .wording import at, by_whom, named, sentences


def of_ready(facts: Facts) -> list[Reason]:
    """Ready, and claimed by nobody: what its queue has to do with it."""
    queue = facts.queue
    detail = {"queue": queue.name}
    found = _nobody_runs(facts)
    if queue.paused_at is not None:
        text = _("Its queue “%(queue)s” is paused.") % {"queue": named(queue.name)}
        told = sentences(text, by_whom(queue.paused))
        found.append(Reason(code="queue_paused", text=told, verb="resume_queue", detail=detail))
    if queue.limit is not None and queue.held >= queue.limit:
        text = _(
            "Its queue “%(queue)s” is full: %(held)d of at most %(limit)d are held by workers."
        ) % {"queue": named(queue.name), "held": queue.held, "limit": queue.limit}
        full = {**detail, "held": queue.held, "limit": queue.limit}
        found.append(Reason(code="queue_full", text=text, verb="limit_queue", detail=full))
    if not facts.has_code:
        text = _("No worker has the code of %(workflow)s version %(version)d: deploy that version.")
        text %= {"workflow": named(facts.workflow), "version": facts.version}
        missing = {"workflow": facts.workflow, "version": facts.version}
        found.append(Reason(code="code_missing", text=text, detail=missing))
    cluster = facts.cluster
    if not found and cluster is not None and cluster.processes:
        found += of_carried(facts, cluster)
    if facts.is_suspect:
        found.append(_suspect(facts))
    if not found:
        text = _("It is ready: a worker takes it as soon as one of its threads is free.")
        found.append(Reason(code="ready", text=text, detail=detail))
    return found


def _suspect(facts: Facts) -> Reason:
    text = _("The worker that held it died. It runs alone, one such run at a time in a worker.")
    count = ""
    if facts.recoveries:
        count = ngettext(
            "Workers died in this node %(n)d time; after %(most)d it fails.",
            "Workers died in this node %(n)d times; after %(most)d it fails.",
            facts.recoveries,
        ) % {"n": facts.recoveries, "most": facts.recoveries_max}
    detail = {"recoveries": facts.recoveries, "most": facts.recoveries_max}
    return Reason(code="suspect", text=sentences(text, count), detail=detail)


def worker_missing(facts: Facts) -> list[Reason]:
    """That no living worker serves its queue, or none wakes it, if so."""
    return [*_nobody_runs(facts), *keeper_missing(facts)]


def _nobody_runs(facts: Facts) -> list[Reason]:
    queue = facts.queue
    if queue.served_by:
        return []
    if facts.cluster is not None:
        return process_missing(facts.cluster)
    if queue.alive:
        text = _("No living worker serves the queue “%(queue)s”: start one that does.")
    else:
        text = _("No worker is alive: start one that serves the queue “%(queue)s”.")
    text %= {"queue": named(queue.name)}
    detail = {"queue": queue.name, "alive": queue.alive}
    return [Reason(code="no_worker", text=text, detail=detail)]


def of_held(facts: Facts, member: MemberFacts | None = None) -> list[Reason]:
    """By whom it is held, or these members, and whether that worker still beats. Members that run
    as they should are not worth a sentence."""
    holder = facts.holder if member is None else member.holder
    if holder is None:
        return []
    lost = _lost(facts, holder)
    if lost is not None:
        return [lost]
    if member is not None:
        return []
    return [_held(facts, holder), *([_suspect(facts)] if facts.is_suspect else [])]


def _held(facts: Facts, holder: Holder) -> Reason:
    until = None if holder.heartbeat_at is None else holder.heartbeat_at + facts.lease
    text = _("Worker %(worker)s runs it.") % {"worker": named(holder.name)}
    if until is not None:
        lease = _("Its lease runs until %(when)s, and is renewed with each heartbeat.")
        text = sentences(text, lease % {"when": at(until)})
    step = facts.step
    if step is not None and step.status == "running":
        inside = _("It is in attempt %(attempt)d at “%(node)s”.")
        text = sentences(text, inside % {"attempt": step.attempt, "node": named(step.name)})
    return Reason(code="held", text=text, detail={"worker": holder.name})


def _lost(facts: Facts, holder: Holder) -> Reason | None:
    """That its worker is overdue or gone: others take it back, if there are any."""
    names = {"worker": named(holder.name)}
    beaten = holder.heartbeat_at
    if holder.status != "alive":
        code = "worker_gone"
        text = _("Worker %(worker)s, which held it, is gone.") % names
    elif beaten is not None and beaten + facts.lease < facts.now:
        code = "worker_overdue"
        text = _("Worker %(worker)s, which holds it, has not been heard of since %(when)s.")
        text %= {**names, "when": at(beaten)}
    else:
        return None
    if facts.queue.alive and facts.queue.is_kept:
        then = _("Another worker takes it back at its next look.")
    else:
        then = _("No other worker is alive that could take it back: start one.")
    return Reason(code=code, text=sentences(text, then), detail={"worker": holder.name})
