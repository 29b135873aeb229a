"""The engine of these tests: the executor for Django-Q2, and what a cluster of it does with the
broker, in the test's own process. It may not know a run but by the hint in a message.
"""

from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django_q.brokers import Broker, get_broker
from django_q.conf import Conf
from django_q.signing import SignedPackage

from durable_django.executors.django_q import TASK, DjangoQ
from durable_django.store.dispatching import Hint
from durable_django.worker.inline import BATCH


class Engine(DjangoQ):
    """As for a cluster of many processes, which no row tells of: the inline driver is none."""

    def room(self, processes: int) -> int:
        return max(super().room(processes), BATCH)


class Message(NamedTuple):
    """What a broker gave: its number there, and the hint in it."""

    number: object
    hint: Hint


class Inbox:
    """Where the messages for a cluster arrive. One thread reads it."""

    def __init__(self, cluster: str) -> None:
        self._broker: Broker = get_broker(cluster)

    def read(self) -> list[Message]:
        """Those that have come so far; a cluster would wait for more."""
        found: list[Message] = []
        while self._broker.queue_size():
            found += self._read()
        return found

    def read_once(self) -> list[Message]:
        """As many as the broker gives at once."""
        if not self._broker.queue_size():
            return []  # dequeue would wait
        return self._read()

    def _read(self) -> list[Message]:
        found = self._broker.dequeue() or ()
        return [Message(number, hint_in(text)) for number, text in found]

    def acknowledge(self, message: Message) -> None:
        """It will not be delivered again."""
        self._broker.acknowledge(message.number)


def hint_in(text: str) -> Hint:
    """What a worker of the cluster is told to do is to carry this, and nothing else."""
    task = SignedPackage.loads(text)
    assert task["func"] == TASK
    execution_id, lease = task["args"]
    return Hint(UUID(execution_id), lease)


def never_commits() -> bool:
    """Whether nothing that is to be sent on commit ever is: within a test's own transaction."""
    return connection.in_atomic_block and not Conf.ORM


def emptied() -> None:
    """No message is left of the test before; those in its database went with the other rows."""
    if not Conf.ORM:
        get_broker().connection.flushall()
