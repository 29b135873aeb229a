"""What people call to stop a run for a while: pause and resume. Arguments are judged before
anything is written.

Both commit or roll back with the caller's transaction on the same database. Models are imported
when a function runs, as in ``api``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from .engine.ids import pk_of

if TYPE_CHECKING:
    from .api import ExecutionLike
    from .models import Execution


def pause(id: ExecutionLike, reason: str = "", *, by: Any = None) -> Execution:
    """Stops a run before its next node; its Execution as it then stands.

    A node that a worker has in hand ends and is recorded first, so that nothing is thrown away:
    until then the run is ``running`` with ``paused_at`` set, then it is ``paused``, its members
    too. Events and answers still reach it, and its timers and its timeout go on; what comes due
    happens after :func:`resume`, but for the timeout, which ends it. Workflows it has called are
    runs of their own and go on. ``reason`` and ``by`` (a user, or a name) are kept with its
    history.

    Raises ExecutionNotFound, InvalidState for a run that has ended, is paused or is being
    compensated, TypeError naming an argument.

    >>> durable.pause(execution, "the provider is down", by=request.user)  # doctest: +SKIP
    """
    from .store import audit, pausing

    return pausing.pause(pk_of(id), reason=audit.checked(reason, by), by=by)


def resume(id: ExecutionLike, reason: str = "", *, by: Any = None) -> Execution:
    """Lets a paused run go on where it stopped; its Execution as it then stands.

    What came due meanwhile happens at once, the earliest first. ``reason`` and ``by`` (a user, or a
    name) are kept with its history. Raises ExecutionNotFound, InvalidState for a run that is not
    paused, TypeError naming an argument.

    >>> durable.resume(execution)  # doctest: +SKIP
    """
    from .store import audit, pausing

    return pausing.resume(pk_of(id), reason=audit.checked(reason, by), by=by)


apause = sync_to_async(pause)
aresume = sync_to_async(resume)
