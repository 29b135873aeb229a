"""The way through a rollback: what is undone next, newest visit first.

Read from the rows, a page at a time, so that any worker goes on where another died.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from ..engine.machine import Visit
from ..engine.rollback import START, Undo, is_from, merged_leniently, path_of, undo_of
from ..store.rollback import PAGE, changes_never_joined, completed_visits

if TYPE_CHECKING:
    from ..definition.definition import Definition
    from ..engine.state import RunState


class NoVisit(Exception):
    """There is nothing (more) to run, and what that means is still to be written."""


class NothingToUndo(NoVisit):
    """The rollback of a run has nothing (more) to do."""


class StrandIsThrough(NoVisit):
    """The last step of a strand has committed, but not the strand's end."""


class Rollback:
    """The way through one run's completed visits. Reads a page of rows at a time."""

    def __init__(self, run_id: UUID, definition: Definition) -> None:
        self._run_id = run_id
        self._compensations = definition.compensations
        kinds = {definition.nodes[name].kind for name in self._compensations}
        # A block may have been closed by any visit.
        self._names = list(self._compensations) if kinds <= {"step", "decision"} else None
        self._entries: deque[Undo] = deque()
        self._until: int | None = None
        self._is_read = False

    def next_visit(self, state: RunState) -> Visit:
        """The compensation to run now. NothingToUndo at the end."""
        if not self._is_read and state.undo != START:
            self._until = int(state.undo.removeprefix(START).partition(":")[0])
        while True:
            self._read_on()
            if not self._entries:
                raise NothingToUndo
            if is_from(self._entries[0], state.undo):
                undo = self._entries[0]
                handler = self._compensations[undo.node]
                path = path_of(undo, handler.name or "")
                before = state.attempt if undo.cursor == state.undo else 0
                return Visit(handler, path, state.seq + 1, before + 1, undo)
            self._entries.popleft()

    def cursor_after(self, undo: Undo) -> str:
        """Names what comes after ``undo``, "" if nothing does."""
        while self._entries and self._entries[0] != undo:
            self._entries.popleft()
        return self._entries[1].cursor if len(self._entries) > 1 else ""

    def _read_on(self) -> None:
        """At least two entries, so that what comes after the first is known, too."""
        while len(self._entries) < 2 and not (self._is_read and self._until is None):
            page = completed_visits(self._run_id, self._names, self._until)
            self._is_read = True
            self._until = page[-1].step_id - 1 if len(page) == PAGE else None
            for row in page:
                self._entries.extend(undo_of(row, self._compensations))


def with_members_changes(run_id: UUID, state: RunState) -> RunState:
    """``state`` at the start of a rollback: with what members did to the context that were never
    joined, since their compensations need it."""
    changes = changes_never_joined(run_id, state)
    return state._replace(context=merged_leniently(state.context, changes), fork="")
