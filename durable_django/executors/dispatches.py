"""Dispatches: what this process hands over, and how much room there is for it.

It acts in the transaction that makes something ready, when a run has left a process of the engine,
and when the sweeper looks. It may never stop anybody: what it cannot send is sent by others later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from django.db import connections, transaction

from ..conf import settings
from ..store import dispatching, wakeup
from ..store.dispatching import Hint
from ..store.gates import OPEN, Gate, Gates, held_in, not_paused
from .executor import Dispatcher

logger = logging.getLogger("durable_django.executors")

ALL = 2**31


class Room:
    """How many more hints a cluster may get, as far as this process knows: its processes are
    counted no more often than every ``POLL_SECONDS``, and what they were handed while there is
    room. What others hand over in transactions that go on is not seen."""

    def __init__(self, executor: Dispatcher, cluster: str) -> None:
        self._executor = executor
        self._cluster = cluster
        self._mutex = threading.Lock()
        self._most = 0
        self._left = 0
        self._read_at: float | None = None

    def take(self, wanted: int, *, anew: bool = False) -> int:
        """Up to ``wanted`` places; ``anew``: as the database says now."""
        with self._mutex:
            now = time.monotonic()
            if anew or self._read_at is None or now - self._read_at > settings.POLL_SECONDS:
                processes, _idle = dispatching.processes(self._executor.name, self._cluster)
                self._most = self._executor.room(processes)
                self._left = self._unused()
                self._read_at = now
            elif self._left > 0:
                self._left = min(self._left, self._unused())
            taken = max(min(wanted, self._left), 0)
            self._left -= taken
            return taken

    def give_back(self, places: int) -> None:
        """Those that were taken and not used."""
        with self._mutex:
            self._left += places

    def _unused(self) -> int:
        return self._most - dispatching.untaken(queues_of(self._executor, self._cluster))


def queues_of(executor: Dispatcher, cluster: str) -> list[str]:
    """The queues whose runs a cluster carries."""
    return [
        queue
        for queue in dict.fromkeys([*settings.QUEUES, "default"])
        if executor.cluster_of(queue) == cluster
    ]


class Dispatches:
    """Those of one executor."""

    def __init__(self, executor: Dispatcher) -> None:
        self.executor = executor
        self._rooms: dict[str, Room] = {}
        self._mutex = threading.Lock()
        self._gates = Gates(None)

    # -- in the transaction that makes something ready ---------------------------------------

    def announce(self, announced: Mapping[str, Sequence[UUID]]) -> None:
        """Hands over what became ready, inside its transaction; see ``store.wakeup``."""
        all_ids = [each for ids in announced.values() for each in ids]
        for queue, ids in announced.items():
            try:
                self._announce(queue, ids, all_ids)
            except Exception:
                logger.exception("queue %s: nothing is handed over now, but later", queue)

    def _announce(self, queue: str, ids: Sequence[UUID], all_ids: Sequence[UUID]) -> None:
        cluster = self._served_by(queue)
        if cluster is None:
            return
        # Whatever is refused here must not refuse the transaction around it.
        with transaction.atomic(using=settings.DATABASE):
            gates = self._known_gates()
            if not ids or gates.get(queue, OPEN) != OPEN:
                self._on_commit(partial(self.dispatch, [queue]))
                return
            room = self._room(cluster)
            places = room.take(len(ids))
            queues = [
                each for each in queues_of(self.executor, cluster) if gates.get(each, OPEN) == OPEN
            ]
            hints = None
            others = [each for each in queues if each != queue]
            if not (places and others and dispatching.is_any_left(others, besides=all_ids)):
                hints = dispatching.hand_over_these(queue, ids, places)
            room.give_back(places - len(hints or ()))
            if hints is None:
                # Others wait for a place longer, or more urgently: it goes by priority.
                self._on_commit(partial(self.dispatch, queues))
                return
            if hints and self.executor.is_transactional():
                self.executor.send(cluster, hints)
                return
        if hints:
            self._on_commit(partial(self._send, cluster, hints))

    def _on_commit(self, call: Callable[[], object]) -> None:
        transaction.on_commit(call, using=settings.DATABASE, robust=True)

    # -- outside -----------------------------------------------------------------------------

    def dispatch(self, queues: Sequence[str], worker_id: UUID | None = None) -> int:
        """Hands over what is ready of these queues while there is room, of the first one first;
        how many."""
        gates = self._known_gates()
        served: dict[str, dict[str, Gate]] = {}
        for queue in not_paused(queues, gates):
            cluster = self._served_by(queue)
            if cluster is not None:
                served.setdefault(cluster, {})[queue] = gates.get(queue, OPEN)
        return sum(
            self._fill(cluster, its, worker_id)
            for cluster, its in served.items()
            if dispatching.is_any_left(list(its))
        )

    def _fill(self, cluster: str, gates: Mapping[str, Gate], worker_id: UUID | None) -> int:
        room = self._room(cluster)
        places = room.take(ALL, anew=True)
        hints: list[Hint] = []
        try:
            for queue, gate in gates.items():
                if len(hints) < places:
                    wanted = min(places - len(hints), _allowed(queue, gate))
                    hints += dispatching.hand_over(queue, wanted, worker_id)
        finally:
            room.give_back(places - len(hints))
            self._send(cluster, hints)
        return len(hints)

    def send_again(self, cluster: str, hints: Sequence[Hint]) -> None:
        """Sends what seems to be lost. Who has been taken meanwhile gets a hint in vain."""
        dispatching.mark_again(hints)
        self._send(cluster, hints)

    def open_queues(self, queues: Sequence[str]) -> list[str]:
        """Those of the queues that are not paused."""
        return not_paused(queues, self._known_gates())

    def _send(self, cluster: str, hints: Sequence[Hint]) -> None:
        """Sends them; what cannot be sent is ready to be handed over again."""
        if not hints:
            return
        try:
            self.executor.send(cluster, hints)
        except Exception as error:
            logger.error(
                "cluster %s: %d runs could not be handed over: %r", cluster, len(hints), error
            )
            if not connections[settings.DATABASE].in_atomic_block:
                dispatching.withdraw(hints)

    def _known_gates(self) -> Mapping[str, Gate]:
        with self._mutex:
            return self._gates.anew()

    def _served_by(self, queue: str) -> str | None:
        """The cluster that carries its runs. None for a queue that is not in ``QUEUES``: nobody
        would claim them beside a hint, or miss one that is lost."""
        cluster = self.executor.cluster_of(queue)
        return cluster if queue in queues_of(self.executor, cluster) else None

    def _room(self, cluster: str) -> Room:
        room = self._rooms.get(cluster)
        if room is None:
            room = self._rooms[cluster] = Room(self.executor, cluster)
        return room


def _allowed(queue: str, gate: Gate) -> int:
    """How many more of its runs could be taken, whatever room there is for them: what cannot be
    taken would come back at once, and be handed over again."""
    if gate.limit is None:
        return ALL
    return gate.limit - held_in([queue]).get(queue, 0) - dispatching.untaken([queue])


def install(executor: Dispatcher) -> Dispatches:
    """From now on this process hands over what it makes ready."""
    dispatches = Dispatches(executor)
    wakeup.announce = dispatches.announce
    return dispatches
