"""Reading the members of a fork for their join. Writes nothing."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from ..conf import settings
from ..engine import values
from ..engine.context import decode_changes
from ..engine.joining import Member
from ..engine.paths import fork_of
from ..engine.results import Results
from ..engine.state import as_inherited, from_snapshot
from ..models import Execution, ExecutionStatus


class Members(NamedTuple):
    """Those that tell the join something, in order, and how many failed of all."""

    members: list[Member]
    failures: int


def strands_of(parent_id: UUID, results: Results) -> QuerySet[Execution]:
    """The rows of the members of one fork of an execution."""
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(parent_id=parent_id, id__gte=results.first_id, id__lte=results.last_id)


def read_members(parent_id: UUID, results: Results, *, only_telling: bool) -> Members:
    """The ended members of a fork. ``only_telling`` leaves out those that neither changed the
    context nor failed: of ten thousand items often all of them."""
    rows = strands_of(parent_id, results)
    failed = rows.filter(status=ExecutionStatus.FAILED)
    if not only_telling:
        ended = [_member(row) for row in rows.order_by("id")]
        members = [m for m in ended if m.status != ExecutionStatus.CANCELLED]
        return Members(members, sum(m.status == ExecutionStatus.FAILED for m in members))
    failures = failed.count()
    changed = rows.filter(~Q(changes_text="[]"), status=ExecutionStatus.COMPLETED).order_by("id")
    found = [
        Member(path, "completed", changes=decode_changes(text))
        for path, text in changed.values_list("path", "changes_text")
    ]
    if failures:
        # The first to fail and the last are those whose error the block may have.
        by_end = failed.order_by("finished_at", "id")
        found += [_member(row) for row in (by_end.first(), by_end.last()) if row is not None]
    return Members(found, failures)


def _member(row: Execution) -> Member:
    told = Member(
        row.path,
        row.status,
        row.result_text,
        values.decode(row.error_text) if row.error_text else None,
        decode_changes(row.changes_text),
        ended=(row.finished_at, row.pk),
    )
    if not row.snapshot:
        return told
    state = as_inherited(from_snapshot(row.snapshot, fork_of(row.path)), row.pk.hex)
    return told._replace(outputs=state.outputs, references=state.references, fatal=state.fatal)
