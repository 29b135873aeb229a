"""The keeper: wakes what is due, ends what ran out of time, takes back runs of dead workers, and
notes what runs for long. Every worker has one; the database settles who does what.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..store import (
    clock,
    delivering,
    firing,
    leases,
    spreading,
    tallies,
    ticks,
    timetable,
    waking,
)
from ..store.transactions import is_away
from .cleaner import Cleaner
from .hygiene import close_all, close_old_connections
from .pool import Pool
from .presence import pid_space
from .upkeep import LookAgain, note_long_running

logger = logging.getLogger("durable_django.worker")


LOCKED_SECONDS = 0.05
# Inboxes are locked for the length of a wave.
DELIVERY_SECONDS = 0.005
LOOK_SHARE = 0.85
# How often events that were kept long enough are looked for.
EXPIRE_SECONDS = 60.0
# How long events are delivered before the keeper looks what is due.
DELIVERING_SECONDS = 0.1
# How long schedules are fired before it looks again what was sent and what is due.
FIRING_SECONDS = 0.1


class Keeper:
    """One thread. ``ready`` is called when it made something ready; ``pool`` is what runs steps in
    this process, None where nothing does."""

    def __init__(self, ready: Callable[[], None], pool: Pool | None) -> None:
        self.worker_id: UUID
        self._pool = pool
        self._again = LookAgain(pool) if pool is not None else None
        self._ready = ready
        self._pid_space = pid_space()
        self._cleaner = Cleaner()
        self._pruned = 0
        self._wake = threading.Event()
        self._round = threading.Lock()
        self._stopping = False
        self._known_due: datetime | None = None
        self._next_round = self._next_expiry = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="durable-keeper", daemon=True)

    def start(self, worker_id: UUID) -> None:
        """Starts the thread, which acts for ``worker_id``."""
        self.worker_id = worker_id
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)
        self._cleaner.stop()

    def parked(self, wake_at: datetime) -> None:
        """Something was parked until ``wake_at``: look then, not a poll later."""
        if self._known_due is None or wake_at < self._known_due:
            self._known_due = wake_at
            self._wake.set()

    def sent(self) -> None:
        """Something may have been sent that parked runs wait for: look now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            pause = settings.POLL_SECONDS
            try:
                close_old_connections()
                with self._round:
                    pause = self._look()
            except DatabaseError as error:
                if is_away(error):
                    logger.warning("the keeper waits, the database is away: %s", error)
                else:
                    logger.exception("the database refused the keeper; it tries again")
                connections[settings.DATABASE].close()
            except Exception:
                logger.exception("the keeper failed and goes on")
            self._wake.wait(pause)
            self._wake.clear()
        close_all()

    def look(self) -> bool:
        """Delivers, wakes what is due, fires schedules and takes back what dead workers hold, in
        the calling thread; whether a schedule is due all the same, which others fire now."""
        # race: delivered-beside-a-burst. What this keeper's thread has locked is passed over here,
        # and made ready a moment later: nothing of it is under way when this begins.
        with self._round:
            delivering.deliver_all(self.worker_id)
            waking.wake_due(self.worker_id)
            while firing.fire_due(self.worker_id):
                pass
            firing.fire_queued(self.worker_id)
            self._take_over()
            return bool(timetable.due())

    def _look(self) -> float:
        """One round; seconds until the next."""
        pause = 0.001
        outlook = waking.outlook()
        if outlook.is_sent:
            self._deliver()
            outlook = waking.outlook()
        due, self._known_due = outlook.due_at, outlook.next_at
        if due is not None and due <= clock.now():
            if waking.wake_due(self.worker_id):
                self._ready()
            else:
                pause = LOCKED_SECONDS  # somebody holds the lock of what is due
            outlook = waking.outlook()  # a child whose time was up has something to tell
            self._known_due = outlook.next_at
        if outlook.fires(clock.now()):
            if not self._fire(outlook):
                pause = LOCKED_SECONDS  # others fire it at this moment
            outlook = waking.outlook()
            self._known_due = outlook.next_at
        if time.monotonic() >= self._next_round:
            self._next_round = time.monotonic() + settings.HEARTBEAT_SECONDS
            self._take_over()
            if self._pool is not None and self._again is not None:
                note_long_running(self._pool)
                self._again.look()
            # Here, not in the thread of the heartbeat: what waits for a lock there ends the lease.
            tallies.flush()
        if time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + EXPIRE_SECONDS
            spreading.expire(self.worker_id)
            tallies.prune()
            self._pruned = ticks.prune(self._pruned)
        self._cleaner.look(self.worker_id)
        if outlook.is_sent:  # locked at this moment, or sent since
            return DELIVERY_SECONDS
        # What nobody here was told of, a timeout of another queue, is found by looking: soon enough
        # that it ends within a poll interval of its time.
        longest = settings.POLL_SECONDS * LOOK_SHARE
        if self._known_due is None:
            return longest
        wait = (self._known_due - clock.now()).total_seconds()
        return min(max(wait, pause), longest)

    def _deliver(self) -> None:
        """Delivers what was sent, but for what is locked at this moment."""
        if delivering.deliver_all(self.worker_id, DELIVERING_SECONDS).woken:
            self._ready()

    def _fire(self, outlook: waking.Outlook) -> bool:
        """Starts what schedules are due to start; whether there was something."""
        worker_id = self.worker_id
        did = outlook.is_free and firing.fire_queued(worker_id)
        if firing.fire_due(worker_id, FIRING_SECONDS) or did:
            self._ready()
            return True
        return False

    def _take_over(self) -> None:
        """Declares workers dead that are overdue, or whose process on this machine is gone."""
        worker_id = self.worker_id
        for other in leases.overdue():
            if other != worker_id and leases.declare_dead(other):
                logger.warning("worker %s is overdue: declared dead", other)
        for other, pid in leases.alive_beside(worker_id, self._pid_space):
            if not _exists(pid) and leases.declare_dead(other, overdue_only=False):
                logger.warning("worker %s (process %d) is gone: declared dead", other, pid)
        taken = leases.take_back(worker_id)
        if taken:
            logger.warning("took back %d executions of dead workers", taken)
            self._ready()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
