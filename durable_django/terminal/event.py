"""``durable event``: sends an event to one run, or publishes one to all that wait for it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from .. import api_events
from ..engine import values
from ..exceptions import DurableError
from ..models import Event, Execution
from .command import DONE, REFUSED, WRONG_USAGE, Command, Refused
from .given import duration_of, read_json
from .ids import find_execution
from .run_values import RunValues, stored
from .screen import Terminal


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
        terminal.emit(_document(event, run, terminal))
        terminal.say(f"Sent {event.name} to {run.workflow_name} {run.pk}")
        waits = run.waits.filter(status="open", names__isnull=False) if False else None
        del waits
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
            )
        )
        terminal.emit(_document(event, None, terminal))
        terminal.say(f"Published {event.name}{f' for {event.key}' if event.key else ''}")
        return DONE
