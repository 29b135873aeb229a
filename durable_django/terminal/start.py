"""``durable start``: starts a run, and waits for its end if it is asked to."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from django.db import DatabaseError
from rich.text import Text

from .. import api
from ..conf import settings
from ..exceptions import QueueNotFound
from ..models import Execution
from .command import DONE, REFUSED, Command, Refused
from .following import follow
from .given import read_json
from .heads import end
from .run_values import RunValues, whole_run
from .screen import Terminal
from .show import ATTEMPTS_SHOWN
from .starting import add_options, options_given, refusal, workflow_called
from .waiting import ended


class Start(Command):
    """One run, with an input; workers take it up at once, or at the time that is given."""

    name = "start"
    help = "start a workflow"
    epilog = """\
manage.py durable start process_order --input '{"order": {"id": 7, "items": []}}'
manage.py durable start process_order --input @order.json --tag customer=42 --key order-7
manage.py durable start report --at 2030-01-31T09:00 --queue slow --timeout 2h
cat order.json | manage.py durable start process_order --input - --wait
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", metavar="NAME", help="the workflow, as it is registered")
        parser.add_argument(
            "--input",
            metavar="JSON|@FILE|-",
            help="what it is given: JSON, a file, or - for what is piped in (default: {})",
        )
        parser.add_argument(
            "--key",
            "--idempotency-key",
            dest="key",
            metavar="TEXT",
            help="if the workflow was started with this key before, nothing is started",
        )
        add_options(parser)
        until = parser.add_mutually_exclusive_group()
        until.add_argument(
            "--wait", action="store_true", help="until it ends; the exit code is 0 if it completed"
        )
        until.add_argument("--follow", action="store_true", help="the same, telling what happens")

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Judges all that was given, then starts."""
        cls = workflow_called(options.workflow)
        given = options_given(cls, options, options.key)
        input = None if options.input is None else read_json(options.input, "--input")
        run, created = _start(cls, input, options.key, {**given, "by": terminal.by})
        if not (options.follow and created):
            terminal.say(_told(run, created))
        if options.follow:
            return follow(terminal, run, ATTEMPTS_SHOWN, logs=True, whole=False)
        if options.wait:
            run = ended(terminal, run)
            terminal.say(_end(run, terminal))
            end(terminal, run, RunValues(run, reveal=terminal.reveal), whole=False)
        terminal.emit({**whole_run(run, reveal=terminal.reveal), "created": created})
        return REFUSED if options.wait and run.status != "completed" else DONE


def _start(cls: Any, input: Any, key: str | None, given: dict[str, Any]) -> tuple[Execution, bool]:
    """The run, and whether it is a new one."""
    known = None
    if key is not None:
        rows = Execution.objects.using(settings.DATABASE)
        known = rows.filter(workflow_name=cls.definition.name, idempotency_key=key).first()
    try:
        run = api.start(cls, input, idempotency_key=key, **given)
    except (DatabaseError, QueueNotFound):
        raise
    except Exception as error:  # whatever the workflow's clean_input raises
        name = cls.definition.name
        raise Refused(f"{name} was not started: {refusal(error)}", REFUSED) from error
    return run, known is None or known.pk != run.pk


def _end(run: Execution, terminal: Terminal) -> Text:
    taken = (run.finished_at - run.created_at).total_seconds() if run.finished_at else None
    return Text.assemble("It is ", terminal.status(run.status), ", after ", terminal.length(taken))


def _told(run: Execution, created: bool) -> str:
    name = run.workflow_name
    if created:
        return f"Started {name} {run.pk}: {run.status}"
    return f"{name} was started with this key before, as {run.pk}: {run.status}"
