"""Clusters: which one carries the runs of a queue, for whoever tells people about it.

It knows the settings only. It asks no database, sends nothing, and never raises: an executor that
cannot be loaded has no clusters, and the system checks tell of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ..conf import settings
from .dispatches import queues_of
from .executor import Dispatcher, executor_of

# The sweeper sends again after two heartbeats: what lies there after so many, while nobody has
# anything else to do, was sent again in vain.
PATIENCE_HEARTBEATS: Final = 5


@dataclass(frozen=True)
class Cluster:
    """One of another engine. ``start`` is the command that starts it, "" where that is the
    engine's own business; ``queues`` are those whose runs it carries."""

    executor: str
    name: str
    start: str
    queues: tuple[str, ...]


def cluster_of(queue: str) -> Cluster | None:
    """The cluster that carries the runs of a queue; None where ``durable_worker`` runs them."""
    executor = _dispatcher()
    if executor is None:
        return None
    name = executor.cluster_of(queue)
    queues = tuple(queues_of(executor, name))
    return Cluster(executor.name, name, executor.command(name), queues)


def patience() -> timedelta:
    """How long something may be ready, and not be taken by processes that are idle, before somebody
    should look."""
    return PATIENCE_HEARTBEATS * heartbeat()


def heartbeat() -> timedelta:
    """How long a process that is idle may need to take what was handed over."""
    return timedelta(seconds=settings.HEARTBEAT_SECONDS)


def _dispatcher() -> Dispatcher | None:
    try:
        executor = executor_of(settings.EXECUTOR)
    except Exception:
        return None
    return executor if isinstance(executor, Dispatcher) else None
