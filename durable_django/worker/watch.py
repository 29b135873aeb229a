"""The watch: passes the baton on when a step holds the leader, and ends steps whose time is up.

Asleep while nothing runs.
"""

from __future__ import annotations

import logging
import threading
import time

from .attempt import Attempt
from .costs import STANDSTILL_SECONDS
from .holdings import attempts_running
from .pool import Pool
from .slots import Slot

logger = logging.getLogger("durable_django.worker")

# How often deadlines are looked at while only slow steps run.
TICK_SECONDS = 0.05
IDLE_TICKS = 40
# A thread still in the body of an attempt this long after its timeout is stuck.
STUCK_SECONDS = 5.0


class Watch:
    """One thread. ``stuck_out`` is called when too many threads are stuck to go on."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.too_many_stuck = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="durable-watch", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping = True
        self.pool.watch_wakes.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        idle = 0
        while not self._stopping:
            try:
                inline = self._pass_baton_on()
                running = self._end_overdue()
                inline = self.pool.interrupt_again() or inline
            except Exception:
                logger.exception("the watch failed and goes on")
                inline, running = False, True
            idle = 0 if inline or running else idle + 1
            if idle > IDLE_TICKS:
                self.pool.watch_wakes.clear()
                # Whoever begins a step sets it again; what began before the clear is seen here.
                if not attempts_running(self.pool):
                    self.pool.watch_wakes.wait()
                idle = 0
            time.sleep(TICK_SECONDS if running and not inline else STANDSTILL_SECONDS)

    def _pass_baton_on(self) -> bool:
        """Whether the leader runs a step now."""
        pool = self.pool
        slot = pool.leader
        attempt = slot.attempt if slot is not None else None
        if slot is None or attempt is None:
            return False
        if time.monotonic() - slot.since >= STANDSTILL_SECONDS:
            with pool.mutex:
                if pool.leader is slot and slot.attempt is attempt:
                    pool.costs.seems_slow(attempt.node)
                    pool.leader = None
                    pool.follower_wakes.notify()
        return True

    def _end_overdue(self) -> bool:
        """Ends attempts whose deadline has passed; whether any attempt runs."""
        pool = self.pool
        running = attempts_running(pool)
        now = time.monotonic()
        for attempt in running:
            if attempt.deadline is not None and now > attempt.deadline:
                pool.time_out(attempt)
        for slot in list(pool.slots):
            held = slot.attempt
            if held is None or held.deadline is None or slot.stuck:
                continue
            if now > held.deadline + STUCK_SECONDS:
                self._replace(slot, held)
        return bool(running)

    def _replace(self, slot: Slot, attempt: Attempt) -> None:
        """A thread that cannot be interrupted (it sleeps, or runs C code) is written off."""
        pool = self.pool
        with pool.mutex:
            if slot.attempt is not attempt:
                return
            slot.stuck = True
            pool.busy -= 1
        logger.error(
            "a thread is stuck in %s beyond its timeout; another takes its place",
            attempt.step_name,
        )
        if sum(1 for each in list(pool.slots) if each.stuck) > pool.threads:
            self.too_many_stuck = True
        else:
            pool.add_thread()
