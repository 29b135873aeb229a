"""Trees: a run with all that it forked and called, deleted together or not at all.

A tree is every execution with one root. Nothing of it goes before all of it has ended, and what is
locked by somebody at this moment stays for another time: this waits for no lock, so it can stand in
nobody's way. By lists of ids only; what other trees know of a deleted run stays as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from django.db.models import F, Model, QuerySet

from ..conf import settings
from ..models import AuditEntry, Event, Execution, StepRun, Wait
from . import advisory
from .transactions import has_row_locks, repeating, worker_transaction

T = TypeVar("T")
Rows = TypeVar("Rows", bound=Model)

# What one transaction takes: on PostgreSQL 0.1 s, and nobody waits for it; on SQLite everybody
# does. A tree that is larger goes alone.
EXECUTIONS_MAX: Final = 1_000
STEP_RUNS_MAX: Final = 10_000
PAGE: Final = 1_000

# Held by the one worker that cleans by itself now.
CLEANING: Final = int.from_bytes(b"cleaning", "big", signed=True)


class Ended(NamedTuple):
    """Which trees may go: every execution ended before a moment, the root with such a status."""

    before: datetime
    statuses: tuple[str, ...]


class Pruned(NamedTuple):
    """How much was deleted, or with ``dry_run`` would have been. ``trees`` are runs with all they
    forked and called, ``executions`` the rows of those. ``kept`` are runs that ended long enough
    ago, of which something has not, or is locked by somebody now. ``is_more``: a limit was reached
    before the last of them."""

    trees: int = 0
    executions: int = 0
    step_runs: int = 0
    waits: int = 0
    events: int = 0
    audit_entries: int = 0
    kept: int = 0
    is_more: bool = False

    def plus(self, other: Pruned) -> Pruned:
        """Both together."""
        numbers = (one + two for one, two in zip(self[:-1], other[:-1], strict=True))
        return Pruned._make([*numbers, self.is_more or other.is_more])


class SomebodyCleans(Exception):
    """Another worker cleans at this moment."""


def fitting(roots: Sequence[UUID]) -> int:
    """How many of the first of these trees one transaction takes; at least one."""
    count = len(roots)
    while count > 1 and not _is_small(roots[:count]):
        count //= 2
    return count


def _is_small(roots: Sequence[UUID]) -> bool:
    ids = level = list(roots)
    while level:
        level = list(_below(level).values_list("id", flat=True)[: EXECUTIONS_MAX + 1])
        ids = ids + level
        if len(ids) > EXECUTIONS_MAX:
            return False
    steps = StepRun.objects.using(settings.DATABASE).filter(execution__id__any=ids)
    return steps.order_by()[: STEP_RUNS_MAX + 1].count() <= STEP_RUNS_MAX


def delete(
    roots: Sequence[UUID], ended: Ended, worker_id: UUID | None = None, *, alone: bool = False
) -> Pruned:
    """Deletes these trees in one transaction, but for those that may not go. ``alone``:
    SomebodyCleans if another worker is at it."""
    return repeating(lambda: _delete(roots, ended, worker_id, alone))


def _delete(roots: Sequence[UUID], ended: Ended, worker_id: UUID | None, alone: bool) -> Pruned:
    with worker_transaction(worker_id):
        if alone and not advisory.hold_free([CLEANING]):
            raise SomebodyCleans
        if not has_row_locks():  # the first statement is a write
            Execution.objects.using(settings.DATABASE).filter(pk=roots[0]).update(lease=F("lease"))
        trees = _whole(roots, ended, locks=True)
        gone = Pruned(trees=len(trees), kept=len(roots) - len(trees))
        for page in pages([pk for tree in trees.values() for pk in tree]):
            gone = gone.plus(_delete_page(page))
        return gone


def count(roots: Sequence[UUID], ended: Ended) -> Pruned:
    """What :func:`delete` would delete. Locks and changes nothing."""
    trees = _whole(roots, ended, locks=False)
    found = Pruned(trees=len(trees), kept=len(roots) - len(trees))
    for page in pages([pk for tree in trees.values() for pk in tree]):
        numbers = [rows.order_by().count() for rows in _belonging(page)]
        found = found.plus(_pruned(len(page), numbers))
    return found


# -- what belongs to a tree ----------------------------------------------------------------------


def _whole(roots: Sequence[UUID], ended: Ended, *, locks: bool) -> dict[UUID, list[UUID]]:
    """The executions of each tree that may go, by root; with ``locks`` all of them are locked."""
    # race: prune-or-retry. Under the lock of the root, which a retry needs as well, and then of
    # each level: what was retried before is not ended any more, or ended just now; what is retried
    # later finds nothing. New members need a parent that runs, which is not ended either.
    rows = Execution.objects.using(settings.DATABASE).filter(finished_at__lt=ended.before)
    may_go = rows.filter(root_id=F("id"), status__in=ended.statuses)
    trees = {pk: [pk] for pk in _taken(may_go, roots, locks)}
    level = list(trees)
    while level:
        found: dict[UUID, UUID] = {}
        for page in pages(level):
            found.update(_below(page).values_list("id", "root_id"))
        free = {pk for page in pages(list(found)) for pk in _taken(rows, page, locks)}
        for root_id in {root_id for pk, root_id in found.items() if pk not in free}:
            trees.pop(root_id, None)
        for pk, root_id in found.items():
            if root_id in trees:
                trees[root_id].append(pk)
        level = [pk for pk, root_id in found.items() if root_id in trees]
    return trees


def _taken(rows: QuerySet[Execution], ids: Sequence[UUID], locks: bool) -> list[UUID]:
    """Those of the executions that are among ``rows``; with ``locks`` those that nobody holds."""
    rows = rows.filter(id__any=list(ids)).order_by("root_id", "depth", "id")
    if locks and has_row_locks():
        rows = rows.select_for_update(skip_locked=True)
    return list(rows.values_list("id", flat=True))


def _below(parents: Sequence[UUID]) -> QuerySet[Execution]:
    """The strands and called runs right below; what has a root of its own is another tree."""
    rows = Execution.objects.using(settings.DATABASE).filter(parent__id__any=list(parents))
    return rows.exclude(root_id=F("id")).order_by()


def _belonging(ids: Sequence[UUID]) -> list[QuerySet[Any]]:
    """What hangs on executions: step runs, waits, events in two parts, audit entries."""
    models: tuple[type[Model], ...] = (StepRun, Wait, Event, Event, AuditEntry)
    steps, waits, events, ended, entries = (
        model._default_manager.using(settings.DATABASE).filter(execution__id__any=list(ids))
        for model in models
    )
    # Each half has an index of its own.
    events, ended = events.filter(ended_at__isnull=True), ended.filter(ended_at__isnull=False)
    return [steps, waits, events, ended, entries]


def _delete_page(ids: Sequence[UUID]) -> Pruned:
    numbers = [_delete_rows(rows) for rows in _belonging(ids)]
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(ids))
    return _pruned(_delete_rows(rows), numbers)


def _pruned(executions: int, belonging: Sequence[int]) -> Pruned:
    steps, waits, events, ended, entries = belonging
    return Pruned(0, executions, steps, waits, events + ended, entries)


def _delete_rows(rows: QuerySet[Rows]) -> int:
    """One statement; ``delete()`` would read each row first, and look for what refers to it."""
    return rows.order_by()._raw_delete(settings.DATABASE)


def pages(rows: Sequence[T]) -> Iterator[list[T]]:
    """Of a list so many at a time as one statement takes."""
    for begin in range(0, len(rows), PAGE):
        yield list(rows[begin : begin + PAGE])
