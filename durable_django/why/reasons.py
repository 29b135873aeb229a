"""From facts to answers: pure, one function for each status. What weighs most comes first."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .claims import of_held, of_ready, worker_missing
from .ended import of_cancelled, of_compensated, of_compensation_failed, of_failed
from .facts import Facts, Reason
from .waiting import of_waits
from .wording import at, by_whom, named, sentences


def reasons(facts: Facts) -> list[Reason]:
    """Why a run is where it is. Empty for one that is completed."""
    found = _BY_STATUS[facts.status](facts)
    rolls_back = facts.status == "compensating"
    if facts.timeout_at is not None and found and not rolls_back:
        found = [*found, _timeout(facts)]
    return found


def _timeout(facts: Facts) -> Reason:
    assert facts.timeout_at is not None
    text = _("If it has not ended by %(when)s, it fails with a WorkflowTimeout.")
    return Reason(
        code="timeout", text=text % {"when": at(facts.timeout_at)}, until=facts.timeout_at
    )


def _scheduled(facts: Facts) -> list[Reason]:
    moment = facts.scheduled_at or facts.wake_at
    if moment is None:
        return []
    if moment <= facts.now:
        return _due(facts)
    text = _("It is scheduled for %(when)s.") % {"when": at(moment)}
    return [Reason(code="scheduled", text=text, until=moment), *worker_missing(facts)]


def _due(facts: Facts) -> list[Reason]:
    """Its time has come, and it is still parked."""
    text = _("Its time has come: a worker wakes it at its next look.")
    return [*worker_missing(facts), Reason(code="due", text=text)]


def _running(facts: Facts) -> list[Reason]:
    found = of_held(facts)
    if facts.paused_at is not None:
        text = _("It is to be paused, and stops when the node that runs now has ended.")
        text = sentences(text, by_whom(facts.paused))
        found.append(Reason(code="pausing", text=text, verb="resume"))
    return found


def _sleeping(facts: Facts) -> list[Reason]:
    if facts.wake_at is not None and facts.wake_at <= facts.now:
        return _due(facts)
    if facts.waits:
        return [*of_waits(facts.waits), *worker_missing(facts)]
    return [_retry_or_put_back(facts), *worker_missing(facts)]


def _retry_or_put_back(facts: Facts) -> Reason:
    step, when = facts.step, {"when": at(facts.wake_at) if facts.wake_at else ""}
    if facts.has_code and step is not None and step.status in ("failed", "timed_out"):
        text = _(
            "Attempt %(attempt)d at “%(node)s” failed with %(error)s; the next one is at %(when)s."
        ) % {
            **when,
            "attempt": step.attempt,
            "node": named(step.name),
            "error": named(step.error or step.status),
        }
        detail = {"node": step.name, "attempt": step.attempt, "type": step.error}
        return Reason(code="next_retry", text=text, until=facts.wake_at, detail=detail)
    text = _(
        "The worker that took it does not have the code of %(workflow)s version %(version)d. It "
        "was put back, and is looked at again at %(when)s: deploy that version."
    ) % {**when, "workflow": named(facts.workflow), "version": facts.version}
    detail = {"workflow": facts.workflow, "version": facts.version}
    return Reason(code="code_missing", text=text, until=facts.wake_at, detail=detail)


def _waiting(facts: Facts) -> list[Reason]:
    if facts.is_held_back:
        text = _("It waits for its turn: as many of its block run as its concurrency allows.")
        return [Reason(code="turn", text=text)]
    found = [_members(facts)] if facts.remaining else []
    found += [each for member in facts.members if member.holder for each in of_held(facts, member)]
    if any(member.status == "pending" for member in facts.members):
        found += of_ready(facts)
    found += of_waits(facts.waits)
    return found or _due(facts)


def _members(facts: Facts) -> Reason:
    text = ngettext(
        "It waits for %(n)d member of “%(fork)s”.",
        "It waits for %(n)d members of “%(fork)s”.",
        facts.remaining,
    ) % {"n": facts.remaining, "fork": named(facts.fork)}
    failed = ""
    if facts.failures:
        failed = ngettext("%(n)d has failed.", "%(n)d have failed.", facts.failures)
        failed %= {"n": facts.failures}
    asleep = [member for member in facts.members if member.status == "sleeping"]
    wakes = [member.wakes_at for member in asleep if member.wakes_at is not None]
    slept = ""
    if wakes:
        slept = _("The next one that sleeps wakes at %(when)s.") % {"when": at(min(wakes))}
    by_status: dict[str, int] = {}
    for member in facts.members:
        by_status[member.status] = by_status.get(member.status, 0) + member.count
    detail = {
        "fork": facts.fork,
        "remaining": facts.remaining,
        "failures": facts.failures,
        "statuses": by_status,
    }
    return Reason(code="members", text=sentences(text, failed, slept), detail=detail)


def _paused(facts: Facts) -> list[Reason]:
    text = _("It is paused. What comes due meanwhile happens when it is resumed.")
    told = sentences(text, by_whom(facts.paused))
    return [Reason(code="paused", text=told, verb="resume"), *of_waits(facts.waits)]


def _compensating(facts: Facts) -> list[Reason]:
    text = _("It is being rolled back: what had completed is undone, the last first.")
    found = [Reason(code="compensating", text=text)]
    if facts.holder is not None:
        return [*found, *of_held(facts)]
    if facts.wake_at is None:
        return [*found, *of_ready(facts)]
    if facts.wake_at <= facts.now:
        return [*found, *_due(facts)]
    if facts.waits:
        return [*found, *of_waits(facts.waits)]
    return [*found, _retry_or_put_back(facts), *worker_missing(facts)]


_BY_STATUS: dict[str, Callable[[Facts], list[Reason]]] = {
    "scheduled": _scheduled,
    "pending": of_ready,
    "running": _running,
    "sleeping": _sleeping,
    "waiting": _waiting,
    "paused": _paused,
    "compensating": _compensating,
    "completed": lambda facts: [],
    "failed": of_failed,
    "compensated": of_compensated,
    "compensation_failed": of_compensation_failed,
    "cancelled": of_cancelled,
}
