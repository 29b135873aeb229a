"""Rebuilding: the state a run was in after one of its step runs, from the first on.

Snapshots are overwritten, so it is made anew: by replaying the step runs, with what the members of
forks gave, and with what people changed in the context between two of them. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..engine.context import Change, apply_changes
from ..engine.joining import what_members_gave
from ..engine.machine import (
    THROUGH,
    Outcome,
    Recorded,
    replay,
    seq_of_outputs,
    with_what_members_gave,
)
from ..engine.paths import is_joining, joining
from ..engine.results import Results
from ..engine.state import FORKS, RunState
from ..models import AuditEntry, StepRun
from .joining import read_members

PAGE = 500
# What people do that changes the context of a run between two of its step runs.
EDITS = ("edit_context", "rerun")


class Rebuilt(NamedTuple):
    """``seq_of`` names the step run of each output; ``forks`` are those made by then."""

    state: RunState
    seq_of: dict[str, str]
    forks: tuple[Results, ...]


class Edit(NamedTuple):
    """What somebody changed in the context when ``seq`` step runs had been recorded."""

    seq: int
    changes: tuple[Change, ...]


def rebuilt(run_id: UUID, seq: int, until: int) -> Rebuilt:
    """The state of a run after its first ``seq`` step runs, with what people changed before there
    were more than ``until``. Its counts of visits are left to the caller; it stands at no node."""
    state = RunState("")
    seq_of: dict[str, str] = {}
    forks: list[Results] = []
    edits = edits_of(run_id)
    for row in _rows(run_id, seq):
        state = _edited(state, edits, row.seq - 1)
        state, _ = replay(state, [row])
        seq_of.update(seq_of_outputs([row]))
        if row.status not in THROUGH or row.kind not in FORKS:
            continue
        if row.next_path == joining(row.path):
            forks.append(values.decode(row.output))
        elif is_joining(row.path) and row.kind != "foreach":
            members = read_members(run_id, forks[-1], only_telling=False).members
            gave = Outcome("completed", **what_members_gave(row.kind, members))
            state = with_what_members_gave(state, gave)
    state = _edited(state, edits, until)
    return Rebuilt(state._replace(next_path=""), seq_of, tuple(forks))


def _rows(run_id: UUID, seq: int) -> Iterator[Recorded]:
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run_id, seq__lte=seq)
    for row in rows.order_by("seq").values_list(*_COLUMNS).iterator(chunk_size=PAGE):
        yield Recorded(*row)


_COLUMNS = (
    *("seq", "path", "status", "attempt"),
    *("output_text", "changes_text", "next_path", "kind", "started_at"),
)


def edits_of(run_id: UUID) -> list[Edit]:
    """What people changed in the context of a run, the first last."""
    rows = AuditEntry.objects.using(settings.DATABASE).filter(execution_id=run_id, verb__in=EDITS)
    rows = rows.order_by("-id")
    details = [values.decode(text) for text in rows.values_list("detail_text", flat=True)]
    return [Edit(detail["seq"], _changes(detail)) for detail in details if "seq" in detail]


def _changes(detail: dict[str, Any]) -> tuple[Change, ...]:
    given = detail.get("set", {}).items()
    changed = [Change("set", key, values.encode(value, key)) for key, value in given]
    removed = [Change("delete", key, "null") for key in detail.get("removed", ())]
    return (*changed, *removed)


def _edited(state: RunState, edits: list[Edit], seq: int) -> RunState:
    """``state`` with what was changed when ``seq`` step runs had been recorded; that is taken off
    the list."""
    while edits and edits[-1].seq <= seq:
        state = state._replace(context=apply_changes(state.context, edits.pop().changes))
    return state
