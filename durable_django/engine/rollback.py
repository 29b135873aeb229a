"""Rollback: which completed visits are undone, in what order, and where it stands.

Newest first, by the order in which step runs were recorded. A visit that closed blocks undoes
those first, the outermost of them before the others, since they completed last.

Pure: rows in, entries out; the store reads, the worker runs the compensations.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from ..exceptions import NotSerializable
from .context import Change, apply_changes
from .paths import fork_of, node_name, visit_of
from .state import given_by

# A rollback that has not found its first visit yet.
START = "~"


class Completed(NamedTuple):
    """The row of a visit that completed. ``base``: in a strand, the visit that forked it.
    ``skipped``: somebody said what it gave, so that only blocks that ended with it are undone."""

    step_id: int
    execution_id: UUID
    path: str
    kind: str
    next_path: str
    base: str
    skipped: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes that completed with it, from the innermost out."""
        given = given_by(self.path, self.kind, self.next_path, self.base)
        return tuple(name for name in given if not self.skipped or name != node_name(self.path))


class Undo(NamedTuple):
    """One visit to undo: of ``node``, at ``path``, recorded by the step run ``step_id``."""

    step_id: int
    execution_id: UUID
    path: str
    node: str
    row: Completed

    @property
    def cursor(self) -> str:
        """How a checkpoint names it as the next: ``~17:charge``."""
        return f"{START}{self.step_id}:{self.node}"


def undo_of(row: Completed, compensations: Mapping[str, Any]) -> list[Undo]:
    """What the visit of ``row`` completed that has a compensation, newest first.

    >>> row = Completed(7, UUID(int=1), "trip/hotel", "step", "pay", "")
    >>> [undo.path for undo in undo_of(row, {"trip": ..., "hotel": ...})]
    ['trip', 'trip/hotel']
    """
    return [
        Undo(row.step_id, row.execution_id, visit_of(row.path, name), name, row)
        for name in reversed(row.names)
        if name in compensations
    ]


def place_of(cursor: str) -> tuple[int, str] | None:
    """(step run, node) a cursor names; None at the start."""
    if cursor == START:
        return None
    step_id, _, name = cursor.removeprefix(START).partition(":")
    return int(step_id), name


def is_from(undo: Undo, cursor: str) -> bool:
    """Whether ``undo`` is what the cursor names, or comes after it."""
    place = place_of(cursor)
    if place is None or undo.step_id < place[0]:
        return True
    closed = [*undo.row.names]
    if undo.step_id > place[0] or place[1] not in closed:
        return False
    return closed.index(undo.node) <= closed.index(place[1])


def path_of(undo: Undo, handler: str) -> str:
    """The path of the visit that undoes it: ``charge~refund``."""
    return f"{undo.path}~{handler}"


def own_view(
    context: Mapping[str, str], own: tuple[Change, ...], touched: Container[str]
) -> Mapping[str, str]:
    """The context as a compensation in a strand sees it: that at the failure, but a key that the
    strand had set is as it set it, whatever the members beside it set; unless it was ``touched``
    since, by what ran after the join or by a compensation of this strand."""
    mine = tuple(change for change in own if change.op == "set" and change.key not in touched)
    return apply_changes(context, mine)


def is_beside(path: str, strand_path: str) -> bool:
    """Whether a compensation at ``path`` belongs to another member of the same fork.

    >>> is_beside("nights[2]/book~unbook", "nights[1]"), is_beside("pay~refund", "nights[1]")
    (True, False)
    """
    if path.startswith((f"{strand_path}/", f"{strand_path}~")):
        return False
    return path.startswith((f"{fork_of(strand_path)}[", f"{fork_of(strand_path)}/"))


def merged_leniently(context: Mapping[str, str], changes: tuple[Change, ...]) -> Mapping[str, str]:
    """``context`` with the changes of members that were never joined; what does not fit is left
    out, since nothing may stop a rollback."""
    for change in changes:
        try:
            context = apply_changes(context, (change,))
        except (TypeError, NotSerializable):
            continue
    return context


def rounds_of(path: str, has_jumps: bool) -> list[str]:
    """The turns a visit took part in, from the outermost in, as prefixes of the paths of all visits
    in that turn: iterations of loops, items, and with jumps each visit of a block. Their outputs
    are what its compensation sees, not those of later turns.

    >>> rounds_of("months[2]/decide/days[3]/pay", False)
    ['months[2]/', 'months[2]/decide/days[3]/']
    """
    found, prefix = [], ""
    for part in path.split("/")[:-1]:
        prefix += f"{part}/"
        if has_jumps or part.endswith("]"):
            found.append(prefix)
    return found
