"""The tab of events and inputs: what a run waits for and waited for, and what arrived for it.

Both lists come in pages. What is awaited leads to where it can be given: the form of an input, and
the page that sends an event.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import F
from django.http import QueryDict
from django.urls import reverse

from ...conf import settings
from ...models import Wait, WaitKind
from ...showing.keys import learn_waits
from ...showing.visible import visible
from .. import waits
from ..actions.sending import awaited
from ..actions.verbs import ACTIONS
from ..arrivals import event_views, read_arrivals
from ..run_request import RunRequest
from ..waits import Waits, wait_views

PAGE_MAX: Final = 10_000


class Sending(NamedTuple):
    """An event that is awaited, and the address of the page that sends it."""

    name: str
    address: str


def context(page: RunRequest) -> dict[str, Any]:
    """The waits that are open, after them what is over, and the events, the newest first."""
    run_id = page.above[0].pk if page.above else page.run.pk
    number = _number(page.request.GET, "waits")
    found = _read_waits(page, run_id, number or 1)
    if not page.mask.is_empty:
        learn_waits(page.mask, found.rows)
    arrivals = read_arrivals(page, run_id, _number(page.request.GET, "before"))
    # First, so that the mask knows what the payloads hold when a wait is shown.
    events = event_views(page, arrivals, {wait.pk for wait in found.rows})
    return {
        "waits": wait_views(found, page.part, page.now, page.doors),
        "more_waits": found.more,
        "earlier_waits": (number or 1) - 1,
        "later_waits": (number or 1) + 1 if found.more else 0,
        "inbox_url": page.doors.inbox_of(page.run) if found.more else "",
        "sendings": _sendings(page),
        "events": events,
        "events_before": arrivals.last,
        "is_first_page": "before" not in page.request.GET,
    }


def _read_waits(page: RunRequest, run_id: UUID, number: int) -> Waits:
    """A page of the waits, open ones first, the oldest first, then what is over, the newest first.
    What a ``once`` remembers is nothing that anybody waits for."""
    most = waits.LISTED_WHOLE_MAX if page.whole else waits.LISTED_MAX
    rows = Wait.objects.using(settings.DATABASE).filter(execution_id=run_id)
    if page.is_strand:
        rows = rows.filter(member_id=page.run.pk)
    rows = rows.exclude(kind=WaitKind.ONCE).order_by(F("resolved_at").desc(nulls_first=True), "id")
    begin = (number - 1) * most
    found = list(rows[begin : begin + most + 1])
    return Waits(found[:most], len(found) > most)


def _sendings(page: RunRequest) -> list[Sending]:
    """What can be sent to this run by whoever looks at it: the events it waits for."""
    action = ACTIONS["send_event"]
    if not action.may(page.request) or not action.applies(page.run):
        return []
    address = reverse(
        f"admin:durable_django_execution_{action.verb}",
        args=[page.run.pk],
        current_app=page.site,
    )
    return [Sending(visible(name), f"{address}?{_query(name)}") for name in awaited(page.run)]


def _query(name: str) -> str:
    query = QueryDict(mutable=True)
    query["name"] = name
    return query.urlencode()


def _number(query: QueryDict, key: str) -> int | None:
    """A number in an address, None where there is none, or none that can be meant."""
    text = query.get(key, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        return None
    return int(text) if key != "waits" else min(int(text), PAGE_MAX)
