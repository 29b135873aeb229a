"""What people are asked, as it may be shown: a prompt may quote what must not be seen.

A prompt is text made from a run's context, so the secrets of that run are looked for in it; see
``masking``. It reads rows, and nothing of those whose workflow hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.utils.translation import gettext as _

from ..conf import settings
from ..models import Execution, Wait
from ..models.execution import ExecutionKind
from ..models.history import base_state
from .keys import keys_of_item
from .learning import learn
from .masking import Mask, Masks, sources_of_items
from .visible import visible


def prompts(waits: Iterable[Wait], *, reveal: bool = False) -> dict[int, str]:
    """The prompt of each input by its id, masked; the runs are read in one query, or two. With
    ``reveal`` for somebody who may see everything."""
    asked = list(waits)
    masks = masks_of(asked, reveal=reveal)
    return {wait.pk: shown_prompt(wait, masks[wait.pk]) for wait in asked}


def shown_prompt(wait: Wait, mask: Mask) -> str:
    """The prompt of an input under a mask that knows its run, or its name where it has none."""
    said = str(wait.request.get("prompt", ""))
    return visible(mask.text(said)) or visible(wait.name or wait.node)


def masks_of(waits: Sequence[Wait], *, reveal: bool = False) -> dict[int, Mask]:
    """For each wait the mask of its run, which has learned the secrets of the run and the member
    that waits; ``reveal``: masks that hide nothing."""
    names = {(wait.execution.workflow_name, wait.execution.version) for wait in waits}
    masks = Masks(names, reveal=reveal)
    found: dict[tuple[UUID, UUID], Mask] = {}
    for wait in waits:
        run = wait.execution
        place = (wait.execution_id, wait.member_id)
        if place not in found:
            found[place] = masks.of(run.workflow_name, run.version)
    hiding = {place: mask for place, mask in found.items() if not mask.is_empty}
    rows = _rows({pk for place in hiding for pk in place}) if hiding else {}
    for place, mask in hiding.items():
        for pk in set(place) & set(rows):
            _learn(mask, rows[pk])
    return {wait.pk: found[wait.execution_id, wait.member_id] for wait in waits}


def _rows(ids: set[UUID]) -> dict[UUID, Execution]:
    columns = ("kind", "path", "workflow_name", "version", "input_text", "snapshot")
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(ids))
    return {row.pk: row for row in rows.only(*columns)}


def _learn(mask: Mask, row: Execution) -> None:
    is_strand = row.kind == ExecutionKind.STRAND
    sources = sources_of_items(row.workflow_name, row.version) if is_strand else {}
    learn(mask, row.input_text, keys_of_item(row, sources) if is_strand else ())
    state = base_state(row.snapshot, row.path)
    for key, text in state.context.items():
        learn(mask, text, (key,))
    for change in state.changes:
        learn(mask, change.text, (change.key,))


def assigned_to(wait: Wait) -> str:
    """Whom an input is for, in words."""
    who = visible(wait.assignee)
    if wait.assignee_kind == "user":
        return who
    if wait.assignee_kind == "group":
        return _("group %(name)s") % {"name": who}
    if wait.assignee_kind == "permission":
        return _("permission %(name)s") % {"name": who}
    return _("anybody")
