"""``durable skip``: lets a failed run go on behind the node it failed at."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .. import api_repair
from .command import DONE, REFUSED, Command, Refused, add_reason
from .given import read_json
from .ids import find_execution
from .run_values import whole_run
from .screen import Terminal


class Skip(Command):
    """As if the node had given a value; it is never compensated."""

    name = "skip"
    help = "let a failed run go on behind the node it failed at, as if that had given a value"
    epilog = """\
manage.py durable skip 01980f --value '{"charge_id": "paid in cash"}' --reason "paid in cash"
manage.py durable skip 01980f --node 'sending[2]/send'
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="id of a run, or a unique prefix")
        parser.add_argument(
            "--node", metavar="NODE", help="which, where several failed; or a block around it"
        )
        parser.add_argument(
            "--value",
            default="null",
            metavar="JSON|@FILE|-",
            help="what it is to have given (default: null)",
        )
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Judges the value; the API knows which nodes there are, and names them."""
        run = find_execution(options.id)
        value = read_json(options.value, "--value")
        try:
            after = api_repair.skip(
                run, value, node=options.node, reason=options.reason, by=terminal.by
            )
        except (TypeError, ValueError) as error:
            raise Refused(f"nothing of {run.pk} was skipped: {error}", REFUSED) from None
        terminal.emit(whole_run(after, reveal=terminal.reveal))
        words = f"it is {after.status}" if after.is_final else f"goes on, {after.status}"
        terminal.say(f"{run.pk} {run.workflow_name}: {words}")
        return DONE
