"""What people call to delete runs that ended long ago. Arguments are judged before anything is
deleted, and who did it is told in the audit trail.

Models are imported when a function runs, as in ``api``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async

from .definition import registry
from .definition.durations import Duration, to_seconds
from .definition.readers import read_integer
from .exceptions import WorkflowNotFound

if TYPE_CHECKING:
    from .api import WorkflowLike
    from .store.trees import Pruned

BATCH_SIZE_MAX: Final = 10_000
LIMIT_MAX: Final = 1_000_000_000


def prune(
    older_than: Duration,
    *,
    status: str | Iterable[str] | None = None,
    workflow: WorkflowLike | None = None,
    batch_size: int = 500,
    limit: int | None = None,
    timeout: Duration | None = None,
    dry_run: bool = False,
    progress: Callable[[Pruned], object] | None = None,
    reason: str = "",
    by: Any = None,
) -> Pruned:
    """Deletes runs that ended longer ago than ``older_than`` (timedelta or seconds), each with all
    it forked and called, and returns how much that was: ``trees``, ``executions``, ``step_runs``,
    ``waits``, ``events``, ``audit_entries``.

    A run goes when all of it has ended so long ago, or it stays whole. ``status`` is one or several
    of the final ones; None: all of them, failed runs as well. ``workflow`` is a class or a name,
    also one that no code has any more. An idempotency key goes with its run, and can then start
    another one.

    It is done in short transactions of about ``batch_size`` runs, each of which is committed
    (inside the caller's transaction: with it), and stops after ``limit`` runs or when ``timeout``
    has passed; ``is_more`` then says so. ``kept`` runs are old enough, but something of them has
    not ended or is locked by somebody. With ``dry_run`` nothing is deleted, only counted.
    ``progress`` is called with the sum so far after each batch. ``by`` is a user or a text, kept
    with ``reason`` in the audit trail.

    Raises WorkflowNotFound for a name that neither code nor a run has, TypeError or ValueError
    naming an argument.

    >>> durable.prune(days(90), status="completed", dry_run=True).trees  # doctest: +SKIP
    1204
    """
    from .store import audit, pruning

    asked = pruning.Asked(
        older_than=to_seconds(older_than, "older_than"),
        statuses=_statuses(status),
        workflow=None if workflow is None else _name_of(workflow),
        batch_size=read_integer(batch_size, "batch_size", 1, BATCH_SIZE_MAX),
        limit=None if limit is None else read_integer(limit, "limit", 1, LIMIT_MAX),
        seconds=math.inf if timeout is None else to_seconds(timeout, "timeout"),
        dry_run=dry_run,
    )
    return pruning.prune(asked, by, audit.checked(reason, by), progress)


def _statuses(status: str | Iterable[str] | None) -> tuple[str, ...]:
    from .models import FINAL

    final = [each.value for each in FINAL]
    if status is None:
        return tuple(final)
    if not isinstance(status, Iterable):
        raise TypeError(f"status is one or several texts, not {status!r:.80}")
    given = [status] if isinstance(status, str) else list(status)
    for each in given:
        if each not in final:
            raise ValueError(
                f"status is one or several of {', '.join(final)}, not {each!r:.80}: only what has "
                "ended can be deleted"
            )
    if not given:
        raise ValueError("status is empty; None means every final one")
    return tuple(dict.fromkeys(str(each) for each in given))


def _name_of(workflow: WorkflowLike) -> str:
    from .models.names import names_of_runs

    try:
        return registry.resolve(workflow).definition.name
    except WorkflowNotFound:
        if isinstance(workflow, str) and workflow in names_of_runs():
            return workflow
        raise


aprune = sync_to_async(prune)
