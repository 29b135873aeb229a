"""``durable event``: sends an event to one run, or publishes one to all that wait for it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any, Final

from .. import api_events
from ..models import Event, Execution, WaitKind
from .command import DONE, WRONG_USAGE, Command, Refused
from .given import duration_of, read_json
from .ids import find_execution
from .screen import Terminal

WAITS_READ_MAX: Final = 1_000


class SendEvent(Command):
    """Workers find who waits for it."""

    name = "event"
    help = "send an event to a run, or publish one to every run that waits for it"
    epilog = """\
manage.py durable event 01980f payment.success --payload '{"id": 7}'
manage.py durable event 01980f approved --key manager
manage.py durable event --publish payment --key inv_1 --payload @payment.json --keep 1h
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", nargs="?", metavar="ID", help="id of a run, or a unique prefix")
        parser.add_argument("event", nargs="?", metavar="NAME", help="the name of the event")
        parser.add_argument(
            "--publish", metavar="NAME", help="to every run that waits for it, instead of ID NAME"
        )
        parser.add_argument(
            "--payload",
            default="null",
            metavar="JSON|@FILE|-",
            help="what it brings (default: null)",
        )
        parser.add_argument("--key", metavar="TEXT", help="picks among waits for one name")
        parser.add_argument(
            "--keep", metavar="DURATION", help="published: also for waits that begin within it"
        )
        parser.add_argument(
            "--idempotency-key", metavar="TEXT", help="what was sent with it before is not again"
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Judges all that was given, then sends."""
        if options.publish is not None:
            return self._publish(terminal, options)
        if options.keep is not None:
            raise Refused("--keep goes with --publish: what a run is sent is kept", WRONG_USAGE)
        if options.id is None or options.event is None:
            raise Refused("give the id of a run and a name, or --publish NAME", WRONG_USAGE)
        run = find_execution(options.id)
        payload = read_json(options.payload, "--payload")
        event = _refusing(
            lambda: api_events.send_event(
                run,
                options.event,
                payload,
                key=options.key,
                idempotency_key=options.idempotency_key,
                by=terminal.by,
            )
        )
        waits = _awaited(run)
        is_awaited = any(name == event.name and event.key in ("", key) for name, key in waits)
        terminal.emit({**_document(event), "awaited": is_awaited})
        terminal.say(f"Sent {event.name} to {run.workflow_name} {run.pk}")
        if not is_awaited:
            listed = ", ".join(f"{name} with the key {key}" if key else name for name, key in waits)
            others = f"; it waits for: {listed}" if waits else ""
            terminal.say(f"It does not wait for it now: the event is kept{others}")
        return DONE

    def _publish(self, terminal: Terminal, options: Namespace) -> int:
        if options.id is not None:
            raise Refused(f"--publish goes to all that wait, not to {options.id}", WRONG_USAGE)
        keep = None if options.keep is None else duration_of(options.keep, "--keep")
        payload = read_json(options.payload, "--payload")
        event = _refusing(
            lambda: api_events.publish_event(
                options.publish,
                options.key,
                payload,
                keep=keep,
                idempotency_key=options.idempotency_key,
                by=terminal.by,
            )
        )
        terminal.emit({**_document(event), "awaited": None})
        terminal.say(f"Published {event.name}{f' for {event.key}' if event.key else ''}")
        return DONE


def _refusing(send: Callable[[], Event]) -> Event:
    try:
        return send()
    except (TypeError, ValueError) as error:
        raise Refused(f"nothing was sent: {error}", WRONG_USAGE) from None


def _awaited(run: Execution) -> list[tuple[str, str]]:
    """The names, and the keys, of the events that the run waits for now."""
    kinds = (WaitKind.EVENT, WaitKind.ANY, WaitKind.ALL)
    waits = run.waits.filter(resolved_at__isnull=True, kind__in=kinds).order_by("id")
    found = (
        (name, wait.key) for wait in waits[:WAITS_READ_MAX] for name in wait.names or [wait.name]
    )
    return list(dict.fromkeys(found))


def _document(event: Event) -> dict[str, Any]:
    return {
        "id": event.pk,
        "execution": event.execution_id,
        "name": event.name,
        "key": event.key,
        "idempotency_key": event.idempotency_key,
        "status": event.status,
        "created_at": event.created_at,
        "expires_at": event.expires_at,
    }
