"""The context of a run as it was after any of its steps, made again from what each did to it.

It reads the changes of a run's own step runs, and those that people made, in two queries; it shows
nothing. Members have changed the context where they were joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..conf import settings
from ..engine import values
from ..engine.context import Change, apply_changes, decode_changes, fold
from ..engine.machine import THROUGH
from ..models import AuditEntry, AuditVerb, Execution, StepRun

LISTED_MAX: Final = 300


class Checkpoint(NamedTuple):
    """A step run after which the context can be looked at. ``seq`` 0 is the beginning."""

    seq: int
    path: str
    attempt: int


def checkpoints(run: Execution) -> list[Checkpoint]:
    """The checkpoints to choose from, the oldest first; none where there are too many to list."""
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk, status__in=THROUGH)
    found = rows.order_by("seq").values_list(*Checkpoint._fields)[: LISTED_MAX + 1]
    listed = [Checkpoint(*row) for row in found]
    return [] if len(listed) > LISTED_MAX else listed


def last_seq(run: Execution) -> int:
    """The number of the last step run, 0 before the first."""
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk)
    return rows.order_by("-seq").values_list("seq", flat=True).first() or 0


def contexts_at(run: Execution, first: int, second: int) -> tuple[dict[str, str], dict[str, str]]:
    """The encoded context after the step runs ``first`` and ``second``, whichever is the later.

    ValueError or TypeError where a change cannot be read, or does not fit, on this machine.
    """
    done = sorted([*_changes(run, max(first, second)), *_edits(run)], key=lambda made: made[0])
    early, late = min(first, second), max(first, second)
    begun = _after({}, (change for seq, some in done if seq <= early for change in some))
    ended = _after(begun, (change for seq, some in done if early < seq <= late for change in some))
    return (begun, ended) if first <= second else (ended, begun)


def _after(texts: Mapping[str, str], changes: Iterable[Change]) -> dict[str, str]:
    """Folded first: ten thousand increments of one key are one."""
    return dict(apply_changes(texts, fold(tuple(changes))))


def _changes(run: Execution, last: int) -> list[tuple[int, tuple[Change, ...]]]:
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk, seq__lte=last)
    rows = rows.exclude(changes_text="[]").order_by("seq")
    found = rows.values_list("seq", "status", "kind", "changes_text")
    return [
        (seq, decode_changes(text))
        for seq, status, kind, text in found
        # What a handler of a rollback changes counts, whatever became of the handler.
        if status in THROUGH or kind == "compensation"
    ]


def _edits(run: Execution) -> list[tuple[int, tuple[Change, ...]]]:
    """What people changed, each behind the step run it was made after."""
    rows = AuditEntry.objects.using(settings.DATABASE).filter(execution=run.pk)
    rows = rows.filter(verb=AuditVerb.EDIT_CONTEXT).order_by("id")
    return [_edit(values.decode(text)) for text in rows.values_list("detail_text", flat=True)]


def _edit(detail: Mapping[str, Any]) -> tuple[int, tuple[Change, ...]]:
    given = detail.get("set", {})
    made = [Change("set", key, values.encode(value, key)) for key, value in given.items()]
    made += [Change("delete", key, "null") for key in detail.get("removed", ())]
    return int(detail.get("seq", 0)), tuple(made)
