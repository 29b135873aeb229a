"""Retention: what workers delete by themselves: runs that ended longer ago than ``Meta.retention``
of their workflow says, or ``RETENTION``; and the rows of workers that are long gone.

One worker at a time, in rounds of a fraction of a second. Where a round has been is kept in memory,
so that a million sleeping runs at the front of the key are not walked past each time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from ..conf import settings
from ..definition import registry
from ..definition.durations import to_seconds
from ..definition.workflow import Workflow
from ..models import Execution, Worker, WorkerStatus
from ..models.ids import first_at
from ..models.names import names_of_runs, names_told
from . import clock, trees
from .pruning import BATCH, Chosen, Walk, in_transactions
from .trees import Pruned, SomebodyCleans

# A run that was passed because it had not ended yet, or not long enough ago, is found by the next
# walk from the front; so that it is not, those made not long before the oldest that are kept are
# looked at in each round.
WALK_AGAIN_SECONDS: Final = 3_600.0
LOOKED_AT_AGAIN: Final = timedelta(hours=1)
WORKERS_KEPT: Final = timedelta(days=7)
WORKERS_BATCH: Final = 500


def retention_of(name: str, elsewhere: frozenset[str] = frozenset()) -> float | None:
    """The seconds for which runs of a workflow are kept after their end; None: for ever.

    ``Meta.retention`` of the highest version counts, else ``RETENTION``. ``elsewhere`` are the
    workflows that other living workers have: one that only they know is theirs to delete, since
    only they know its Meta.
    """
    cls = _class_of(name)
    if cls is None and name in elsewhere:
        return None
    own: float | None = None if cls is None else cls.definition.options.retention
    if own is not None:
        return own
    general = settings.RETENTION
    return None if general is None else to_seconds(general, "RETENTION")


def _class_of(name: str) -> type[Workflow] | None:
    return next((cls for cls in reversed(registry.all()) if cls.definition.name == name), None)


def is_any() -> bool:
    """Whether anything is to be deleted some day, as far as this process knows."""
    if settings.RETENTION is not None:
        return True
    return any(cls.definition.options.retention is not None for cls in registry.all())


class Rounds:
    """The rounds of one worker."""

    def __init__(self) -> None:
        self._after: dict[str, UUID] = {}
        self._again_at = time.monotonic() + WALK_AGAIN_SECONDS
        # With which workflow the next round begins, so that one that takes all the time there is
        # does not keep the others waiting.
        self._first = ""

    def run(self, worker_id: UUID | None, seconds: float) -> Pruned:
        """Deletes for about so long; ``is_more`` if that was too short. Nothing at all while
        another worker does."""
        until = time.monotonic() + seconds
        if time.monotonic() >= self._again_at:
            self._after.clear()
            self._again_at = time.monotonic() + WALK_AGAIN_SECONDS
        kept_for = _kept_for()
        later = [name for name in kept_for if name >= self._first]
        done = Pruned()
        for name in [*later, *(name for name in kept_for if name < self._first)]:
            self._first = name
            try:
                done = done.plus(self._prune(worker_id, name, kept_for[name], until))
            except SomebodyCleans:
                return done
            if done.is_more:
                return done
        self._first = ""
        return done

    def _prune(self, worker_id: UUID | None, name: str, seconds: float, until: float) -> Pruned:
        before = clock.now() - timedelta(seconds=seconds)
        walk = Walk(Chosen(name, before), self._after.get(name, UUID(int=0)))
        done = Pruned()
        while not walk.is_over:
            for roots in in_transactions(walk.next(BATCH)):
                done = done.plus(trees.delete(roots, walk.chosen.ended, worker_id, alone=True))
                if time.monotonic() > until:
                    # What is left of this window is found again from where it began.
                    return done._replace(is_more=True)
            self._after[name] = min(walk.after, first_at(before - LOOKED_AT_AGAIN))
            if time.monotonic() > until and not walk.is_over:
                return done._replace(is_more=True)
        return done


def _kept_for() -> Mapping[str, float]:
    """Of each workflow that has runs and is not kept for ever, for how many seconds it is."""
    elsewhere = _known_elsewhere()
    found = {name: retention_of(name, elsewhere) for name in names_of_runs()}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def _known_elsewhere() -> frozenset[str]:
    """The workflows that living workers say they have."""
    rows = Worker.objects.using(settings.DATABASE).filter(status=WorkerStatus.ALIVE)
    return names_told(rows.values_list("workflows", flat=True))


def prune_workers() -> int:
    """Deletes rows of workers that stopped, or died, a week ago and hold nothing; how many. What
    they did keeps their ids."""
    held = Execution.objects.using(settings.DATABASE).filter(worker_id=OuterRef("pk"))
    rows = Worker.objects.using(settings.DATABASE).filter(
        ~Exists(held),
        status__in=(WorkerStatus.STOPPED, WorkerStatus.DEAD),
        stopped_at__lt=clock.now() - WORKERS_KEPT,
    )
    ids = list(rows.order_by("id").values_list("id", flat=True)[:WORKERS_BATCH])
    if not ids:  # on SQLite a delete takes the write lock
        return 0
    gone = rows.filter(id__any=ids).order_by()
    return gone._raw_delete(settings.DATABASE)


def find_lost() -> int:
    """Workers of which there is no row, but that hold something, get one as dead; how many. What
    they hold is then taken back as from any dead one."""
    # race: claimed-after-a-week. A machine that slept for longer than its worker's row was kept may
    # claim before its next heartbeat tells it that it is dead.
    known = Worker.objects.using(settings.DATABASE).filter(pk=OuterRef("worker_id"))
    held = Execution.objects.using(settings.DATABASE).filter(~Exists(known), worker__isnull=False)
    ids = set(held.order_by().values_list("worker_id", flat=True).distinct()[:WORKERS_BATCH])
    if not ids:
        return 0
    now = clock.now()
    rows = [
        Worker(
            id=pk,
            hostname="?",
            pid=0,
            status=WorkerStatus.DEAD,
            started_at=now,
            heartbeat_at=now,
            stopped_at=now,
        )
        for pk in sorted(pk for pk in ids if pk is not None)
    ]
    Worker.objects.using(settings.DATABASE).bulk_create(rows, ignore_conflicts=True)
    return len(rows)
