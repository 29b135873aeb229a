"""The pool: leader and followers.

One thread at a time holds the baton, the leader. It runs short steps in waves, one step of each of
many runs, commits their outcomes as one transaction, claims more, and begins again. What is known
to be slow goes to the followers. When a step holds the leader longer than ``STANDSTILL_SECONDS``,
the watch passes the baton on, and committing goes on: nobody has to guess which steps are slow.
Under load waves grow by themselves; when idle, a checkpoint is written at once.

After Schmidt et al., "Leader/Followers" (POSA2, 2000); the group commit is DeWitt et al. 1984.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

from ..exceptions import AttemptAbandoned, DefinitionChanged, DurableError
from ..store.checkpoint import fence
from ..store.records import WRITTEN
from .apart import commit_start, run_atomic, verdict_of_recovery
from .attempt import Attempt, refused, run_body, timed_out
from .committer import Committer
from .compensating import attempt_at
from .conclusion import Conclusion, conclude
from .costs import SLOW_SECONDS, Costs
from .ending import conclude_without_attempt
from .hygiene import close_all, close_old_connections, left_dirty
from .loop import AsyncLoop
from .run import Run
from .slots import Slot
from .undoing import NoVisit

logger = logging.getLogger("durable_django.worker")

# A run that waited in memory longer than this is fenced again before its step starts.
FENCE_SECONDS = 0.05
# A fork of more members than this is not written in a wave; it takes about 20 µs a member.
WAVE_MEMBERS_MAX = 1_000

LEAD = object()


class Pool:
    """Runs steps on ``threads`` threads, with one more that leads: ``lead`` is called by the thread
    that holds the baton and returns when it has lost it or the pool stops; see ``leader.py``."""

    def __init__(self, threads: int, lead: Callable[[Slot], None]) -> None:
        self.threads = threads
        self.worker_id: UUID
        self.lead = lead
        self.mutex = threading.Lock()
        self.leader_wakes = threading.Condition(self.mutex)
        self.follower_wakes = threading.Condition(self.mutex)
        self.watch_wakes = threading.Event()
        self.leader: Slot | None = None
        self.leader_waits = False
        self.busy = 0
        self.stopping = False
        self.hands_back = False  # what could begin now
        # Runs in memory, and where each waits for its next step.
        self.runs: dict[UUID, Run] = {}
        self.fast: deque[Run] = deque()
        self.slow: deque[Run] = deque()
        self.finished: deque[Conclusion] = deque()
        # The suspect that runs, until its outcome is written.
        self.suspect: Run | None = None
        # The database may say that this worker holds runs which are not in memory.
        self.unsure = False
        # Attempts whose body runs now, apart from the leader's wave.
        self.active: set[Attempt] = set()
        # Attempts that were given up, and whose bodies go on.
        self.interrupting: set[Attempt] = set()
        self.costs = Costs()
        self.may_start: Callable[[], bool] = lambda: True
        self.slots: list[Slot] = []
        self.loop = AsyncLoop(self.end_async)

    # -- threads -----------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the threads."""
        self.loop.start()
        for _ in range(self.threads + 1):
            self.add_thread()

    def add_thread(self) -> None:
        """One more thread: at the start, and in place of one that is stuck."""
        slot = Slot(f"durable-step-{len(self.slots)}")
        self.slots.append(slot)
        slot.thread = threading.Thread(
            target=self._serve, args=(slot,), name=slot.name, daemon=True
        )
        slot.thread.start()

    def _serve(self, slot: Slot) -> None:
        try:
            while (role := self._next_role(slot)) is not None:
                try:
                    if isinstance(role, Run):
                        self._run_apart(slot, role)
                    else:
                        self.lead(slot)
                except BaseException:
                    logger.exception("a worker thread failed and goes on")
                    self._give_up_baton(slot)
        finally:
            close_all()
            if slot.stuck:  # it came back after all
                self.slots.remove(slot)

    def _next_role(self, slot: Slot) -> Run | object | None:
        """Waits until there is a baton to take or a slow step to run; None: the pool is done."""
        with self.mutex:
            while not slot.stuck:
                if self.leader is None and not (self.stopping and not self.runs):
                    self.leader = slot
                    return LEAD
                run = self._next_slow()
                if run is not None:
                    return run
                if self.stopping and not self.runs:
                    self.follower_wakes.notify_all()
                    return None
                self.follower_wakes.wait()
        return None

    def _next_slow(self) -> Run | None:
        """A run whose step may begin now: a thread is free, and one suspect runs at a time."""
        if self.busy >= self.threads:
            return None
        for run in self.slow:
            if not (run.suspect and self.suspect is not None):
                self.slow.remove(run)
                self.busy += 1
                if run.suspect:
                    self.suspect = run
                return run
        return None

    def _give_up_baton(self, slot: Slot) -> None:
        with self.mutex:
            if self.leader is slot:
                self.leader, self.unsure = None, True  # what it claimed is perhaps in no memory
            self.follower_wakes.notify()
        time.sleep(0.05)  # whatever went wrong, do not spin on it

    def stop(self) -> None:
        """No new work: the leader hands back what has not started; running steps end."""
        with self.mutex:
            self.stopping = True
            self.leader_wakes.notify_all()
            self.follower_wakes.notify_all()

    def wake_leader(self) -> None:
        """There may be something to claim or to commit."""
        with self.mutex:
            if self.leader_waits:
                self.leader_wakes.notify()

    # -- where the next step of a run is served ----------------------------------------------

    def enqueue(self, run: Run) -> None:
        """Puts a run where its next step will be served. Called by the leader."""
        run.queued_at = time.monotonic()
        self.runs[run.id] = run  # also while its end is only on its way to the database
        try:
            node = run.next_visit().node
        except (DefinitionChanged, NoVisit) as why:
            self.finished.append(conclude_without_attempt(run, why))
            return
        starts_first = run.suspect or run.started_row or node.at_most_once
        if node.is_async and not (starts_first or self.stopping or self.hands_back):
            self._submit(self.begin(run))  # needs no thread
        elif starts_first or node.atomic or node.is_async or self.costs.is_slow(run.visit.node):
            self.serve_apart(run)
        else:
            self.fast.append(run)

    def serve_apart(self, run: Run) -> None:
        """Leaves the next step of a run to the followers."""
        with self.mutex:
            self.slow.append(run)
            if self.busy < self.threads:
                self.follower_wakes.notify()

    def drop(self, run: Run) -> None:
        """The run has left this worker's hands; it may be back already, under another lease."""
        if self.runs.get(run.id) is run:
            del self.runs[run.id]
        self.clear(run)

    def clear(self, run: Run) -> None:
        """If the run was the suspect, the next one may begin."""
        # race: suspect-in-doubt. It must be written: the next one may kill the process, and what
        # was begun without an end counts against this one.
        if self.suspect is run:
            with self.mutex:
                self.suspect = None
                self.follower_wakes.notify()

    # -- running one step --------------------------------------------------------------------

    def run_inline(self, slot: Slot, attempt: Attempt) -> bool:
        """Runs a step in the leader's thread; False if the baton was taken meanwhile."""
        if not self.watch_wakes.is_set():
            self.watch_wakes.set()
        try:
            self._body(slot, attempt)
        except BaseException:
            self._lose(slot, attempt.run)
            raise
        return self.leader is slot

    def _lose(self, slot: Slot, run: Run) -> None:
        """The engine itself failed: whatever the database says of the run, it is given back."""
        slot.leave()
        self.drop(run)
        self.unsure = True

    def _body(self, slot: Slot, attempt: Attempt) -> None:
        """Runs the body and appends its conclusion, unless somebody has concluded it already."""
        outcome = None
        begun = False
        slot.enter(attempt)
        while True:  # race: late-interrupt. An interrupt may be raised on the way out, too.
            try:
                if not begun:
                    begun = True
                    outcome = run_body(attempt)
                slot.leave()
                break
            except AttemptAbandoned:
                continue
        seconds = time.monotonic() - slot.since
        self.costs.measure(attempt.node, seconds)
        dirt = left_dirty(ours_only=seconds < SLOW_SECONDS)
        if slot.was_interrupted():
            close_all()
        if outcome is None or not attempt.settle():
            return
        if dirt is not None and outcome.status == "completed":
            outcome = refused(attempt, DurableError(dirt))
        conclusion = conclude(attempt, outcome)
        if len(outcome.members) > WAVE_MEMBERS_MAX:
            conclusion = self._write_apart(slot, conclusion)
        self.finished.append(conclusion)

    def _write_apart(self, slot: Slot, conclusion: Conclusion) -> Conclusion:
        """Writes a fork of many members here: in a wave it would hold up all other runs."""
        assert conclusion.attempt is not None
        slot.attempt = conclusion.attempt  # so that the baton is passed on meanwhile
        try:
            [found] = Committer(self.may_start).commit(self.worker_id, [conclusion])
            concluded, verdict = found
            return concluded._replace(verdict=WRITTEN if verdict == WRITTEN else "")
        finally:
            slot.attempt = None

    def _run_apart(self, slot: Slot, run: Run) -> None:
        """Runs one step in a follower's thread."""
        try:
            close_old_connections()
            attempt = self.begin(run) if self._is_fenced(run) else None
            if attempt is not None:
                self._serve_apart(slot, attempt)
        except BaseException:
            self._lose(slot, run)
            raise
        finally:
            self.leave_place(slot)

    def _is_fenced(self, run: Run) -> bool:
        """Cancel, pause and takeover of what waited in memory are seen before it starts."""
        if time.monotonic() - run.fenced_at < FENCE_SECONDS:
            return True
        if fence({run.id: run.lease}):
            return True
        self.drop(run)
        self.unsure = True  # what is to be paused is still held
        return False

    def take_place(self) -> bool:
        """Whether the leader may run steps itself: it counts among ``threads`` while it does, so
        that a thread is always left to take the baton."""
        with self.mutex:
            if self.busy >= self.threads:
                return False
            self.busy += 1
            return True

    def leave_place(self, slot: Slot) -> None:
        """A thread has ended its step, or the leader its wave."""
        with self.mutex:
            if not slot.stuck:  # else its place was given away already
                self.busy -= 1
            if self.leader_waits:
                self.leader_wakes.notify()
            if self.slow:
                self.follower_wakes.notify()

    def begin(self, run: Run) -> Attempt | None:
        """The run's next attempt, or None if it must not start here any more."""
        if not self.may_start():
            self.drop(run)
            self.unsure = True
            return None
        return attempt_at(run, run.visit)

    def _serve_apart(self, slot: Slot, attempt: Attempt) -> None:
        run = attempt.run
        verdict = verdict_of_recovery(attempt)
        if verdict is not None:
            attempt.settle()
            self.finished.append(conclude(attempt, verdict))
            return
        starts_first = run.suspect or run.started_row or attempt.node.at_most_once
        if starts_first and not commit_start(self.worker_id, attempt):
            self.drop(run)
            return
        if attempt.node.is_async:
            self._submit(attempt)
            return
        self.active.add(attempt)
        self.watch_wakes.set()
        try:
            if attempt.node.atomic:
                self._run_atomic(slot, attempt)
            else:
                self._body(slot, attempt)
        finally:
            self.active.discard(attempt)

    def _submit(self, attempt: Attempt | None) -> None:
        if attempt is not None:
            self.loop.submit(attempt)
            self.watch_wakes.set()

    def _run_atomic(self, slot: Slot, attempt: Attempt) -> None:
        slot.enter(attempt)
        conclusion, begun = None, False
        while True:
            try:
                if not begun:
                    begun = True
                    conclusion = run_atomic(self.worker_id, attempt)
                slot.leave()
                break
            except AttemptAbandoned:
                continue
        self.costs.measure(attempt.node, time.monotonic() - slot.since)
        left_dirty()
        if slot.was_interrupted():
            close_all()
        if conclusion is not None:
            self.finished.append(conclusion)
        elif attempt.settled_here:  # not given up by anybody: the lease was lost
            self.drop(attempt.run)

    def end_async(self, attempt: Attempt, conclusion: Conclusion | None) -> None:
        """Called by the event loop when the body of an ``async def`` step has ended."""
        if conclusion is not None:
            self.finished.append(conclusion)
        elif attempt.settled_here or attempt.settle():  # not given up by anybody: the engine failed
            self.drop(attempt.run)
            self.unsure = True
        self.wake_leader()

    # -- giving attempts up ------------------------------------------------------------------

    def time_out(self, attempt: Attempt) -> None:
        """The verdict on an attempt whose deadline has passed, and the interruption of its body."""
        if attempt.settle():
            self.finished.append(conclude(attempt, timed_out(attempt), given_up=True))
            self._interrupt(attempt)
            self.wake_leader()

    def abandon(self, attempt: Attempt) -> None:
        """Interrupts a body whose outcome will not be used; one that has ended is left alone."""
        if attempt.settle():
            self._interrupt(attempt)

    def _interrupt(self, attempt: Attempt) -> None:
        if attempt.interrupt is not None and not attempt.interrupt(attempt):
            self.interrupting.add(attempt)

    def interrupt_again(self) -> bool:
        """Interrupts bodies that go on; whether any could not be interrupted so far."""
        for attempt in list(self.interrupting):
            if attempt.interrupt is None or attempt.interrupt(attempt):
                self.interrupting.discard(attempt)
        return any(attempt.interrupted_at is None for attempt in self.interrupting)
