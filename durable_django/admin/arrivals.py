"""What arrived at a run: the events in its inbox, and those its waits have consumed. It reads rows.

Nothing finds the delivered events of a run but the waits that name them; those are read for it, so
that events cost no index more than they need to be delivered.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from django.utils.translation import gettext as _

from ..conf import settings
from ..engine import values
from ..models import Event, EventKind, Wait
from ..showing.keys import keys_of_wait
from ..showing.learning import learn
from ..showing.visible import visible
from . import badges, moments
from .run_request import RunRequest
from .shown import ValueView

EVENTS_PER_PAGE: Final = 50
# How a status of an event looks, where nothing else has the same.
LOOKS: Final = {
    "new": "pending",
    "kept": "waiting",
    "delivered": "completed",
    "expired": "cancelled",
}
_WAIT_COLUMNS: Final = ("path", "node", "name", "names_text", "kind")


class Arrivals(NamedTuple):
    """Events, the newest first, the waits they were for by id, and whether there are more."""

    events: Sequence[Event]
    waits: dict[int, Wait]
    more: bool

    @property
    def last(self) -> int | None:
        """Behind which event the next page begins."""
        return self.events[-1].pk if self.more else None


@dataclass(frozen=True)
class EventView:
    """An event, ready to be shown. ``wait`` is the path of the wait that got it, ``address`` leads
    to that, if it is on the page; ``child`` to the run whose end it tells."""

    number: int
    anchor: str
    name: str
    kind: str
    key: str
    badge: str
    tone: str
    when: str | None
    sent: str | None
    delivered: str | None
    wait: str
    address: str
    child: str
    child_id: str
    is_published: bool
    idempotency_key: str
    payload: ValueView | None


def read_arrivals(page: RunRequest, run_id: UUID, before: int | None) -> Arrivals:
    """A page of what arrived at a run, or at a member of it, sent before the event ``before``."""
    ids = heapq.nlargest(
        EVENTS_PER_PAGE + 1,
        (pk for pk in _ids(page, run_id) if before is None or pk < before),
    )
    kept = ids[:EVENTS_PER_PAGE]
    events = list(Event.objects.using(settings.DATABASE).filter(id__in=kept).order_by("-id"))
    wanted = {event.wait_id for event in events if event.wait_id is not None}
    rows = Wait.objects.using(settings.DATABASE).filter(id__in=wanted).only(*_WAIT_COLUMNS)
    return Arrivals(events, {wait.pk: wait for wait in rows}, len(ids) > len(kept))


def _ids(page: RunRequest, run_id: UUID) -> set[int]:
    waits = Wait.objects.using(settings.DATABASE).filter(execution_id=run_id)
    found: set[int] = set()
    if page.is_strand:
        waits = waits.filter(member_id=page.run.pk)
    else:
        inbox = Event.objects.using(settings.DATABASE).filter(
            execution_id=run_id, ended_at__isnull=True
        )
        found.update(inbox.order_by().values_list("id", flat=True))
    consumed = waits.exclude(events_text="[]").order_by()
    for text in consumed.values_list("events_text", flat=True).iterator():
        found.update(values.decode(text))
    return found


def event_views(page: RunRequest, arrivals: Arrivals, linked: set[int]) -> list[EventView]:
    """All of them; ``linked`` are the waits that are on the page."""
    if not page.mask.is_empty:
        for event in arrivals.events:
            learn(page.mask, event.payload_text, _keys(event, arrivals))
    ended = (event for event in arrivals.events if event.kind == EventKind.CHILD)
    page.doors.sight.look_at(UUID(event.key) for event in ended)
    return [_view(page, event, arrivals, linked) for event in arrivals.events]


def _keys(event: Event, arrivals: Arrivals) -> tuple[str, ...]:
    """The names that a payload may stand under: the event's, and those of the wait that got it."""
    wait = arrivals.waits.get(event.wait_id or 0)
    return (event.name, *(keys_of_wait(wait) if wait is not None else ()))


def _view(page: RunRequest, event: Event, arrivals: Arrivals, linked: set[int]) -> EventView:
    status = LOOKS.get(event.status, event.status)
    wait = arrivals.waits.get(event.wait_id or 0)
    tells_of_child = event.kind == EventKind.CHILD
    child = page.doors.run(UUID(event.key)) if tells_of_child else ""
    shown, now = page.part, page.now
    return EventView(
        number=event.pk,
        anchor=f"event-{event.pk}",
        name=visible(event.name),
        kind=_kind(event),
        key="" if tells_of_child else shown.text(event.key),
        badge=badges.badge(status, str(event.get_status_display())),
        tone=badges.LOOKS[status].tone if status in badges.LOOKS else "calm",
        when=moments.ago(event.created_at, now),
        sent=moments.at(event.created_at, now),
        delivered=moments.at(event.ended_at, now) if wait is not None else None,
        wait=visible(wait.path) if wait is not None else "",
        address=f"#wait-{wait.pk}" if wait is not None and wait.pk in linked else "",
        child=child,
        child_id=str(UUID(event.key)) if child else "",
        is_published=event.source_id is not None,
        idempotency_key=shown.text(event.idempotency_key or ""),
        payload=None
        if tells_of_child
        else shown.value(event.payload_text, *_keys(event, arrivals)),
    )


def _kind(event: Event) -> str:
    if event.kind == EventKind.CHILD:
        return _("end of a called workflow")
    return str(event.get_kind_display())
