"""The executor: what ``durable_worker`` does, by the setting ``EXECUTOR`` or ``--executor``.

``threads`` runs steps itself. A :class:`Dispatcher` hands what is ready to another engine, whose
processes call :func:`durable_django.executors.carrier.carry`; ``django_q`` is one. A project names
its own by the dotted path of its class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from django.utils.module_loading import import_string

from ..conf import settings

if TYPE_CHECKING:
    from ..store.dispatching import Hint


class Service(Protocol):
    """What ``durable_worker`` runs until it is told to stop."""

    def run(self) -> bool:
        """Serves until the end; False if the process must be replaced."""

    def stop(self) -> None:
        """Ends it soon, in good order. Safe in a signal handler."""


class Executor(ABC):
    """Who runs the steps. ``name`` is written into the row of each of its processes."""

    name: ClassVar[str]

    @abstractmethod
    def service(self, queues: Sequence[str], threads: int, burst: bool) -> Service:
        """The service for these queues; with ``burst`` it ends when nothing is ready any more."""


class Dispatcher(Executor):
    """Hands ready runs to another engine. A subclass says how a hint is sent; all else (when, how
    many, again when they are lost) is done here and in the store.

    >>> class Printed(Dispatcher):
    ...     name = "printed"
    ...
    ...     def send(self, cluster, hints):
    ...         for hint in hints:
    ...             print(cluster, hint.execution_id, hint.lease)
    """

    @abstractmethod
    def send(self, cluster: str, hints: Sequence[Hint]) -> None:
        """Sends each hint to a cluster of the engine, which then calls ``carry(execution_id,
        lease)``. May raise: they are sent again later. It may also lose or repeat them."""

    def cluster_of(self, queue: str) -> str:
        """The cluster that carries the runs of a queue: ``QUEUES["heavy"]["cluster"]``."""
        options = settings.QUEUES.get(queue) or {}
        return str(options.get("cluster") or self.default_cluster)

    @property
    def default_cluster(self) -> str:
        """The cluster of queues for which none is given."""
        return "default"

    def command(self, cluster: str) -> str:
        """What people type to start a process of a cluster; "" where that is the engine's own
        business."""
        return ""

    def room(self, processes: int) -> int:
        """How many hints may lie with a cluster that has so many live processes. Two for each: the
        next one is there when the last one ends. Where none is known yet, two find out."""
        return max(2 * processes, 2)

    def is_transactional(self) -> bool:
        """Whether ``send`` writes into the same database, so that it belongs into the transaction
        that made the run ready. Otherwise it is called after the commit."""
        return False

    def service(self, queues: Sequence[str], threads: int, burst: bool) -> Service:
        """One that hands over what is ready, wakes what is due, and sends again what was lost."""
        from .sweeper import Sweeper

        return Sweeper(self, queues, burst)


class Threads(Executor):
    """The threads of ``durable_worker`` itself."""

    name = "threads"

    def service(self, queues: Sequence[str], threads: int, burst: bool) -> Service:
        """A worker with so many threads."""
        from ..worker.service import WorkerService

        return WorkerService(queues, threads, burst)


def _django_q() -> Executor:
    from .django_q import DjangoQ

    return DjangoQ()


BUILT_IN: dict[str, Callable[[], Executor]] = {"threads": Threads, "django_q": _django_q}


def executor_of(name: str) -> Executor:
    """The executor of a setting: ``"threads"``, ``"django_q"``, or the dotted path of a class.

    ImportError if there is no such module or class, or what it needs is not installed; TypeError if
    it is no executor.
    """
    make = BUILT_IN.get(name)
    found = make() if make is not None else import_string(name)()
    if not isinstance(found, Executor):
        raise TypeError(f'the executor "{name}" is a {type(found).__name__}, not an Executor')
    return found
