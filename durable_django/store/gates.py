"""Gates: what holds a queue back from being claimed: it is paused, or full.

Claims ask here, and only read. A queue without a gate costs nothing but a look once a
``POLL_SECONDS``; one that is limited is claimed from under the lock of its row, so that no two
processes together hold more than its limit.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import Q

from ..conf import settings
from ..models import Execution, Queue
from .transactions import has_row_locks


class Gate(NamedTuple):
    """What an operator decided about a queue. ``limit`` is how many of its executions workers may
    hold at once, over all processes; None: any number."""

    is_paused: bool = False
    limit: int | None = None


OPEN = Gate()
NO_GATES: Mapping[str, Gate] = MappingProxyType({})


def read_gates() -> dict[str, Gate]:
    """The gates of all queues that have one: one small statement."""
    rows = Queue.objects.using(settings.DATABASE).filter(
        Q(paused_at__isnull=False) | Q(concurrency_limit__isnull=False)
    )
    found = rows.values_list("name", "paused_at", "concurrency_limit")
    return {name: Gate(paused_at is not None, limit) for name, paused_at, limit in found}


class Gates:
    """The gates of the queues that a process serves (None: of all); ``known`` are those it saw
    last. Used by one thread at a time."""

    def __init__(self, queues: Sequence[str] | None) -> None:
        self._queues = None if queues is None else frozenset(queues)
        self.known: Mapping[str, Gate] = NO_GATES
        self._read_at: float | None = None

    def recent(self) -> Mapping[str, Gate]:
        """No older than ``POLL_SECONDS``."""
        if self._is_old():
            self._read()
        return self.known

    def latest(self) -> Mapping[str, Gate]:
        """For a claim: read anew while a queue is paused, since one that is opened again has told
        its workers to look at once. What is limited is read with the claim itself."""
        known = self.recent()
        if any(gate.is_paused for gate in known.values()):
            self._read()
        return self.known

    def anew(self) -> Mapping[str, Gate]:
        """For who decides by a limit without a claim: read anew while there is any gate."""
        if self.known or self._is_old():
            self._read()
        return self.known

    def is_limited(self, queue: str) -> bool:
        """Whether an end makes room for another run of the queue, as far as is known here."""
        return self.known.get(queue, OPEN).limit is not None

    def _is_old(self) -> bool:
        return self._read_at is None or time.monotonic() - self._read_at >= settings.POLL_SECONDS

    def _read(self) -> None:
        self._read_at = time.monotonic()
        gates = read_gates()
        served = gates if self._queues is None else self._queues
        self.known = {name: gate for name, gate in gates.items() if name in served}


def not_paused(queues: Sequence[str], gates: Mapping[str, Gate]) -> list[str]:
    """Those of the queues that may be claimed from at all, in their order."""
    return [queue for queue in queues if not gates.get(queue, OPEN).is_paused]


def free_places(queue: str) -> int | None:
    """How many more executions of a limited queue may be held: its row is locked until the
    transaction ends. None if somebody else has the lock at this moment."""
    # race: limit-under-lock. The count is a statement of its own, after the lock: it sees what the
    # claim before it has committed. Whoever cannot have the lock does not wait for it, since an
    # operator's transaction that changes the queue may stay open for long.
    rows = Queue.objects.using(settings.DATABASE).filter(name=queue)
    if has_row_locks():
        rows = rows.select_for_update(no_key=True, skip_locked=True)
    row = rows.first()
    if row is None:
        return None
    if row.is_paused:
        return 0
    if row.concurrency_limit is None:
        return UNLIMITED
    return max(row.concurrency_limit - held_in([queue]).get(queue, 0), 0)


UNLIMITED = 2**31 - 1


def held_in(queues: Collection[str]) -> dict[str, int]:
    """How many executions of each of the queues workers hold now; those without any are left out.
    Reads what is held, which is never much."""
    from django.db.models import Count

    rows = Execution.objects.using(settings.DATABASE).filter(
        worker__isnull=False, queue__in=list(queues)
    )
    counted = rows.order_by().values_list("queue").annotate(Count("id"))
    return dict(counted)
