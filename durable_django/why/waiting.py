"""What is said of open waits: what is waited for, until when, and what happens then."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .facts import Reason, WaitFacts
from .wording import at, named, sentences

VERBS = {
    "event": "send_event",
    "any": "send_event",
    "all": "send_event",
    "input": "answer",
}


def of_waits(waits: Sequence[WaitFacts]) -> list[Reason]:
    """One answer for each thing waited for; members that wait for the same share one."""
    alike: dict[tuple[object, ...], list[WaitFacts]] = {}
    for wait in waits:
        key = (wait.kind, wait.name, wait.names, wait.key, wait.assignee, wait.is_answered)
        alike.setdefault(key if wait.kind != "call" else (wait.id,), []).append(wait)
    return [_of_alike(group) for group in alike.values()]


def _of_alike(group: Sequence[WaitFacts]) -> Reason:
    wait = min(group, key=lambda each: (each.due_at is None, each.due_at, each.id))
    times = ""
    if len(group) > 1:
        times = ngettext(
            "%(n)d member waits for that.", "%(n)d members wait for that.", len(group)
        ) % {"n": len(group)}
    detail = {
        "wait": wait.id,
        "kind": wait.kind,
        "node": wait.node,
        "name": wait.name,
        "names": list(wait.names),
        "key": wait.key,
        "count": len(group),
    }
    if wait.child_id is not None:
        detail["child"] = wait.child_id
    if wait.is_answered:
        text = _("“%(name)s” has been answered; a worker tells the run at once.")
        text = sentences(text % {"name": named(wait.name or wait.node)}, times)
        return Reason(code="answered", text=text, detail=detail)
    return Reason(
        code=_code(wait.kind),
        text=sentences(_awaited(wait), times, _then(wait)),
        verb=VERBS.get(wait.kind),
        until=wait.due_at,
        detail=detail,
    )


def _code(kind: str) -> str:
    return "sleeping" if kind == "sleep" else f"waits_for_{kind}"


def _awaited(wait: WaitFacts) -> str:
    name = named(wait.name or wait.node)
    if wait.kind == "sleep":
        return _("It sleeps at “%(node)s”.") % {"node": named(wait.node)}
    if wait.kind in ("any", "all"):
        names = ", ".join(f"“{named(each)}”" for each in wait.names)
        text = _("It waits for all of the events %(names)s.")
        if wait.kind == "any":
            text = _("It waits for any of the events %(names)s.")
        return sentences(text % {"names": names}, _keyed(wait))
    if wait.kind == "event":
        return sentences(_("It waits for the event “%(name)s”.") % {"name": name}, _keyed(wait))
    if wait.kind == "callback":
        return _("It waits for an outside system to call back “%(name)s”.") % {"name": name}
    if wait.kind == "call":
        return sentences(
            _("It waits for the workflow “%(name)s” that it called.") % {"name": name}, _child(wait)
        )
    return sentences(_("It waits for somebody to answer “%(name)s”.") % {"name": name}, _who(wait))


def _keyed(wait: WaitFacts) -> str:
    return _("Its key is “%(key)s”.") % {"key": named(wait.key)} if wait.key else ""


def _child(wait: WaitFacts) -> str:
    from ..models import ExecutionStatus

    if wait.child_status is None:
        return _("That run is gone.")
    status = ExecutionStatus(wait.child_status).label
    return _("That run is %(status)s.") % {"status": status}


def _who(wait: WaitFacts) -> str:
    who = named(wait.assignee)
    if wait.assignee_kind == "user":
        return _("Only the user %(who)s may.") % {"who": who}
    if wait.assignee_kind == "group":
        return _("Only members of the group %(who)s may.") % {"who": who}
    if wait.assignee_kind == "permission":
        return _("Only who has the permission %(who)s may.") % {"who": who}
    return ""


def _then(wait: WaitFacts) -> str:
    """What happens when its time is up."""
    if wait.due_at is None:
        return "" if wait.kind == "call" else _("It waits as long as it takes.")
    when = {"when": at(wait.due_at)}
    if wait.kind == "sleep":
        return _("It goes on at %(when)s.") % when
    if wait.has_timeout_value:
        return _("From %(when)s on it goes on with the value for that case.") % when
    return _("From %(when)s on that is a WaitTimeout.") % when
