"""``durable rerun``: a run again from one of its nodes, after a look at what that would do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.exceptions import ValidationError

from .. import api_rerun
from ..api_rerun import RerunPreview
from ..exceptions import DurableError, InvalidState
from ..models import Execution
from ..store.options import UNSET
from .command import DONE, REFUSED, WRONG_USAGE, Command, Refused, add_reason
from .given import read_json, read_settings
from .ids import find_execution
from .run_values import RunValues, whole_run
from .screen import Terminal
from .starting import refusal


class Rerun(Command):
    """Makes a new run; the one it is made from stays as it is."""

    name = "rerun"
    help = "start a new run that has the checkpoints of an ended one before a node"
    epilog = """\
manage.py durable rerun 01980f --from charge_payment --dry-run
manage.py durable rerun 01980f --from charge_payment --set total=12 --reason "wrong price"
manage.py durable rerun 01980f --from validate --input @corrected.json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="id of a run, or a unique prefix")
        parser.add_argument("--from", dest="node", metavar="NODE", help="where it is to begin")
        parser.add_argument(
            "--input", metavar="JSON|@FILE|-", help="another input (default: the original's)"
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=JSON",
            help="sets a key of its data at that point, may be repeated",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what is kept and what runs again, and stop"
        )
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Judges all that was given; then looks, or starts."""
        run = find_execution(options.id)
        if options.node is None:
            raise Refused(_which(run), WRONG_USAGE)
        given: dict[str, Any] = {"context": read_settings(options.set, "--set") or None}
        if options.input is not None:
            given["input"] = read_json(options.input, "--input")
        preview = _asked(run, lambda: api_rerun.preview_rerun(run, options.node))
        if options.dry_run:
            self._preview(terminal, run, preview, given)
            return DONE
        made = _asked(
            run,
            lambda: api_rerun.rerun_from(
                run, options.node, reason=options.reason, by=terminal.by, **given
            ),
        )
        terminal.emit(
            {
                "dry_run": False,
                **_shape(preview),
                "execution": whole_run(made, reveal=terminal.reveal),
            }
        )
        terminal.say(f"Started {made.workflow_name} {made.pk} from {preview.node}: {made.status}")
        return DONE

    def _preview(
        self, terminal: Terminal, run: Execution, preview: RerunPreview, given: dict[str, Any]
    ) -> None:
        shown = RunValues(run, reveal=terminal.reveal)
        context = {**preview.context, **(given["context"] or {})}
        document = {
            "dry_run": True,
            **_shape(preview),
            "context": shown.plain(context),
            "input": shown.plain(given.get("input", run.input)),
        }
        terminal.emit(document)
        if preview.is_block:
            terminal.say(
                f"{preview.asked} stands in {preview.node}, which is run again as a whole."
            )
        terminal.say(f"Kept:      {', '.join(preview.kept) or 'nothing'}")
        terminal.say(f"Run again: {', '.join(preview.again)}")
        terminal.say("It begins with:")
        for key, value in sorted(context.items()):
            terminal.say(shown.line(key, value, "  "))
        if not context:
            terminal.say("  an empty context")
        if given.get("input", UNSET) is not UNSET:
            terminal.say(shown.line("input", given["input"]))


def _shape(preview: RerunPreview) -> dict[str, Any]:
    return {
        "asked": preview.asked,
        "node": preview.node,
        "kept": list(preview.kept),
        "again": list(preview.again),
    }


def _which(run: Execution) -> str:
    """Asks for the node, and names those there are."""
    nodes = api_rerun.nodes_to_rerun_from(run)
    return f"--from which node? It came to: {', '.join(nodes)}"


def _asked(run: Execution, ask: Any) -> Any:
    try:
        return ask()
    except (InvalidState, DurableError):
        raise
    except (ValidationError, TypeError, ValueError) as error:
        raise Refused(f"{run.pk} is not run again: {refusal(error)}", REFUSED) from None
