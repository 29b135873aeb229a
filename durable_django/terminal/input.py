"""``durable input``: shows what a run waits for people to give, and gives it.

The form that judges an answer in the admin judges it here. Whoever has a shell on this machine may
answer for anybody; ``--as`` asks whether a user may.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError

from ..definition.spelling import did_you_mean
from ..engine import values
from ..exceptions import DurableError
from ..inputs import answering
from ..inputs.api import list_pending_inputs
from ..models import Execution, PendingInput
from ..showing.prompts import prompts
from ..store import audit
from .asked_inputs import document, expects
from .command import DONE, NOT_FOUND, REFUSED, Command, Refused
from .given import judged, read_json
from .ids import find_execution
from .run_values import RunValues
from .screen import Terminal
from .starting import refusal

LISTED_MAX: Final = 100


class ProvideInput(Command):
    """Without a value it tells what is asked."""

    name = "input"
    help = "give a run the input it waits for; without a value, show what it asks"
    epilog = """\
manage.py durable input 01980f
manage.py durable input 01980f manager approved --comment "within the budget"
manage.py durable input 01980f details '{"amount": "12.50", "urgent": true}' --as ada
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="id of a run, or a unique prefix")
        parser.add_argument("input", nargs="?", metavar="NAME", help="which input")
        parser.add_argument(
            "value",
            nargs="?",
            metavar="VALUE",
            help="JSON, @FILE, - for what is piped in, or a plain text",
        )
        parser.add_argument("--index", type=int, metavar="N", help="of this item of a foreach")
        parser.add_argument("--comment", default="", metavar="TEXT", help="kept beside it")
        parser.add_argument(
            "--as",
            dest="user",
            metavar="USERNAME",
            help="answer as this user, who must be allowed to",
        )

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Shows, or judges and gives."""
        run = find_execution(options.id)
        waits = list(list_pending_inputs().filter(execution_id=run.pk)[:LISTED_MAX])
        if options.input is not None:
            waits = _called(run, waits, options)
        if options.value is None:
            _show(terminal, run, waits)
            return DONE
        _give(terminal, run, waits[0], options)
        return DONE


def _called(
    run: Execution, waits: Sequence[PendingInput], options: Namespace
) -> list[PendingInput]:
    """Those of the name and the index that are asked for; Refused for none."""
    name, index = options.input, options.index
    found = [wait for wait in waits if wait.name == name and index in (None, wait.index)]
    if found:
        return found
    names = list(dict.fromkeys(wait.name for wait in waits))
    which = name if index is None else f"{name} of item {index}"
    instead = f"it waits for: {', '.join(names)}" if names else f"it is {run.status}"
    meant = did_you_mean(name, names) if name not in names else ""
    raise Refused(f"{run.pk} does not wait for an input {which}{meant}; {instead}", REFUSED)


def _show(terminal: Terminal, run: Execution, waits: Sequence[PendingInput]) -> None:
    shown = RunValues(run, reveal=terminal.reveal)
    asked = prompts(waits, reveal=terminal.reveal)
    terminal.emit(
        {
            "id": run.pk,
            "workflow": run.workflow_name,
            "inputs": [document(wait, asked[wait.pk], shown) for wait in waits],
        }
    )
    for wait in waits:
        item = "" if wait.index is None else f" of item {wait.index}"
        terminal.say(f"{wait.name}{item}: {asked[wait.pk]}", style="bold")
        if wait.assignee:
            terminal.say(f"  for the {wait.assignee_kind} {wait.assignee}")
        for line in expects(wait, shown):
            terminal.say(f"  {line}")
    if not waits:
        terminal.say(f"{run.workflow_name} {run.pk} waits for no input: it is {run.status}.")


def _give(terminal: Terminal, run: Execution, wait: PendingInput, options: Namespace) -> None:
    shown = RunValues(run, reveal=terminal.reveal)
    answer = _judged(wait, options, shown)
    if answer.by == "":
        answer = answer._replace(by=audit.who(terminal.by))
    answering.record(answer)
    value = values.decode(answer.value_text)
    terminal.emit(
        {
            "id": run.pk,
            "workflow": run.workflow_name,
            "name": wait.name,
            "index": wait.index,
            "value": shown.plain(value, wait.name),
            "by": answer.by,
            "comment": answer.comment,
        }
    )
    terminal.say(shown.line(f"Gave {run.workflow_name} {run.pk} {wait.name}", value))


def _judged(wait: PendingInput, options: Namespace, shown: RunValues) -> answering.Answer:
    """The answer, if the form takes the value as JSON or, failing that, as a plain text."""
    user = None if options.user is None else _user(options.user)
    first: Exception | None = None
    for value in _readings(options.value):
        try:
            return answering.judged(wait, value, user, options.comment)
        except PermissionDenied as error:
            raise Refused(str(error), REFUSED) from None
        except (ValidationError, DurableError, TypeError, ValueError) as error:
            first = first or error
    said = [f"{wait.name} does not take this: {refusal(first or ValueError())}"]
    said += [f"  {line}" for line in expects(wait, shown)]
    raise Refused("\n".join(said), REFUSED)


def _readings(text: str) -> Iterator[Any]:
    """What a value may mean: the JSON it is, then the text it is. What only begins like JSON is a
    mistake, not a text."""
    if text == "-" or text.startswith("@"):
        yield read_json(text, "the value")
        return
    if text.lstrip()[:1] in ("{", "[", '"'):
        yield judged(text, "the value")
        return
    try:
        yield values.decode(text)
    except (ValueError, RecursionError):
        pass
    yield text


def _user(name: str) -> Any:
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        raise Refused(f"--as {name}: there is no such user", NOT_FOUND) from None
