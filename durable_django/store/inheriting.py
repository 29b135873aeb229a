"""What a strand has from its parent: the run it belongs to, its input, and the state at the fork.

A parent's snapshot cannot change while its strands live, so that it is read once per process and
fork, not once per strand. Between their end and a retry somebody may change its context, in another
process: strands that are claimed again see to it that what is kept here is of the same lease. A
parent that has gone on from a fork gives its strands nothing: they have ended since their claim.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from ..conf import settings
from ..engine.paths import fork_of, joining, number_in
from ..engine.state import RunState, as_inherited, from_snapshot
from ..models import Execution
from ..models.execution import ExecutionKind

KEPT = 256


class Inherited(NamedTuple):
    """``run_id`` and ``input_text`` are those of the nearest run of a workflow; ``above`` the ids
    from it down to the strand's parent, and ``lease`` the number of that; ``item`` and ``number``,
    its index, those of the parent, if any."""

    run_id: UUID
    input_text: str
    state: RunState
    above: tuple[UUID, ...]
    lease: int = 0
    item: str | None = None
    number: int | None = None


Key = tuple[UUID, str]
_kept: OrderedDict[Key, Inherited] = OrderedDict()
_lock = threading.Lock()


def inherited_by(strands: Iterable[Key]) -> dict[Key, Inherited]:
    """What each strand inherits, for the (parent id, path) of strands, by (parent id, fork).
    Nothing for those of a fork at which their parent does not stand any more."""
    wanted = {(parent_id, fork_of(path)) for parent_id, path in strands}
    found: dict[Key, Inherited] = {}
    with _lock:
        for key in wanted:
            if key in _kept:
                _kept.move_to_end(key)
                found[key] = _kept[key]
    missing = wanted - found.keys()
    if missing:
        read = _read({parent_id for parent_id, _ in missing})
        # race: over-since-the-claim. Of a strand that was claimed the block may end, and its parent
        # go on, before the parent is read: what it has then is not what it had at the fork.
        fresh = {
            key: read[key[0]]
            for key in missing
            if key[0] in read and read[key[0]].state.next_path == joining(key[1])
        }
        found.update(fresh)
        with _lock:
            _kept.update(fresh)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
    return found


def forget(parent_ids: Iterable[UUID]) -> None:
    """What was read of these parents is read again: their state is about to change."""
    gone = set(parent_ids)
    with _lock:
        for key in [key for key in _kept if key[0] in gone]:
            del _kept[key]


def forget_changed(parent_ids: Iterable[UUID]) -> None:
    """What is kept of those of these parents that were reopened since is read again."""
    wanted = set(parent_ids)
    with _lock:
        kept = {key[0]: each.lease for key, each in _kept.items() if key[0] in wanted}
    if not kept:
        return
    # race: edited-between — every retry raises the lease of each parent that it reopens, after the
    # context was changed: a process that kept the one before would run its strands on it.
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(kept))
    now = dict(rows.values_list("id", "lease"))
    forget(pk for pk, lease in kept.items() if now.get(pk) != lease)


def _read(parent_ids: set[UUID]) -> dict[UUID, Inherited]:
    rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(parent_ids))
    parents = list(rows)
    strands = [row for row in parents if row.kind == ExecutionKind.STRAND and row.parent_id]
    outer = [(row.parent_id, row.path) for row in strands if row.parent_id]
    forget_changed({parent_id for parent_id, _ in outer})
    above = inherited_by(outer)
    found = {row.pk: _of_parent(row, above) for row in parents if row.snapshot}
    return {pk: inherited for pk, inherited in found.items() if inherited is not None}


def _of_parent(row: Execution, above: dict[Key, Inherited]) -> Inherited | None:
    """What the strands of ``row`` inherit; None if it has ended itself."""
    if row.kind != ExecutionKind.STRAND or row.parent_id is None:
        state = as_inherited(from_snapshot(row.snapshot), row.pk.hex)
        return Inherited(row.pk, row.input_text, state, (row.pk,), row.lease)
    outer = above.get((row.parent_id, fork_of(row.path)))
    if outer is None:
        return None
    own = from_snapshot(row.snapshot, fork_of(row.path), outer.state)
    item, index = item_of(row.path, row.input_text, outer)
    return Inherited(
        outer.run_id,
        outer.input_text,
        as_inherited(own, row.pk.hex),
        (*outer.above, row.pk),
        row.lease,
        item,
        index,
    )


def item_of(path: str, input_text: str, outer: Inherited) -> tuple[str | None, int | None]:
    """The item and index of a strand: its own, or those of the item it runs in."""
    if path.endswith("]"):
        return input_text, number_in(path)
    return outer.item, outer.number
