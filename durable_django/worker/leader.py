"""What the thread that holds the baton does: commit, claim, run a wave, and again.

All of it happens in one thread at a time, so none of it needs a lock of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..exceptions import WorkflowNotFound
from ..models import FINAL
from ..store.checkpoint import fence
from ..store.claiming import Claimed, claim, is_ready, postpone, release, with_what_they_need
from ..store.gates import Gates, not_paused
from ..store.leases import held_by
from ..store.records import LOCKED, LOST, PARKED, WRITTEN, Taking
from . import notices
from .committer import Committer
from .conclusion import Conclusion
from .costs import SLOW_SECONDS
from .ending import end_of_unreadable
from .hygiene import close_old_connections
from .pool import FENCE_SECONDS, Pool
from .run import UNKNOWN_WORKFLOW_SECONDS, Run, definition_of
from .slots import Slot

logger = logging.getLogger("durable_django.worker")

WAVE = 64
WAVE_SECONDS = 0.01
ASYNC_PER_THREAD = 32


class Leader:
    """Serves ``queues`` for the pool. ``burst``: stop when nothing is ready any more."""

    # Whether it also claims what was handed to another engine.
    claims_handed_over = True
    # For how many polls a run waits here for a free thread, until it is handed back.
    patience_polls = 1.0

    def __init__(self, queues: Sequence[str], burst: bool) -> None:
        self.pool: Pool
        self.queues = queues
        self.gates = Gates(queues)
        self.burst = burst
        self.woken = True  # something may be ready: set by listener and timers
        self.next_poll = 0.0
        self.parked: Callable[[datetime], None] = lambda wake_at: None
        self.look: Callable[[], bool] = lambda: False
        self.tell: Callable[[Callable[[], None]], None] = lambda call: call()
        self.committer = Committer(lambda: self.pool.may_start())
        self._missing: set[tuple[str, int]] = set()
        self._waves = 0
        self._pause = 0.0
        self._next_look = 0.0
        self._next_release = 0.0
        # What was handed back because all threads are held is for others to take until then.
        self._crowded_until = 0.0

    def lead(self, slot: Slot) -> None:
        """Leads until the baton is taken or nothing is left to do in a stopping pool."""
        pool = self.pool
        while pool.leader is slot:
            try:
                close_old_connections()
                self._look_after()
                did = self._commit()
                did = self._claim() or did
                if not self._wave(slot):
                    return
                if pool.stopping:
                    self._hand_back(list(pool.fast) + list(pool.slow))
                    if not pool.runs and not pool.finished:
                        self._retire(slot)
                        return
                if not did:
                    self._wait()
                self._pause = 0.0
            except DatabaseError:
                logger.exception("the database refused; trying again")
                pool.unsure = True
                connections[settings.DATABASE].close()
                self._pause = min(self._pause * 2 or 0.05, 2.0)
                time.sleep(self._pause)

    def _retire(self, slot: Slot) -> None:
        with self.pool.mutex:
            self.pool.leader = None
            self.pool.follower_wakes.notify_all()

    def _wait(self) -> None:
        pool = self.pool
        if self.burst and not (pool.runs or pool.unsure or self._is_anything_left()):
            pool.stop()
            return
        with pool.mutex:
            if pool.finished or (pool.fast and pool.busy < pool.threads):
                return
            if self.woken and not pool.stopping and self._room() > 0:
                return
            pool.leader_waits = True
            pool.leader_wakes.wait(self._pause_seconds())
            pool.leader_waits = False

    def _is_anything_left(self) -> bool:
        """Whether a burst has more to do: also what is due, or held by a dead worker."""
        # race: fired-beside-a-burst. What others fire at this moment is about to be ready.
        return self.look() or is_ready(not_paused(self.queues, self.gates.latest()))

    def _pause_seconds(self) -> float:
        """Until the next poll, or a look at what waits for a free thread."""
        until_poll = self.next_poll - time.monotonic()
        if until_poll <= 0 or self.pool.slow or self.pool.fast:
            return settings.POLL_SECONDS / 4
        return until_poll

    # -- claim -------------------------------------------------------------------------------

    def _room(self) -> int:
        """How many more runs this process would start soon."""
        pool = self.pool
        # Whether the next step of what is claimed will run on the loop is not known before.
        on_loop = ASYNC_PER_THREAD * pool.threads - len(pool.loop.running)
        room = min(self._room_in_memory(), on_loop) if pool.may_start() else 0
        # In batches: half of what is held has to be gone before more is fetched.
        return 0 if self.pool.fast and room < WAVE // 2 else room

    def _room_in_memory(self) -> int:
        pool = self.pool
        held = len(pool.runs) - len(pool.loop.running)
        if time.monotonic() < self._crowded_until:
            return pool.threads - held
        average = pool.costs.step_seconds
        if average is None:
            return 2 * pool.threads - held
        if average < 0.001:
            return WAVE - held
        # Enough that a thread finds the next step while the last one is being committed.
        if average < FENCE_SECONDS / 2:
            return 3 * pool.threads - held
        return (2 if average < settings.POLL_SECONDS / 2 else 1) * pool.threads - held

    def _claim(self) -> bool:
        pool = self.pool
        now = time.monotonic()
        polling = now >= self.next_poll
        if pool.stopping or not (self.woken or polling):
            return False
        room = self._room()
        if room <= 0:
            return False
        self.next_poll = now + settings.POLL_SECONDS
        if polling and not self.woken and not is_ready(self.queues):
            return False
        # race: clear-then-fetch. A wake-up that comes during the fetch must not be cleared by it.
        self.woken = False
        calm, gates, told = pool.suspect is None, self.gates.latest(), self.claims_handed_over
        found = claim(
            pool.worker_id, self.queues, room, suspects=calm, gates=gates, handed_over=told
        )
        if len(found) == room:
            self.woken = True
        for claimed in found:
            self._take(claimed)
        return bool(found)

    def _take(self, claimed: Claimed) -> None:
        try:
            definition = definition_of(claimed)
        except WorkflowNotFound as error:
            self._put_back(claimed, error)
            return
        run = None
        try:
            run = Run(claimed, definition)
            self.pool.enqueue(run)
        except Exception as error:
            if run is not None:
                self.pool.drop(run)
            if isinstance(error, DatabaseError):
                logger.exception("execution %s: what it needs cannot be read now", claimed.id)
                self.pool.unsure = True
            else:
                self._end_unreadable(claimed, error)

    def _put_back(self, claimed: Claimed, error: WorkflowNotFound) -> None:
        """A workflow this process does not have may be known to a newer or older one."""
        key = (claimed.workflow_name, claimed.version)
        if key not in self._missing:
            self._missing.add(key)
            logger.error(
                "%s (version %s): its executions are put back and looked at every %g seconds: %s",
                *key,
                UNKNOWN_WORKFLOW_SECONDS,
                error,
            )
        postpone(self.pool.worker_id, claimed.id, claimed.lease, UNKNOWN_WORKFLOW_SECONDS)

    def _end_unreadable(self, claimed: Claimed, error: Exception) -> None:
        end = end_of_unreadable(claimed, error)
        if self.committer.write(self.pool.worker_id, [end]) == [WRITTEN]:
            text = "execution %s: what is stored of it cannot be read"
            logger.error(text, claimed.id, exc_info=error)
        else:  # what has ended since its claim need not be readable
            self.pool.unsure = True

    # -- run ---------------------------------------------------------------------------------

    def _wave(self, slot: Slot) -> bool:
        """One step of each of up to WAVE runs; False if the baton was taken meanwhile."""
        pool = self.pool
        if not pool.fast or pool.stopping:
            return True
        self._fence_again()
        if pool.take_place():
            try:
                self._run_wave(slot)
            finally:
                pool.leave_place(slot)
        return pool.leader is slot

    def _run_wave(self, slot: Slot) -> None:
        pool = self.pool
        until = time.monotonic() + WAVE_SECONDS
        for _ in range(WAVE):
            if not pool.fast:
                return
            run = pool.fast.popleft()
            if pool.costs.is_slow(run.visit.node):
                pool.serve_apart(run)
                continue
            attempt = pool.begin(run)
            if attempt is not None and not pool.run_inline(slot, attempt):
                return
            if time.monotonic() > until:
                return

    def _fence_again(self) -> None:
        """Cancel, pause and takeover of what waited in memory are seen before it starts."""
        pool = self.pool
        oldest = time.monotonic() - FENCE_SECONDS
        waited = [run for run in pool.fast if run.fenced_at < oldest]
        if not waited:
            return
        held = fence({run.id: run.lease for run in waited})
        now = time.monotonic()
        for run in waited:
            if run.id in held:
                run.fenced_at = now
            else:
                pool.fast.remove(run)
                pool.drop(run)
                pool.unsure = True  # what is to be paused is still held

    # -- commit ------------------------------------------------------------------------------

    def _commit(self) -> bool:
        """Writes what has finished, in one transaction; True if there was something."""
        pool = self.pool
        if not pool.finished:
            return False
        wave: list[Conclusion] = []
        while pool.finished and len(wave) < 2 * WAVE:
            conclusion = pool.finished.popleft()
            if conclusion.verdict:
                self._settle(conclusion, conclusion.verdict)
            elif not conclusion.is_outdated:
                wave.append(conclusion)
        if not wave:
            return True
        taking = self._taking(len(wave))
        try:
            verdicts = self.committer.commit(pool.worker_id, wave, taking)
        except BaseException:
            for conclusion in wave:
                pool.drop(conclusion.run)
            pool.unsure = True
            raise
        locked = 0
        for conclusion, verdict in verdicts:
            if verdict == LOCKED:
                locked += 1
                pool.finished.append(conclusion)
            else:
                self._settle(conclusion, verdict)
        if locked == len(wave):
            time.sleep(0.002)  # all of them are locked by somebody at this moment
        if self.committer.lost_answer:
            # race: lost-take. What that commit claimed is not known here.
            self.committer.lost_answer, pool.unsure = False, True
        if taking is not None and taking.rows:
            taken = [Claimed(*row) for row in taking.rows]
            for claimed in with_what_they_need(taken):
                self._take(claimed)
        return True

    def _taking(self, limit: int) -> Taking | None:
        """Short steps go on here with the next items of a foreach. Every eighth time these are left
        to whoever claims them, so that other workers get their share."""
        average = self.pool.costs.step_seconds
        if self.pool.stopping or average is None or average > SLOW_SECONDS:
            return None
        self._waves += 1
        if not self._waves % 8:
            return None
        return Taking(self.pool.worker_id, limit, self.gates.recent())

    def _settle(self, conclusion: Conclusion, verdict: str) -> None:
        """What the verdict on its checkpoint means for a run. A fault here is told, and stops none
        of the others of its wave: what is recorded is looked up and handed back."""
        try:
            self._go_by(conclusion, verdict)
        except Exception:
            logger.exception("a node of %s is recorded, but not gone on from", conclusion.run.id)
            self.pool.drop(conclusion.run)
            self.pool.unsure = True

    def _go_by(self, conclusion: Conclusion, verdict: str) -> None:
        pool, run = self.pool, conclusion.run
        if verdict == LOST:
            pool.drop(run)
            if conclusion.transition is None and conclusion.attempt is not None:
                pool.abandon(conclusion.attempt)
            return
        if conclusion.transition is None and conclusion.checkpoint.move is None:
            return  # a note that the attempt still runs
        notices.step_finished(conclusion)
        move = conclusion.checkpoint.move
        if move is None and verdict != PARKED:
            self._go_on(run, conclusion)
            return
        pool.drop(run)
        if conclusion.makes_ready or self.gates.is_limited(run.claimed.queue):
            self.woken = True  # there is more to claim, or a place for it
        if move is not None and move.status in FINAL:
            notices.execution_finished(run, move.status)
            notices.count_ended(run, move.status)
        elif move is not None and move.wake_at is not None:
            self.parked(move.wake_at)
        if conclusion.asks_somebody:
            self.tell(partial(notices.input_requested, conclusion))

    def _go_on(self, run: Run, conclusion: Conclusion) -> None:
        attempt, transition = conclusion.attempt, conclusion.transition
        assert attempt is not None
        assert transition is not None
        run.go_on(attempt.visit, transition.state, conclusion.checkpoint)
        self.pool.clear(run)
        self.pool.enqueue(run)

    # -- hand back ---------------------------------------------------------------------------

    def _look_after(self) -> None:
        """Gives back what has waited longer than ``POLL_SECONDS`` for a free thread, and what the
        database says is held here though it is not in memory."""
        pool = self.pool
        now = time.monotonic()
        if (pool.slow or pool.fast) and now >= self._next_look:
            self._next_look = now + self.patience_polls * settings.POLL_SECONDS / 4
            oldest = now - self.patience_polls * settings.POLL_SECONDS
            waiting = [*list(pool.slow), *pool.fast]
            late = [run for run in waiting if run.queued_at < oldest]
            if late:
                self._crowded_until = now + settings.POLL_SECONDS
                self._hand_back(late)
        if pool.unsure and now >= self._next_release and pool.may_start():
            # race: lost-claim. The answer to a claim's commit, or the run in memory, was lost.
            pool.unsure = False
            held = held_by(pool.worker_id)
            self._release({pk: n for pk, n in held.items() if pk not in pool.runs})

    def _hand_back(self, runs: Sequence[Run]) -> None:
        pool = self.pool
        leases: dict[UUID, int] = {}
        for run in runs:
            waiting = pool.slow if run in pool.slow else pool.fast
            with pool.mutex:
                if run not in waiting:
                    continue  # a follower took it at this moment
                waiting.remove(run)
            leases[run.id] = run.lease
            pool.drop(run)
        self._release(leases)

    def _release(self, leases: dict[UUID, int]) -> None:
        # race: locked-at-hand-back. Somebody's transaction has the lock of one, to pause it, say,
        # and may stay open for long: what was passed over is looked for again.
        if release(self.pool.worker_id, leases) < len(leases):
            self.pool.unsure = True
            self._next_release = time.monotonic() + settings.POLL_SECONDS / 4
