"""Delivery: which event is for which wait of a run.

Events in the order in which they were sent, each to the oldest wait it fits. One that fits none
stays in the inbox. Waits that run out of time are not dealt with here, but an event that was sent
after a wait's time was up is none for it.

Pure: rows in, pairs out; the store reads, locks and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from . import values

# Which kinds of waits an event of a kind can end.
ENDS = {"event": ("event", "any", "all"), "callback": ("callback",), "child": ("call",)}


class Awaiting(NamedTuple):
    """An open wait. ``member_id`` is the row that is parked; ``names`` those of any and all."""

    id: int
    member_id: UUID
    kind: str
    name: str
    names: tuple[str, ...]
    key: str
    path: str
    due_at: datetime | None

    def wants(self, name: str) -> bool:
        """Whether an event of that name is waited for."""
        return name in self.names if self.names else name == self.name


class Arrived(NamedTuple):
    """An event in the inbox of a run. ``is_copy``: of a published one, whose key has to be the
    wait's; that of one sent to the run picks a wait where it is given."""

    id: int
    kind: str
    name: str
    key: str
    scope: str
    payload: str
    created_at: datetime
    is_copy: bool = False

    def fits(self, wait: Awaiting) -> bool:
        """Whether the wait is for this event."""
        if wait.kind not in ENDS[self.kind] or not wait.wants(self.name):
            return False
        if self.key != wait.key and (self.key or self.is_copy):
            return False
        if not wait.path.startswith(self.scope):
            return False
        return wait.due_at is None or self.created_at <= wait.due_at


class Delivery(NamedTuple):
    """A wait that is over, with what it gives (of a call nothing: the child's row tells), and the
    events it has consumed."""

    wait: Awaiting
    value: str
    events: tuple[Arrived, ...]


def deliver(
    waits: Sequence[Awaiting], new: Iterable[Arrived], kept: Iterable[Arrived] = ()
) -> list[Delivery]:
    """What the new events end, of the waits of one run, oldest first. ``kept`` are those that came
    before and fitted nothing; they can complete a wait for all of several."""
    inbox = list(kept)
    still_open = list(waits)
    found: list[Delivery] = []
    for event in new:
        inbox.append(event)
        for wait in still_open:
            if not event.fits(wait):
                continue
            consumed = _consumed(wait, event, inbox)
            if consumed:
                found.append(Delivery(wait, _value(wait, consumed), consumed))
                still_open.remove(wait)
                inbox = [each for each in inbox if each not in consumed]
                break
    return found


def _consumed(
    wait: Awaiting, event: Arrived, inbox: Sequence[Arrived]
) -> tuple[Arrived, ...] | None:
    """The events that complete the wait, ``event`` being the last; None while one is missing."""
    if wait.kind != "all":
        return (event,)
    first: dict[str, Arrived] = {}
    for each in inbox:
        if each.fits(wait):
            first.setdefault(each.name, each)
    if first.keys() < set(wait.names):
        return None
    return tuple(first[name] for name in wait.names)


def _value(wait: Awaiting, consumed: tuple[Arrived, ...]) -> str:
    if wait.kind == "any":
        return values.encode((consumed[0].name, values.decode(consumed[0].payload)), "value")
    if wait.kind == "all":
        payloads = {event.name: values.decode(event.payload) for event in consumed}
        return values.encode(payloads, "value")
    return consumed[0].payload if wait.kind != "call" else "null"
