"""Pruning: which runs ended long enough ago to be deleted, found by the key of their workflow.

A walk goes through the runs of one workflow from the oldest, in windows that each cost a few
milliseconds, and never looks at those made too late to have ended long ago. ``trees`` deletes what
it finds. Nothing here decides by itself what is old enough: people do, or ``retention``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import BooleanField, Exists, F, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from ..conf import settings
from ..models import FINAL, AuditVerb, Execution, Wait
from ..models.ids import first_at
from ..models.lookups import adapt_id
from ..models.names import names_of_runs
from . import audit, clock, trees
from .trees import Ended, Pruned

ALL_ENDED: Final = tuple(status.value for status in FINAL)
BATCH: Final = 500
# Runs that are looked at in one statement, whether they ended or not.
WINDOW: Final = 5_000
# Ids are made by the clocks of those who start runs; one that is ahead by more than this has its
# runs deleted later by as much.
CLOCKS_APART: Final = timedelta(minutes=1)

_TABLE: Final = Execution._meta.db_table
_PAIR: Final = f'("{_TABLE}"."workflow_name", "{_TABLE}"."id")'
_LEAST: Final = UUID(int=0)


class Chosen(NamedTuple):
    """Runs of one workflow that ended before a moment, with one of these statuses."""

    workflow_name: str
    before: datetime
    statuses: tuple[str, ...] = ALL_ENDED

    @property
    def ended(self) -> Ended:
        """What has to hold for a tree of them."""
        return Ended(self.before, self.statuses)


class Walk:
    """Finds the roots of trees that may go, oldest first, behind ``after``."""

    def __init__(self, chosen: Chosen, after: UUID = _LEAST) -> None:
        self.chosen = chosen
        self.after = after
        self.is_over = False
        self._until = first_at(chosen.before + CLOCKS_APART)

    def next(self, count: int) -> list[UUID]:
        """The roots in the next window, at most ``count``; ``is_over`` when there is no more."""
        if self._until <= self.after:
            self.is_over = True
            return []
        name = self.chosen.workflow_name
        rows = _runs_of(name, self.after, self._until).values_list("id", flat=True)
        end = next(iter(rows[WINDOW - 1 : WINDOW]), None)
        if end is not None:
            # Not one more condition: of two ends PostgreSQL stops at the later one.
            rows = _runs_of(name, self.after, end).values_list("id", flat=True)
        found = list(_prunable(rows, self.chosen)[:count])
        if len(found) == count:
            self.after = found[-1]
        elif end is not None:
            self.after = end
        else:
            self.after = max(found, default=self.after)
            self.is_over = True
        return found


def _runs_of(name: str, after: UUID, until: UUID) -> QuerySet[Execution]:
    """As ranges of pairs: as an equality PostgreSQL would rather walk the primary key. The kind is
    written out, since SQLite uses the partial index only then."""
    using = settings.DATABASE
    values = [name, adapt_id(after, using), name, adapt_id(until, using)]
    condition = f'"{_TABLE}"."kind" = \'workflow\' AND {_PAIR} > (%s, %s) AND {_PAIR} <= (%s, %s)'
    rows = Execution.objects.using(using).filter(_sql(condition, values))
    return rows.order_by("workflow_name", "id")


def _prunable(rows: Any, chosen: Chosen) -> Any:
    # One that ended while its caller is paused: how it ended is still to be told.
    told = Wait.objects.using(settings.DATABASE).filter(
        execution_id=OuterRef("parent_id"),
        kind="call",
        child_id=OuterRef("id"),
        resolved_at__isnull=True,
    )
    return rows.filter(
        ~Exists(told),
        root_id=F("id"),
        status__in=chosen.statuses,
        finished_at__lt=chosen.before,
    )


def _sql(condition: str, values: Iterable[Any]) -> Any:
    return RawSQL(condition, tuple(values), output_field=BooleanField())


# -- by hand -------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """What somebody asks to have deleted. ``workflow`` None: of all of them; ``limit`` is of trees,
    ``seconds`` how long it may take, about."""

    older_than: float
    statuses: tuple[str, ...]
    workflow: str | None
    batch_size: int
    limit: int | None
    seconds: float
    dry_run: bool


def prune(
    asked: Asked, by: Any, reason: str, progress: Callable[[Pruned], object] | None
) -> Pruned:
    """Deletes what somebody asks for, in batches that each are committed. The trail says who did,
    also of what was deleted before something went wrong."""
    done = Pruned()
    try:
        for part in _parts(asked):
            done = done.plus(part)
            if progress is not None:
                progress(done)
    finally:
        if done.trees and not asked.dry_run:
            _tell(asked, done, by, reason)
    return done


def _parts(asked: Asked) -> Iterable[Pruned]:
    before = clock.now() - timedelta(seconds=asked.older_than)
    until = time.monotonic() + asked.seconds
    left = math.inf if asked.limit is None else asked.limit
    names = names_of_runs() if asked.workflow is None else [asked.workflow]
    act = trees.count if asked.dry_run else trees.delete
    for name in names:
        walk = Walk(Chosen(name, before, asked.statuses))
        while not walk.is_over:
            if left <= 0 or time.monotonic() > until:
                yield Pruned(is_more=True)
                return
            for roots in in_transactions(walk.next(int(min(asked.batch_size, left)))):
                part = act(roots, walk.chosen.ended)
                left -= part.trees
                yield part


def _tell(asked: Asked, done: Pruned, by: Any, reason: str) -> None:
    detail = {
        "older_than": asked.older_than,
        "status": list(asked.statuses),
        "workflow": asked.workflow,
        "trees": done.trees,
        "executions": done.executions,
    }
    audit.record(AuditVerb.PRUNE, by=by, reason=reason, detail=detail)


def in_transactions(roots: Sequence[UUID]) -> Iterable[list[UUID]]:
    """The trees, in as many parts as they take transactions."""
    left = list(roots)
    while left:
        fits = trees.fitting(left)
        yield left[:fits]
        left = left[fits:]
