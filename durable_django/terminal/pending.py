"""``durable pending``: what people are waited for to answer, the oldest first. It reads rows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from django.contrib.auth import get_user_model

from ..inputs.api import list_pending_inputs
from ..models import PendingInput
from ..showing.masking import Mask, dotted
from ..showing.prompts import assigned_to, masks_of, shown_prompt
from .command import DONE, NOT_FOUND, Command, Refused, at_least
from .ids import find_execution
from .known import check_filters
from .run_values import stored
from .screen import Column, Terminal

SHOWN: Final = 50
COLUMNS: Final = (
    Column("INPUT", fixed=True),
    Column("RUN", fixed=True),
    Column("WORKFLOW", rank=2),
    Column("NAME", rank=1),
    Column("FOR", rank=3),
    Column("SINCE", rank=4),
    Column("DUE", rank=5),
    Column("PROMPT", folds=True),
)


class Pending(Command):
    """Requests for input that are open."""

    name = "pending"
    help = "list what people are waited for to answer"
    epilog = """\
manage.py durable pending
manage.py durable pending --user anna
manage.py durable pending --workflow approve_expense --json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="NAME", help="only what this user may answer")
        parser.add_argument("--workflow", metavar="NAME", help="only of runs of this workflow")
        parser.add_argument("--run", metavar="ID", help="only of this run")
        parser.add_argument(
            "--limit", type=at_least(1), default=SHOWN, metavar="N", help="so many (default: 50)"
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """They, and whether there are more."""
        rows = list_pending_inputs(_user(options.user) if options.user else None)
        if options.workflow:
            rows = rows.filter(execution__workflow_name=options.workflow)
        if options.run:
            rows = rows.filter(execution_id=find_execution(options.run).pk)
        found = list(rows.order_by("id")[: options.limit + 1])
        has_more, found = len(found) > options.limit, found[: options.limit]
        if not found:
            check_filters(workflow=options.workflow)
        masks = masks_of(found, reveal=terminal.reveal)
        prompts = {wait.pk: shown_prompt(wait, masks[wait.pk]) for wait in found}
        told = [_document(wait, prompts[wait.pk], masks[wait.pk]) for wait in found]
        terminal.emit({"inputs": told, "more": has_more})
        if not found:
            terminal.say("Nobody is waited for.")
            return DONE
        terminal.table(
            COLUMNS,
            [
                (
                    wait.pk,
                    str(wait.execution_id),
                    wait.execution.workflow_name,
                    wait.name,
                    assigned_to(wait),
                    wait.created_at,
                    wait.due_at,
                    prompts[wait.pk],
                )
                for wait in found
            ],
        )
        if has_more:
            terminal.say("There are more: --limit N", "dim")
        terminal.say("Answer one: manage.py durable input RUN NAME VALUE", "dim")
        return DONE


def _user(name: str) -> Any:
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        raise Refused(f"no user is called {name!r}", NOT_FOUND) from None


def _document(wait: PendingInput, prompt: str, mask: Mask) -> dict[str, Any]:
    return {
        "id": wait.pk,
        "execution": wait.execution_id,
        "workflow": wait.execution.workflow_name,
        "node": wait.node,
        "path": wait.path,
        "name": wait.name,
        "index": wait.index,
        "form": wait.form,
        "prompt": prompt,
        "fields": stored(dotted(mask.value(wait.fields))),
        "choices": stored(dotted(mask.value(wait.choices))),
        "assignee_kind": wait.assignee_kind,
        "assignee": wait.assignee,
        "created_at": wait.created_at,
        "due_at": wait.due_at,
    }
