"""What happened in a run, read for the terminal: its attempts and waits, members' included, and
what people did to it, under one mask that has learned what is secret in all of them. It writes
nothing.

Of a run with very many attempts the newest are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db.models import QuerySet

from ..conf import settings
from ..engine.context import decode_changes
from ..engine.paths import JOIN, chain_names, node_name
from ..engine.state import FORKS
from ..models import Execution, StepRun, Wait, WaitKind
from ..models.execution import ExecutionKind
from ..models.members import made_in
from ..showing.audit import Deed, read_deeds
from ..showing.keys import gave, keys_of_item, keys_of_wait, learn_waits
from ..showing.learning import learn, learn_changes, unreadable
from ..showing.masking import DOTS, Mask, sources_of_items
from ..showing.prompts import shown_prompt
from ..showing.shapes import error_shape, value_shape
from .run_values import stored

Happening: TypeAlias = StepRun | Wait | Deed

# Members whose items are looked at for secrets.
MEMBERS_MAX: Final = 1_000


@dataclass
class History:
    """A run, the newest of its attempts, of its waits and of what people did to it, all oldest
    first."""

    run: Execution
    mask: Mask
    attempts: list[StepRun]
    waits: list[Wait]
    deeds: list[Deed]
    has_more: bool = False


class Mark(NamedTuple):
    """Where something stands: it has something new to tell when this is another."""

    status: str
    ended_at: datetime | None
    progress: str = ""


def read_history(run: Execution, mask: Mask, most: int) -> History:
    """At most ``most`` attempts, as many waits and as many deeds; ``mask`` learns from them."""
    attempts = list(steps_of(run).select_related("worker").order_by("-id")[: most + 1])
    waits = list(waits_of(run).order_by("-id")[: most + 1])
    deeds = read_deeds(run.pk, mask, most + 1)
    has_more = max(len(attempts), len(waits), len(deeds)) > most
    rows = (attempts[:most][::-1], waits[:most][::-1], deeds[:most][::-1])
    found = History(run, mask, *rows, has_more)
    teach(mask, found.attempts, found.waits)
    return found


def steps_of(run: Execution) -> QuerySet[StepRun]:
    """The attempts of a run and its members; joins, which nobody wrote, left out."""
    rows = StepRun.objects.using(settings.DATABASE).exclude(path__endswith=JOIN)
    own = rows.filter(execution_id=run.pk)
    # A run without members is not asked for them: its index is all that is needed.
    return rows.filter(made_in(run)) if own.filter(kind__in=FORKS).exists() else own


def waits_of(run: Execution) -> QuerySet[Wait]:
    """What a run and its members wait for, or waited for; nobody waits for a ``once``."""
    rows = Wait.objects.using(settings.DATABASE).filter(execution_id=run.pk)
    return rows.exclude(kind=WaitKind.ONCE)


def teach(mask: Mask, attempts: Iterable[StepRun], waits: Iterable[Wait]) -> None:
    """Lets ``mask`` gather the secrets of what is to be shown, the members' items too."""
    if mask.is_empty:
        return
    attempts = list(attempts)
    for row in attempts:
        learn(mask, row.output_text, keys_of(row))
        learn_changes(mask, row.changes_text)
    learn_waits(mask, waits)
    _teach_items(mask, {row.execution_id for row in attempts})


def _teach_items(mask: Mask, owners: set[UUID]) -> None:
    rows = Execution.objects.using(settings.DATABASE).filter(
        id__any=list(owners), kind=ExecutionKind.STRAND
    )
    columns = ("path", "workflow_name", "version", "input_text")
    strands = list(rows.only(*columns)[:MEMBERS_MAX])
    if strands:
        sources = sources_of_items(strands[0].workflow_name, strands[0].version)
        for row in strands:
            learn(mask, row.input_text, keys_of_item(row, sources))


def keys_of(row: StepRun) -> tuple[str, ...]:
    """The names that what an attempt gave may stand under."""
    visit = row.path.partition("~")[0]
    return (row.name, node_name(visit), *chain_names(visit))


def began(row: Happening) -> datetime:
    """When it began."""
    if isinstance(row, Deed):
        return row.entry.created_at
    return row.created_at if isinstance(row, Wait) else row.started_at


def mark_of(row: Happening) -> Mark:
    """Where it stands now. What was done stays as it is."""
    if isinstance(row, Deed):
        return Mark(row.entry.verb, row.entry.created_at)
    if isinstance(row, Wait):
        return Mark(row.status, row.resolved_at)
    return Mark(row.status, row.finished_at, f"{row.progress} {row.progress_message}")


# -- for programs ----------------------------------------------------------------------------


def attempt_shape(row: StepRun, mask: Mask) -> dict[str, Any]:
    """An attempt for programs."""
    is_hidden = any(map(mask.hides, keys_of(row)))
    output = "" if row.status != "completed" else row.output_text
    return {
        "id": row.pk,
        "execution": row.execution_id,
        "path": row.path,
        "name": row.name,
        "kind": row.kind,
        "attempt": row.attempt,
        "status": row.status,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "worker": row.worker_id,
        "progress": row.progress,
        "progress_message": mask.text(row.progress_message),
        "output": None if not output else under(mask, output, is_hidden),
        "changes": _changes(row.changes_text, mask),
        "error": error_shape(row.error_text, mask),
        "logs": log_lines(row, mask),
    }


def wait_shape(wait: Wait, mask: Mask) -> dict[str, Any]:
    """A wait for programs."""
    keys = keys_of_wait(wait)
    given = gave(wait)
    return {
        "id": wait.pk,
        "path": wait.path,
        "node": wait.node,
        "kind": wait.kind,
        "name": wait.name,
        "names": wait.names,
        "key": mask.text(wait.key),
        "status": wait.status,
        "prompt": shown_prompt(wait, mask) if wait.kind == WaitKind.INPUT else None,
        "assignee_kind": wait.assignee_kind,
        "assignee": wait.assignee,
        "child": wait.child_id,
        "created_at": wait.created_at,
        "due_at": wait.due_at,
        "answered_at": wait.answered_at,
        "answered_by": wait.answered_by,
        "comment": mask.text(wait.comment),
        "resolved_at": wait.resolved_at,
        "value": under(mask, given, any(map(mask.hides, keys))) if given else None,
        "error": error_shape(wait.error_text, mask),
    }


def deed_shape(deed: Deed, mask: Mask) -> dict[str, Any]:
    """Something that somebody did, for programs."""
    found = deed.shape(mask)
    detail = found["detail"]
    if detail is not None:
        found["detail"] = {key: _detail(key, value) for key, value in detail.items()}
    return found


def _detail(key: str, value: Any) -> Any:
    # Values of a context were judged one by one: around them they may be nested too deep.
    if key in ("set", "before") and isinstance(value, Mapping):
        return {name: stored(each) for name, each in value.items()}
    return stored(value)


def under(mask: Mask, text: str, is_hidden: bool) -> Any:
    """A stored value for programs; ``is_hidden``: it stands under a name that is sensitive."""
    return DOTS if is_hidden else stored(value_shape(text, mask))


def log_lines(row: StepRun, mask: Mask) -> list[dict[str, Any]]:
    """The log of an attempt."""
    try:
        found = row.logs
    except ValueError:
        return [{"at": row.started_at, "level": "", "logger": "", "message": unreadable()}]
    return [
        {
            "at": line["at"],
            "level": str(line["level"]),
            "logger": mask.text(str(line["logger"])),
            "message": mask.text(str(line["message"])),
        }
        for line in found
    ]


def _changes(text: str, mask: Mask) -> list[dict[str, Any]]:
    try:
        changes = decode_changes(text)
    except ValueError:
        return []
    return [
        {
            "op": change.op,
            "key": change.key,
            "value": under(mask, change.text, mask.hides(change.key)),
        }
        for change in changes
    ]
