"""Engines that hand hints to nobody, for tests that carry them by themselves."""

from typing import ClassVar

from durable_django.executors.executor import Dispatcher


class Engine(Dispatcher):
    """Keeps what is sent to it, in order: (cluster, hint)."""

    name = "engine"
    sent: ClassVar[list] = []

    def send(self, cluster, hints):
        type(self).sent.extend((cluster, hint) for hint in hints)

    def room(self, processes):
        return 100


def carry_all(carrier, seconds=30.0):
    """Carries what was sent, and what is sent meanwhile; how many hints there were."""
    count = 0
    while Engine.sent:
        _, hint = Engine.sent.pop(0)
        carrier.carry(hint, seconds)
        count += 1
    return count


def forget_gates(carrier):
    """What operators decided since the last look is seen by the next."""
    for gates in (carrier.leader.gates, carrier.dispatches._gates):
        gates._read_at = None


class Within(Engine):
    """One whose messages belong into the transaction."""

    name = "within"

    def is_transactional(self):
        return True


class Narrow(Engine):
    """One with the room that a cluster has."""

    name = "narrow"

    def room(self, processes):
        return max(2 * processes, 2)


class Broken(Engine):
    """One that cannot be reached."""

    name = "broken"

    def send(self, cluster, hints):
        raise ConnectionError("no broker")
