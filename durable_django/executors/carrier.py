"""The carrier: drives a run in a process of another engine.

The engine calls :func:`carry` with a hint. The process takes the run by its lease number, drives it
until it parks or ends, or for so many seconds, and gives it back then. Beside it, it claims for a
moment what else is ready and nobody was told of: a turn at the broker costs more than a short run.
It heartbeats and fences as a worker does, for it has one inside, with one thread for steps.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing.util
import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..store import clock, dispatching, leases, tallies, wakeup
from ..store.dispatching import Hint
from ..store.gates import Gates
from ..store.records import Taking
from ..worker.capture import capturing
from ..worker.heartbeat import Heartbeat
from ..worker.holdings import forget_all
from ..worker.leader import Leader
from ..worker.pool import FENCE_SECONDS, Pool
from ..worker.presence import Presence
from ..worker.teller import Teller
from ..worker.upkeep import upkeep
from ..worker.watch import Watch
from .dispatches import Dispatches, queues_of
from .executor import Dispatcher, executor_of

logger = logging.getLogger("durable_django.executors")

# How long a run is driven before others get their turn.
SECONDS = 30.0
# How long others are claimed beside it.
BESIDE_SECONDS = 1.0
# How often it is looked whether the time is over, or too many threads are stuck.
TICK_SECONDS = 0.5
EXIT_STUCK = 75
# How often the database may refuse the run of a hint before it is left to the sweeper.
TRIES = 3


class Asked:
    """A hint that a process came with, and what came of it: whether there was a run to take, and
    its queue, "" if the hint was outdated."""

    def __init__(self, hint: Hint) -> None:
        self.hint = hint
        self.is_taken = False
        self.tries = 0
        self.queue = ""


class CarryingLeader(Leader):
    """Leads a pool that is told which run to take, and claims others of ``queues`` only beside it:
    what was handed over is left to the process that has the hint."""

    claims_handed_over = False
    # Other processes may be idle.
    patience_polls = 0.25

    def __init__(self, queues: Sequence[str]) -> None:
        super().__init__(queues, burst=False)
        self.parked = self._tell_keepers
        self._told_until: datetime | None = None
        self.gates = Gates(None)
        self.woken = False
        self._claims_until = 0.0
        self._mutex = threading.Lock()
        self._asked: list[Asked] = []
        # Nothing is asked for, in memory, or on its way to the database.
        self.idle = threading.Event()

    def ask(self, hint: Hint) -> Asked:
        """Lets the leader take the run of a hint, soon."""
        asked = Asked(hint)
        self.pool.hands_back, self._claims_until = False, 0.0
        with self._mutex:
            self._asked.append(asked)
            self.idle.clear()
        # race: asked-before-it-waits. One that is about to wait looks once more whether it may.
        self.woken = True
        self.pool.wake_leader()
        return asked

    def end(self) -> None:
        """The time is over: what has not begun is given back, what runs is after its step."""
        self.pool.hands_back = True
        self.pool.wake_leader()

    def _claim(self) -> bool:
        pool = self.pool
        with self._mutex:
            wanted, self._asked = self._asked, []
        self._take_all(wanted)
        if pool.hands_back:
            self._hand_back([*pool.fast, *pool.slow])
        did = bool(wanted)
        if self._claims_beside():
            did = super()._claim() or did
        with self._mutex:
            # race: given-while-idle. Whoever asks waits for what is told after that.
            if not (did or self._asked or pool.runs or pool.finished):
                # From here on nobody waits for what would be claimed.
                self._claims_until = 0.0
                self.idle.set()
        return did

    def _take_all(self, wanted: list[Asked]) -> None:
        for number, asked in enumerate(wanted):
            try:
                self._take_asked(asked)
            except DatabaseError:
                # The engine has given its hint away, and no other process has it: what an idle
                # connection lost overnight is tried on a new one.
                asked.tries += 1
                left = wanted[number + (asked.tries >= TRIES) :]
                with self._mutex:
                    self._asked = [*left, *self._asked]
                raise

    def _take_asked(self, asked: Asked) -> None:
        # Here, and not where it was asked for: what is held and in no memory is given back.
        gates = self.gates.latest()
        claimed, asked.queue = dispatching.take(self.pool.worker_id, asked.hint, gates)
        if claimed is not None:
            asked.is_taken = True
            self._claims_until = time.monotonic() + BESIDE_SECONDS
            self.woken = True
            self._take(claimed)

    def _claims_beside(self) -> bool:
        return not self.pool.hands_back and time.monotonic() < self._claims_until

    def _tell_keepers(self, wake_at: datetime) -> None:
        """Something was parked until ``wake_at``: whoever keeps time learns of what is due before
        it would look. Of many, only what is due before the others: it looks again then."""
        now = clock.now()
        is_soon = wake_at - now < timedelta(seconds=settings.POLL_SECONDS)
        told = self._told_until
        if is_soon and (told is None or not now < told <= wake_at):
            self._told_until = wake_at
            wakeup.notify_waits()

    def _room_in_memory(self) -> int:
        # Nothing waits here behind a step that takes long, or of which that is not known.
        pool, average = self.pool, self.pool.costs.step_seconds
        if average is not None and average < FENCE_SECONDS / 2:
            return super()._room_in_memory()
        return pool.threads + len(pool.loop.running) - len(pool.runs)

    def _room(self) -> int:
        return max(super()._room() if self._claims_beside() else 0, len(self._asked))

    def _taking(self, limit: int) -> Taking | None:
        return None if self.pool.hands_back else super()._taking(limit)

    def _pause_seconds(self) -> float:
        return settings.POLL_SECONDS / 4 if self.pool.runs else settings.POLL_SECONDS


class Carrier:
    """What drives runs in this process, one after another, whoever brings them."""

    def __init__(self, executor: Dispatcher, cluster: str) -> None:
        self.pid = os.getpid()
        self.dispatches = Dispatches(executor)
        self.queues = queues_of(executor, cluster)
        self.presence = Presence(self.queues, 1, executor.name, cluster)
        self.leader = CarryingLeader(self.queues)
        self.pool = Pool(1, self.leader.lead)
        self.leader.pool = self.pool
        self.heartbeat = Heartbeat(self.presence.register, self._dropped)
        self.upkeep = upkeep(self.pool)
        self.watch = Watch(self.pool)
        self.teller = Teller()
        self.leader.tell = self.teller.tell
        self.pool.may_start = self.heartbeat.holds
        self._turn = threading.Lock()
        self._is_stopped = False

    @property
    def worker_id(self) -> UUID:
        """The row of this process among the workers."""
        return self.pool.worker_id

    def start(self) -> None:
        """Registers the process and starts its threads."""
        self.pool.worker_id = self.presence.register()
        tallies.worker_begins()
        self.presence.prepare()
        self.heartbeat.start(self.pool.worker_id)
        for part in (self.watch, self.upkeep, self.pool):
            part.start()
        logger.info("process %d carries runs as worker %s", self.pid, self.pool.worker_id)

    def carry(self, hint: Hint, seconds: float) -> bool:
        """Drives the run of a hint; whether there was one to drive."""
        with self._turn:
            self._end_if_stuck()
            asked = self.leader.ask(hint)
            self._wait(seconds)
        if asked.queue:
            self._hand_over()
        return asked.is_taken

    def _hand_over(self) -> None:
        """There is room for one more now."""
        try:
            self.dispatches.dispatch(self.queues, self.worker_id)
        except DatabaseError as error:
            # On a connection of the engine's thread, unused for as long as a step may take.
            logger.warning("what is ready is handed over later: %s", error)
            connections[settings.DATABASE].close()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.leader.idle.wait(TICK_SECONDS):
            if time.monotonic() > until and not self.pool.hands_back:
                self.leader.end()
            self._end_if_stuck()

    def _end_if_stuck(self) -> None:
        """Nothing can interrupt its threads. The engine replaces the process, and the sweeper takes
        back what it held."""
        if self.watch.too_many_stuck:
            logger.critical("process %d ends: its threads are stuck in steps", self.pid)
            os._exit(EXIT_STUCK)

    def stop(self) -> None:
        """Ends the threads and the row; the engine ends this process."""
        if self._is_stopped or self.pid != os.getpid():
            return
        self._is_stopped = True
        self.pool.stop()
        for slot in list(self.pool.slots):
            if slot.thread is not None and not slot.stuck:
                slot.thread.join(timeout=5)
        for part in (self.upkeep, self.watch, self.teller, self.heartbeat, self.pool.loop):
            part.stop()
        tallies.worker_ends()
        leases.stop(self.worker_id)
        connections.close_all()

    def _dropped(self, worker_id: UUID) -> None:
        forget_all(self.pool, worker_id)
        self.pool.wake_leader()


_mutex = threading.Lock()
_carrier: Carrier | None = None


def carrier_of(executor: Dispatcher, cluster: str) -> Carrier:
    """The carrier of this process, started when it is first asked for."""
    global _carrier
    with _mutex:
        # A fork has the object of its parent, and none of its threads.
        if _carrier is None or _carrier.pid != os.getpid():
            carrier = Carrier(executor, cluster)
            carrier.start()
            # Processes of multiprocessing end without atexit.
            multiprocessing.util.Finalize(None, carrier.stop, exitpriority=10)
            atexit.register(carrier.stop)
            _carrier = carrier
        return _carrier


def carry(
    execution_id: str,
    lease: int,
    *,
    executor: str | None = None,
    cluster: str = "",
    seconds: float = SECONDS,
) -> bool:
    """Drives an execution in this process until it parks or ends, or for about ``seconds``; and
    what else is claimed beside it, for a moment.

    For the tasks of an engine that a :class:`~durable_django.executors.executor.Dispatcher` hands
    hints to, which gives the name of the setting and the cluster this process belongs to. Returns
    whether there was something to drive: a hint that is late, or comes twice, is not. Never raises;
    what goes wrong is logged, and the run is found again by ``durable_worker``.
    """
    try:
        found = executor_of(executor or settings.EXECUTOR)
        if not isinstance(found, Dispatcher):
            raise TypeError(f"{found.name} is no executor that hands runs to others")
        if connections[settings.DATABASE].in_atomic_block:
            raise RuntimeError("runs cannot be driven inside a transaction")
        carrier = carrier_of(found, cluster or found.default_cluster)
        with capturing():
            return carrier.carry(Hint(UUID(execution_id), lease), seconds)
    except Exception:
        logger.exception("execution %s could not be driven here", execution_id)
        return False
