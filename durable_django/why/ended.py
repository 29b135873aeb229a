"""What is said of runs that have ended: how, and how they can go on."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from .facts import Facts, Reason
from .wording import by_whom, named, sentences


def of_failed(facts: Facts) -> list[Reason]:
    """A failed run goes on by ``retry``, after what has to be done first."""
    error = facts.error or {}
    kind, node = str(error.get("type", "")), str(error.get("node") or "")
    detail: dict[str, Any] = {"type": kind, "node": node}
    if facts.is_strand:
        text = _("Its run decides what becomes of it.")
        return [Reason(code="failed", text=sentences(_failure(kind, node), text), detail=detail)]
    if kind == "DefinitionChanged":
        text = _(
            "The code has changed: the node at which it would go on is no longer there. Retry it "
            "at a node of your choice."
        )
        return [Reason(code="definition_changed", text=text, verb="retry", detail=detail)]
    if kind == "NonDeterministicStep":
        text = _(
            "The body of “%(node)s” came to other waits than those recorded. Once the code is as "
            "it was, retry it; or retry it with the recorded waits forgotten, and the body runs "
            "from its top."
        ) % {"node": named(node)}
        detail["forget_waits"] = True
        return [Reason(code="waits_changed", text=text, verb="retry", detail=detail)]
    if kind == "WorkerLost":
        text = _(
            "Workers died at “%(node)s”, one after the other, until it was given up. Look into "
            "what this node does to its process before you retry it."
        ) % {"node": named(node)}
        return [Reason(code="worker_lost", text=text, verb="retry", detail=detail)]
    if kind == "WorkflowTimeout":
        text = _("It took longer than its workflow's timeout allows. A retry gives it that again.")
        return [Reason(code="timed_out", text=text, verb="retry", detail=detail)]
    text = _("Retry it to go on there, or skip the node with a value of your own.")
    told = sentences(_failure(kind, node), text)
    return [Reason(code="failed", text=told, verb="retry", detail=detail)]


def of_compensated(facts: Facts) -> list[Reason]:
    """What was undone is not taken up again."""
    error = facts.error or {}
    kind, node = str(error.get("type", "")), str(error.get("node") or "")
    text = _("What had completed before was undone. It can be run again as a new run.")
    why = _failure(kind, node) if kind else by_whom(facts.cancelled)
    return [
        Reason(
            code="compensated",
            text=sentences(why, text),
            verb="rerun",
            detail={"type": kind, "node": node},
        )
    ]


def of_compensation_failed(facts: Facts) -> list[Reason]:
    """Something is left that nobody has undone."""
    error = facts.error or {}
    kind, node = str(error.get("type", "")), str(error.get("node") or "")
    text = _(
        "Not all of what had completed could be undone: look which compensations failed, and undo "
        "by hand what they left."
    )
    why = _failure(kind, node) if kind else ""
    detail = {"type": kind, "node": node}
    return [Reason(code="compensation_failed", text=sentences(why, text), detail=detail)]


def of_cancelled(facts: Facts) -> list[Reason]:
    """Of a cancelled run nothing was undone: it may go on."""
    if facts.is_strand:
        text = _("It was ended together with its block, or with its run.")
        return [Reason(code="cancelled", text=text)]
    why = by_whom(facts.cancelled)
    if not why and facts.cancel_reason:
        why = _("The reason given: %(reason)s") % {"reason": named(facts.cancel_reason)}
    text = sentences(_("It was cancelled."), why, _("A retry goes on where it was."))
    return [Reason(code="cancelled", text=text, verb="retry")]


def _failure(kind: str, node: str) -> str:
    names = {"node": named(node), "error": named(kind)}
    if kind and node:
        return _("It failed at “%(node)s” with %(error)s.") % names
    if kind:
        return _("It failed with %(error)s.") % names
    return _("It failed.")
