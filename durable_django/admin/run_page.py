"""What stands above all tabs of an execution: how it stands, why, what helps, and what it is.

It reads a few rows and calls the pure functions that say why a run does not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..conf import settings
from ..models import AuditEntry
from ..models.audit import AuditVerb
from ..models.history import latest
from ..showing.tagging import tag_texts
from ..showing.visible import visible
from ..why import why
from ..why.facts import Reason
from . import badges, belonging, members, moments
from .actions import Button, buttons
from .facts import facts
from .run_request import RunRequest

CHILDREN_MAX: Final = 20


@dataclass(frozen=True)
class ReasonView:
    """Why a run does not move, and what helps."""

    text: str
    until: str | None
    address: str
    label: str


def head(page: RunRequest, model_admin: Any) -> dict[str, Any]:
    """The context of the head's template, under the mask that the tab has taught."""
    run, shown = page.run, page.shown
    return {
        "badge": badges.member_badge(members.status_of(run)),
        "reason": shown.text(run.reason),
        "done_by": _cancelled_by(page),
        "error": shown.error(run.error_text),
        "tags": tag_texts(run.tags, page.mask),
        "facts": facts(page),
        "above": _above(page),
        "children": _children(page, model_admin),
        "why": _why(page),
        "is_pausing": run.paused_at is not None and run.status == "running",
        "is_moving": run.status in ("pending", "running", "compensating"),
        "buttons": buttons(page.request, run),
    }


def _cancelled_by(page: RunRequest) -> dict[str, Any] | None:
    """Who cancelled it, and when, where that was told."""
    run = page.run
    if run.status != "cancelled" or page.is_strand:
        return None
    rows = AuditEntry.objects.using(settings.DATABASE).filter(execution=run.pk)
    entry = rows.filter(verb=AuditVerb.CANCEL).first()
    if entry is None:
        return None
    return {"by": visible(entry.by), "at": moments.ago(entry.created_at, page.now)}


def _above(page: RunRequest) -> list[dict[str, str]]:
    """For a strand the way from its run down to it, each linked to the place where it forks."""
    found, strand = [], page.run
    for row, below in pairwise([*page.above, strand]):
        address = page.links.page_of(row.pk)
        if below is strand and (place := belonging.place_of(strand)) is not None:
            query = f"?tab=steps&fork={place.seq}&members={place.page}"
            address += f"{query}#member-{strand.pk}"
        found.append({"name": visible(row.path.rpartition("/")[2] or str(row)), "address": address})
    return found


def _children(page: RunRequest, model_admin: Any) -> list[dict[str, Any]]:
    rows = latest(model_admin.get_queryset(page.request)).filter(parent=page.run.pk)
    return [
        {
            "run": visible(str(child)),
            "address": page.links.page_of(child.pk),
            "badge": badges.execution_badge(child.status),
        }
        for child in rows.order_by("id")[:CHILDREN_MAX]
    ]


def _why(page: RunRequest) -> list[ReasonView]:
    """Why it does not move; nothing of a strand, whose run is told of."""
    if page.is_strand or page.run.status in ("completed", "compensated"):
        return []
    found = buttons(page.request, page.run)
    return [_reason(page, reason, found) for reason in why(page.run, now=page.now)]


def _reason(page: RunRequest, reason: Reason, found: list[Button]) -> ReasonView:
    address, label = _help(page, reason, found)
    return ReasonView(
        text=moments.told(page.shown.text(str(reason.text))),
        until=moments.ago(reason.until, page.now),
        address=address,
        label=label,
    )


def _help(page: RunRequest, reason: Reason, found: list[Button]) -> tuple[str, str]:
    """Where this person can do what helps, and what it is called; empty where there is no such
    place, or it is not theirs."""
    verb, user = reason.verb, page.request.user
    if verb == "answer":
        if page.doors.may_look and "wait" in reason.detail:
            may = user.has_perm("durable_django.answer_input")
            label = _("Answer …") if may else _("Look at the request")
            return page.doors.form_at(reason.detail["wait"]), label
        return page.tab_address("events"), _("Look at what it waits for")
    if verb in ("resume_queue", "limit_queue"):
        may = user.has_perm("durable_django.view_queue")
        name = "admin:durable_django_queue_changelist"
        return (reverse(name, current_app=page.site), _("Queues")) if may else ("", "")
    button = next((button for button in found if button.verb == verb), None)
    if button is None:
        return "", ""
    query = urlencode({"name": reason.detail["name"]}) if "name" in reason.detail else ""
    is_event = verb == "send_event" and query
    return f"{button.url}?{query}" if is_event else button.url, button.label
