"""What people call to send events: to one run, or to every run that waits. Arguments are judged
before anything is written.

Both commit or roll back with the caller's transaction on the same database. They lock nothing;
workers find who waits. Models are imported when a function runs, as in ``api``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from asgiref.sync import sync_to_async

from . import api
from .conf import settings
from .definition.durations import Duration, to_seconds
from .definition.node import Node
from .definition.wait_arguments import read_key, read_name
from .definition.wait_nodes import AllWait, AnyWait, EventWait
from .engine import values
from .engine.ids import pk_of
from .exceptions import InvalidState

if TYPE_CHECKING:
    from .api import ExecutionLike
    from .models import Event

    EventName: TypeAlias = str | Node


def send_event(
    id: ExecutionLike,
    name: EventName,
    payload: Any = None,
    *,
    key: str | None = None,
    idempotency_key: str | None = None,
    by: Any = None,
) -> Event:
    """Sends an event to one run; returns its Event. It is for the oldest wait for that name, or
    kept for the wait that will come; events of one name are delivered in the order they were sent.

    ``name`` is the event's name, or the node that waits for it. ``key`` picks among several waits
    of the run for one name. With an ``idempotency_key`` that this run has got already nothing is
    sent, even if it has ended since: the event that has it is returned. ``by`` is a user or a text,
    kept in the run's history.

    Raises ExecutionNotFound, InvalidState for a run that has ended, NotSerializable,
    PayloadTooLarge, TypeError or ValueError naming an argument.

    >>> durable.send_event(execution, "payment.success", {"id": 7})  # doctest: +SKIP
    """
    from .store import audit, sending

    audit.who(by)
    pk = pk_of(id)
    event_name, event_key = _read_name(name), read_key(key)
    text = _read_payload(payload)
    if idempotency_key is not None:
        read_name(idempotency_key, "idempotency_key")
    while True:
        event = sending.send(
            pk, event_name, text, key=event_key, idempotency_key=idempotency_key, by=by
        )
        if event is not None:
            return event
        run = api.get_execution(pk)
        if run.is_final:
            raise InvalidState(
                f"cannot send {event_name!r} to execution {pk}: it is already {run.status}",
                status=run.status,
            )
        # It was retried between the two statements.


def publish_event(
    name: EventName,
    key: str | None = None,
    payload: Any = None,
    *,
    keep: Duration | None = None,
    idempotency_key: str | None = None,
    by: Any = None,
) -> Event:
    """Sends an event to every run that waits for this name and key; returns its Event.

    ``keep`` (a timedelta or seconds) keeps it for waits that begin within that time, also those of
    runs that are yet to be started; None or 0: it reaches those that wait when it is delivered.
    With an ``idempotency_key`` already used for this name and key nothing is sent, and the event
    that has it is returned. ``by`` is a user or a text, kept in the history of the runs that wait
    for it when it is published.

    Raises NotSerializable, PayloadTooLarge, TypeError or ValueError naming an argument.

    >>> durable.publish_event("payment", key="inv_1", payload={"paid": 12})  # doctest: +SKIP
    """
    from .store import audit, sending

    audit.who(by)
    event_name, event_key = _read_name(name), read_key(key)
    text = _read_payload(payload)
    keep_seconds = None if keep is None else to_seconds(keep, "keep") or None
    if idempotency_key is not None:
        read_name(idempotency_key, "idempotency_key")
    return sending.publish(event_name, event_key, text, keep_seconds, idempotency_key, by)


asend_event = sync_to_async(send_event)
apublish_event = sync_to_async(publish_event)


def _read_name(name: Any) -> str:
    """The name of an event, of its text or of the node that waits for it."""
    if isinstance(name, EventWait):
        return str(name.awaited)
    if isinstance(name, AnyWait | AllWait):
        raise TypeError(f"name is one event's, and {name!r} waits for several")
    if isinstance(name, Node):
        raise TypeError(f"name is an event's, and {name!r} waits for none")
    return read_name(name)


def _read_payload(payload: Any) -> str:
    return values.encode(payload, "payload", limit=settings.MAX_PAYLOAD_BYTES)
