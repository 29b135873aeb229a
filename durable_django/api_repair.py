"""What people call to repair a run: skip, edit_context, retry. Each judges its arguments before it
writes, and leaves an entry in the run's history.

All can be called inside the caller's transaction on the same database and then commit or roll back
with it. Models are imported when a function runs, as in ``api``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async

from .api import get_execution
from .conf import settings
from .definition import registry
from .definition.node import Node
from .engine.ids import pk_of
from .exceptions import WorkflowNotFound
from .store.options import changes_given, node_given

if TYPE_CHECKING:
    from .api import ExecutionLike
    from .models import Execution


def skip(
    id: ExecutionLike,
    value: Any = None,
    *,
    node: str | Node | None = None,
    reason: str = "",
    by: Any = None,
) -> Execution:
    """Lets a failed run go on behind the node it failed at, as if that had given ``value``.

    A step run of status ``skipped`` is recorded with it; the node is never compensated. ``node`` is
    a name, a node or a visit's path, one of :func:`nodes_to_skip`: needed where several members
    failed (a name then means all that failed there), and to skip a block around the node as a
    whole, whose output ``value`` then is. For a branch ``value`` is one of its cases, for a
    decision one of its targets, or None. ``by`` is a user or a text, ``reason`` a text.

    Raises ExecutionNotFound, InvalidState for a run that has not failed, or whose node the code no
    longer has, NotSerializable, PayloadTooLarge, TypeError, and ValueError naming what can be
    skipped, or chosen.

    >>> durable.skip(execution, {"charged": 12}, reason="paid in cash")  # doctest: +SKIP
    """
    from .store import audit, skipping

    name = None if node is None else node_given(node)
    pk, text = pk_of(id), audit.checked(reason, by)
    return skipping.skip(pk, value, name, _timeout_of(pk), by=by, reason=text)


def nodes_to_skip(id: ExecutionLike) -> list[str]:
    """The paths of what :func:`skip` can skip in a failed run: the nodes that failed first, then
    the blocks around them. Empty for a run in another state. ExecutionNotFound.

    >>> durable.nodes_to_skip(execution)  # doctest: +SKIP
    ['sending[2]/send', 'sending']
    """
    from .store import skipping

    return skipping.paths_to_skip(get_execution(id))


def edit_context(
    id: ExecutionLike,
    changes: Mapping[str, Any] | None = None,
    *,
    remove: Iterable[str] = (),
    reason: str = "",
    by: Any = None,
) -> Execution:
    """Changes the context of a run that is parked, or has failed or was cancelled.

    ``changes`` maps keys to their new values, ``remove`` lists keys to take away. What was before
    is kept in the run's history. ``by`` is a user or a text, ``reason`` a text.

    Raises ExecutionNotFound; InvalidState for a run that a worker holds, that is over or undone, or
    that has members under way; NotSerializable, PayloadTooLarge; ValueError for a key that is not
    there, and where there is nothing to change; TypeError.

    >>> durable.edit_context(execution, {"email": "ada@example.com"}, by=user)  # doctest: +SKIP
    """
    from .store import audit, editing

    texts = {change.key: change.text for change in changes_given(changes, "changes")}
    removed = _keys_of(remove)
    both = sorted(texts.keys() & set(removed))
    if both:
        raise ValueError(f"{both[0]!r} is to be set, and to be removed")
    if not texts and not removed:
        raise ValueError("there is nothing to change: give changes, or keys to remove")
    pk, text = pk_of(id), audit.checked(reason, by)
    return editing.edit_context(pk, texts, removed, by=by, reason=text)


def retry(
    id: ExecutionLike,
    *,
    node: str | Node | None = None,
    forget_waits: bool = False,
    reason: str = "",
    by: Any = None,
) -> Execution:
    """Lets a failed or cancelled run go on from the node it stopped at, with fresh attempts.

    What had completed is not run again. A run whose timeout has passed gets the workflow's timeout
    anew. With ``node``, one of :func:`nodes_to_go_on_at`, it goes on there instead, whether the
    node comes before or behind, or the code has the one it stopped at no longer; one that was
    visited before is visited anew. With ``forget_waits`` the body it stopped in finds nothing of
    what its waits, calls and ``once`` gave, for ``NonDeterministicStep``. ``by`` is a user or a
    text, ``reason`` a text.

    Raises ExecutionNotFound, InvalidState, ValueError naming the nodes there are, TypeError.

    >>> durable.retry(execution, node="charge", reason="renamed by a deploy")  # doctest: +SKIP
    """
    from .store import audit, going_on

    name = None if node is None else node_given(node)
    pk, text = pk_of(id), audit.checked(reason, by)
    return going_on.retry(
        pk, _timeout_of(pk), node=name, forgets=bool(forget_waits), by=by, reason=text
    )


def nodes_to_go_on_at(id: ExecutionLike) -> list[str]:
    """The names of the nodes that :func:`retry` can let a failed or cancelled run go on at, in the
    order of the code. Empty for a run in another state, and where its code is not registered here.
    ExecutionNotFound.

    >>> durable.nodes_to_go_on_at(execution)  # doctest: +SKIP
    ['validate', 'charge', 'ship']
    """
    from .store import going_on

    return going_on.nodes_to_go_on_at(get_execution(id))


askip = sync_to_async(skip)
anodes_to_skip = sync_to_async(nodes_to_skip)
aedit_context = sync_to_async(edit_context)
aretry = sync_to_async(retry)
anodes_to_go_on_at = sync_to_async(nodes_to_go_on_at)


def _timeout_of(pk: UUID) -> float | None:
    """The timeout of a run's workflow, in seconds; None where there is none, or no code."""
    from .models import Execution

    # Whether there is such a run at all, and not a member of one, is judged under its lock.
    run = Execution.objects.using(settings.DATABASE).filter(pk=pk)
    for name, version in run.values_list("workflow_name", "version"):
        try:
            return registry.get(name, version).definition.options.timeout
        except WorkflowNotFound:
            return None
    return None


def _keys_of(remove: Any) -> list[str]:
    keys = None if isinstance(remove, str) else list(remove)
    if keys is None or not all(isinstance(key, str) for key in keys):
        raise TypeError(f"remove is a list of keys, not {remove!r:.80}")
    return list(dict.fromkeys(keys))
