"""What operators call to decide about queues: paused or not, and how much of one runs at once.

Each judges its arguments before it writes, and is told in the audit trail. All can be called inside
the caller's transaction on the same database, and then commit or roll back with it. Models are
imported when a function runs, as in ``api``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async

from .definition.readers import read_integer, read_queue

if TYPE_CHECKING:
    from .models import Queue

LIMIT_MAX: Final = 1_000_000


def pause_queue(name: str, *, reason: str = "", by: Any = None) -> Queue:
    """No worker takes runs of this queue any more, at the latest ``POLL_SECONDS`` from now; returns
    the Queue. What workers hold already goes on until it ends, or has to wait.

    ``by`` is a user or a text, kept with ``reason`` in the audit trail. Runs can be started
    meanwhile; timeouts go on.

    Raises QueueNotFound for a queue that nobody knows, InvalidState if it is paused, TypeError or
    ValueError naming an argument.

    >>> durable.pause_queue("mail", reason="provider down", by=request.user)  # doctest: +SKIP
    """
    from .store import audit, queues

    return queues.pause(read_queue(name, "name"), audit.checked(reason, by), by)


def resume_queue(name: str, *, reason: str = "", by: Any = None) -> Queue:
    """Workers take runs of this queue again, at once; returns the Queue.

    Raises QueueNotFound, InvalidState if it is not paused, TypeError or ValueError naming an
    argument.

    >>> durable.resume_queue("mail", by=request.user)  # doctest: +SKIP
    """
    from .store import audit, queues

    return queues.resume(read_queue(name, "name"), audit.checked(reason, by), by)


def limit_queue(name: str, limit: int | None, *, reason: str = "", by: Any = None) -> Queue:
    """All workers together hold at most ``limit`` executions of this queue at once; None: as many
    as they have threads for. Returns the Queue.

    A run that sleeps or waits is held by nobody and does not count; each member of a ``parallel``
    or ``foreach`` that runs does. A limit lower than what is held now ends nothing: the rest is
    taken when places become free.

    Raises QueueNotFound, TypeError or ValueError naming an argument.

    >>> durable.limit_queue("reports", 2, reason="one licence per report")  # doctest: +SKIP
    """
    from .store import audit, queues

    if limit is not None:
        read_integer(limit, "limit", 1, LIMIT_MAX)
    return queues.limit(read_queue(name, "name"), limit, audit.checked(reason, by), by)


def list_queues() -> list[Queue]:
    """All queues by name, as Queue rows: ``name``, ``is_paused``, ``paused_at``,
    ``concurrency_limit``. One that settings, a workflow or ready runs name, and that no worker has
    served so far, is among them without being in the database.

    >>> [queue.name for queue in durable.list_queues() if queue.is_paused]  # doctest: +SKIP
    """
    from .store import queues

    return queues.listed()


apause_queue = sync_to_async(pause_queue)
aresume_queue = sync_to_async(resume_queue)
alimit_queue = sync_to_async(limit_queue)
alist_queues = sync_to_async(list_queues)
