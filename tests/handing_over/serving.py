"""The service that the tests of a worker get here: a sweeper, and a carrier in each of a few
threads, as if it were a process of a cluster; a thread brings them what the broker delivers.

What a cluster does with its processes (it starts, replaces and ends them) is not done here.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections
from django_q.brokers import get_broker

from durable_django.executors.carrier import SECONDS, Carrier
from durable_django.executors.django_q import DjangoQ
from durable_django.executors.sweeper import Sweeper
from durable_django.worker.capture import capturing
from tests.handing_over.engine import Inbox, Message
from tests.waiting import WAIT_SECONDS

LOOK_SECONDS = 0.01


class Serving:
    """Stands in for `WorkerService`; what it has not itself is looked for in the carrier that
    has a run in hand, or had one when it was asked last."""

    def __init__(
        self, settings: Any, queues: Sequence[str], threads: int, burst: bool = False
    ) -> None:
        # Which queues a cluster carries stands in the settings.
        named = {name: {} for name in queues if name != "default"}
        if named:
            given = settings.DURABLE.get("QUEUES", {})
            settings.DURABLE = {**settings.DURABLE, "QUEUES": named | given}
        executor = DjangoQ()
        self.cluster = executor.default_cluster
        self.sweeper = Sweeper(executor, queues, burst)
        self.carriers = [Carrier(executor, self.cluster) for _ in range(threads)]
        self.busiest = self.carriers[0]
        self._tasks: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(threads)
        self._ended = threading.Event()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        busy = (carrier for carrier in self.carriers if carrier.pool.runs)
        self.busiest = next(busy, self.busiest)
        return getattr(self.busiest, name)

    def run(self) -> bool:
        """Serves until `stop()`."""
        threads = [threading.Thread(target=self._push, daemon=True)]
        threads += [
            threading.Thread(target=self._carry, args=(carrier,), daemon=True)
            for carrier in self.carriers
        ]
        with capturing():
            for thread in threads:
                thread.start()
            try:
                return self.sweeper.run()
            finally:
                self._ended.set()
                give_up = time.monotonic() + WAIT_SECONDS
                for thread in threads:
                    thread.join(max(give_up - time.monotonic(), 0))

    def stop(self) -> None:
        """The cluster and its sweeper are told to end."""
        self.sweeper.stop()
        self.sweeper._look.set()  # unlike a signal handler, this may wake it

    def _push(self) -> None:
        """What the pusher of a cluster does, until it is told to end; but it takes no message for
        which no carrier is idle, since a test's services are as many clusters with one name."""
        inbox = Inbox(self.cluster)
        while not self._ended.is_set():
            if not self._idle.acquire(timeout=LOOK_SECONDS):
                continue
            messages: list[Message] = []
            with lost_connections():
                messages = inbox.read_once()
            for message in messages:
                self._tasks.put(message)
            if not messages:
                self._idle.release()
                self._ended.wait(LOOK_SECONDS)
        connections.close_all()
        for _ in self.carriers:
            self._tasks.put(None)

    def _carry(self, carrier: Carrier) -> None:
        """What a process of a cluster does with task after task."""
        broker = get_broker(self.cluster)
        carrier.start()
        while (message := self._tasks.get()) is not None:
            with lost_connections():
                carrier.carry(message.hint, SECONDS)
            with lost_connections():
                broker.acknowledge(message.number)
            self._idle.release()
        carrier.stop()
        connections.close_all()


@contextmanager
def lost_connections() -> Iterator[None]:
    """A cluster goes on when one is lost; what was not acknowledged is delivered again."""
    try:
        yield
    except DatabaseError:
        connections.close_all()
