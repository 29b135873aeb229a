"""The service: one worker process, from its first heartbeat to its last.

Puts pool, leader, watch, heartbeat, keeper and listener together and takes them apart again.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Sequence
from uuid import UUID

from django.db import connections

from ..store import leases, tallies
from .capture import capturing
from .heartbeat import Heartbeat
from .holdings import forget_all
from .keeper import Keeper
from .leader import Leader
from .listener import Listener
from .pool import Pool
from .presence import Presence
from .supervisor import is_orphan
from .teller import Teller
from .watch import Watch

logger = logging.getLogger("durable_django.worker")


class WorkerService:
    """Runs until ``stop()``, or with ``burst`` until nothing is ready.

    ``queues`` in the order in which they are served; ``threads`` that run steps.
    """

    def __init__(self, queues: Sequence[str], threads: int, burst: bool = False) -> None:
        self.queues = list(queues)
        self.threads = threads
        self.leader = Leader(self.queues, burst)
        self.pool = Pool(threads, self.leader.lead)
        self.leader.pool = self.pool
        self.presence = Presence(self.queues, threads, "threads")
        self.heartbeat = Heartbeat(self.presence.register, self._dropped)
        self.keeper = Keeper(self._ready, self.pool)
        self.listener = Listener(self.queues, self._ready, self.keeper.sent)
        self.watch = Watch(self.pool)
        self.leader.parked = self.keeper.parked
        self.leader.look = self.keeper.look
        self.teller = Teller()
        self.leader.tell = self.teller.tell
        self.pool.may_start = self.heartbeat.holds
        # A queue, because an Event deadlocks when a signal handler sets it while this waits.
        self._stop: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> bool:
        """Serves until the end; False if it ended because too many threads were stuck."""
        with capturing():
            return self._serve()

    def _serve(self) -> bool:
        self.pool.worker_id = self.presence.register()
        tallies.worker_begins()
        self.presence.prepare()
        connections.close_all()
        logger.info(
            "worker %s serves %s with %d threads",
            self.pool.worker_id,
            ", ".join(self.queues),
            self.threads,
        )
        self.heartbeat.start(self.pool.worker_id)
        self.keeper.start(self.pool.worker_id)
        for part in (self.watch, self.listener, self.pool):
            part.start()
        self._wait()
        self._end()
        return not self.watch.too_many_stuck

    def stop(self) -> None:
        """Drain: running steps end, the rest is handed back. Safe in a signal handler."""
        self._stop.put(None)

    def _wait(self) -> None:
        while not (self.pool.stopping or self.watch.too_many_stuck or is_orphan()):
            try:
                self._stop.get(timeout=0.1 if self.leader.burst else 0.5)
                break
            except queue.Empty:
                continue
        self.pool.stop()
        for slot in list(self.pool.slots):
            while slot.thread is not None and slot.thread.is_alive() and not slot.stuck:
                slot.thread.join(timeout=0.5)

    def _end(self) -> None:
        beside = (self.listener, self.keeper, self.watch, self.teller)
        for part in (*beside, self.heartbeat, self.pool.loop):
            part.stop()
        tallies.worker_ends()
        leases.stop(self.pool.worker_id)
        connections.close_all()
        logger.info("worker %s has stopped", self.pool.worker_id)

    def _dropped(self, worker_id: UUID) -> None:
        self.keeper.worker_id = worker_id
        forget_all(self.pool, worker_id)
        self._ready()

    def _ready(self) -> None:
        self.leader.woken = True
        self.pool.wake_leader()
