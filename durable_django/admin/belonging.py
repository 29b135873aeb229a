"""Which run a strand belongs to, and what lies between: people act on runs. It reads rows only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from ..conf import settings
from ..engine.paths import fork_of
from ..engine.results import Results
from ..engine.state import FORKS
from ..models import Execution, StepRun, StepStatus
from ..models.execution import ExecutionKind
from ..models.history import latest
from .members import MEMBERS_PER_PAGE


class Place(NamedTuple):
    """Where a strand is found on its parent's page: the seq of its fork, the page of members."""

    seq: int
    page: int


def above(strand: Execution) -> list[Execution]:
    """The run, then the strands on the way down to the parent of ``strand``; a query for each."""
    rows = latest(Execution.objects.using(settings.DATABASE))
    found: list[Execution] = []
    row = strand
    while row.kind == ExecutionKind.STRAND and row.parent_id is not None:
        row = rows.get(pk=row.parent_id)
        found.insert(0, row)
    return found


def runs_of(strands: Iterable[Execution]) -> dict[UUID, UUID]:
    """The run each strand belongs to, by the ids of both; a query for each level of forks."""
    rows = Execution.objects.using(settings.DATABASE)
    over = {strand.pk: strand.parent_id for strand in strands}
    while True:
        parents = {pk for pk in over.values() if pk is not None}
        between = rows.filter(id__any=list(parents), kind=ExecutionKind.STRAND)
        up = dict(between.values_list("id", "parent_id")) if parents else {}
        if not up:
            return {pk: run for pk, run in over.items() if run is not None}
        over = {pk: up.get(parent, parent) if parent else None for pk, parent in over.items()}


def place_of(strand: Execution) -> Place | None:
    """None where the step run of its fork is not there."""
    if strand.parent_id is None:
        return None
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=strand.parent_id)
    opened = rows.filter(path=fork_of(strand.path), kind__in=FORKS, status=StepStatus.COMPLETED)
    opening = opened.last()
    results = None if opening is None else opening.output
    if opening is None or not isinstance(results, Results):
        return None
    number = strand.pk.int - results.first_id.int
    return Place(opening.seq, number // MEMBERS_PER_PAGE + 1)
