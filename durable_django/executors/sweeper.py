"""The sweeper: ``durable_worker`` where another engine runs the steps.

It wakes what is due, fires schedules and takes back what dead processes held, as every worker does;
hands over what is ready and was not handed over by whoever made it ready; and sends again what the
engine has lost. It runs no step. Any number of them may run.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections

from ..conf import settings
from ..store import dispatching, leases
from ..store.dispatching import Hint
from ..worker.heartbeat import Heartbeat
from ..worker.hygiene import close_old_connections
from ..worker.keeper import Keeper
from ..worker.listener import Listener
from ..worker.presence import Presence
from ..worker.supervisor import is_orphan
from .dispatches import Dispatches, install, queues_of
from .executor import Dispatcher

logger = logging.getLogger("durable_django.executors")

# Not more often than this, however often it is told that something is ready: whoever made it so has
# handed it over already, as a rule.
PAUSE_SECONDS = 0.02
# How soon it sees that it is told to end.
STOP_SECONDS = 0.5
# A broker that lost everything is made good for within this time.
AGAIN_SECONDS_MAX = 120.0
# How often a hint was sent in vain when somebody is told.
TOLD_AFTER = 3


class Lost:
    """Which hints have to be sent again: when nobody came with them for two heartbeats although a
    process of the cluster is idle or came with a later one, and then after twice the time each, up
    to two minutes. Those that wait behind long steps are not lost. It remembers only what is under
    way."""

    def __init__(self, dispatches: Dispatches) -> None:
        self._dispatches = dispatches
        self._sent: dict[str, dict[Hint, int]] = {}
        # Clusters of which no process lived at the last look.
        self._gone: set[str] = set()

    def look(self, cluster: str) -> int:
        """Sends those of a cluster again; how many."""
        executor = self._dispatches.executor
        queues = queues_of(executor, cluster)
        sent = {} if self._is_back(cluster) else self._sent.get(cluster, {})
        found = dispatching.oldest_untaken(queues)
        self._sent[cluster] = sent = {one.hint: sent.get(one.hint, 0) for one in found}
        late = [one for one in found if one.seconds > _patience(sent[one.hint])]
        if not late:
            return 0
        processes, idle = dispatching.processes(executor.name, cluster)
        if not processes:
            self._gone.add(cluster)
        elif not idle:
            later = dispatching.seconds_since_taken(queues) + settings.HEARTBEAT_SECONDS
            late = [one for one in late if one.seconds > later]
        hints = [one.hint for one in late]
        for hint in hints:
            sent[hint] += 1
        if hints:
            times = max(sent[hint] for hint in hints)
            self._tell(cluster, len(hints), processes, idle, times)
            self._dispatches.send_again(cluster, hints)
        return len(hints)

    def _is_back(self, cluster: str) -> bool:
        """How often something was sent to nobody says nothing about those who live now."""
        if cluster not in self._gone:
            return False
        if dispatching.processes(self._dispatches.executor.name, cluster)[0]:
            self._gone.discard(cluster)
            return True
        return False

    def _tell(self, cluster: str, count: int, processes: int, idle: int, times: int) -> None:
        if not processes:
            logger.warning("cluster %s: no process of it lives; %d runs wait", cluster, count)
            return
        if not idle:
            logger.warning(
                "cluster %s took what was handed over to it after %d others: these are sent again",
                *(cluster, count),
            )
            return
        level = logging.ERROR if times >= TOLD_AFTER else logging.WARNING
        logger.log(
            level,
            "cluster %s has processes without a run, and did not take %d that were handed over to "
            "it: sent again. If they have no other tasks and this goes on, restart the cluster",
            *(cluster, count),
        )


def _patience(times: int) -> float:
    """For how many seconds nobody may come with a hint that was sent again so often."""
    first = 2 * settings.HEARTBEAT_SECONDS
    return min(first * 2.0 ** min(times, 30), max(first, AGAIN_SECONDS_MAX))


class Sweeper:
    """Serves ``queues`` for an executor until ``stop()``; with ``burst`` until nothing is ready,
    due or under way."""

    def __init__(self, executor: Dispatcher, queues: Sequence[str], burst: bool = False) -> None:
        self.executor = executor
        self.queues = list(queues)
        self.burst = burst
        self.clusters = list(dict.fromkeys(executor.cluster_of(queue) for queue in queues))
        self.presence = Presence(self.queues, 0, executor.name)
        self.heartbeat = Heartbeat(self.presence.register, self._dropped)
        self._look = threading.Event()
        self.keeper = Keeper(self._look.set, None)
        self.listener = Listener(self.queues, self._look.set, self.keeper.sent)
        self.dispatches = install(executor)
        self._lost = Lost(self.dispatches)
        self._next_round = 0.0
        # A queue, because an Event deadlocks when a signal handler sets it while this waits.
        self._stop: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> bool:
        """Serves until the end. True."""
        worker_id = self.worker_id = self.presence.register()
        self.presence.prepare()
        connections.close_all()
        logger.info(
            "worker %s hands runs of %s to %s",
            *(worker_id, ", ".join(self.queues), self.executor.name),
        )
        self.heartbeat.start(worker_id)
        self.keeper.start(worker_id)
        self.listener.start()
        while self._stop.empty() and not is_orphan():
            if not self._round():
                break
            self._wait()
        for part in (self.listener, self.keeper, self.heartbeat):
            part.stop()
        leases.stop(self.worker_id)
        connections.close_all()
        logger.info("worker %s has stopped", self.worker_id)
        return True

    def stop(self) -> None:
        """Ends after this round. Safe in a signal handler."""
        self._stop.put(None)

    def _wait(self) -> None:
        """Until there is something to look at, or the next poll. It has to see that it is told to
        end, too, which wakes nobody: a signal handler must not."""
        until = time.monotonic() + settings.POLL_SECONDS
        while self._stop.empty() and not self._look.wait(min(STOP_SECONDS, settings.POLL_SECONDS)):
            if time.monotonic() > until:
                break
        self._look.clear()
        time.sleep(PAUSE_SECONDS)

    def _round(self) -> bool:
        """Whether there is anything left to do."""
        try:
            close_old_connections()
            self.dispatches.dispatch(self.queues, self.worker_id)
            if self.burst and not self._is_anything_left():
                return False
            if time.monotonic() >= self._next_round:
                self._next_round = time.monotonic() + settings.HEARTBEAT_SECONDS
                for cluster in self.clusters:
                    self._lost.look(cluster)
        except DatabaseError as error:
            logger.warning("the database refused; trying again: %s", error)
            connections[settings.DATABASE].close()
        except Exception:
            logger.exception("handing over failed; trying again")
        return True

    def _is_anything_left(self) -> bool:
        """Whether a burst has more to do: also what is due, or under way."""
        # What has ended by the first look may have sent what the keeper delivers, which is ready at
        # the second.
        return self._is_any_under_way() or self.keeper.look() or self._is_any_under_way()

    def _is_any_under_way(self) -> bool:
        open_queues = self.dispatches.open_queues(self.queues)
        return dispatching.is_any_under_way(self.queues, set(self.queues) - set(open_queues))

    def _dropped(self, worker_id: UUID) -> None:
        self.worker_id = self.keeper.worker_id = worker_id
