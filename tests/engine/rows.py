"""What is stored of a forest: the row of each execution, and how its state is read back.

A `Ground` is shared by all worlds of one workflow. Rows are values: two of equal content are one
object, so that worlds can be compared, and what follows from a row is reckoned once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from durable_django.engine import machine
from durable_django.engine.context import Change, fold
from durable_django.engine.machine import Recorded
from durable_django.engine.paths import fork_of, is_joining
from durable_django.engine.state import (
    EMPTY,
    RunState,
    as_inherited,
    attempted,
    from_snapshot,
    to_snapshot,
)

from .shapes import Drawn

ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True, eq=False)
class Row:
    """An execution. ``path`` is "" for the run; ``recorded`` are the step runs after ``snapshot``;
    ``state`` is what the worker that drives it has in memory; ``awaits`` is how the wait it was
    parked for stands: "open", "answered" or "late"."""

    path: str
    state: RunState
    status: str = "pending"
    parent: Row | None = None  # as it stood at the fork
    index: int = 0
    item: str = "null"
    snapshot: str = ""
    recorded: tuple[Recorded, ...] = ()
    seq_of: Mapping[str, str] = field(default_factory=dict)
    held_back: bool = False
    remaining: int = 0
    failures: int = 0
    released: int | None = None
    result: str = "null"
    error: dict[str, Any] | None = None
    changes: tuple[Change, ...] = ()
    awaits: str = ""
    ended: int = 0  # which of the failed members it is, by the time of its end

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def above(self) -> str | None:
        """The path of its parent; None for the run."""
        return None if self.parent is None else self.parent.path


class Ground:
    """Ids, rows and what was reckoned of them."""

    def __init__(self, workflow: Drawn, *, shares: bool = True) -> None:
        self.workflow = workflow
        self.shares = shares
        self.definition = workflow.definition
        self.rows: dict[Any, Row] = {}
        self.made: dict[Any, Any] = {}
        self.first_ids: dict[str, UUID] = {}
        self.forks: dict[UUID, str] = {}
        self.outputs: dict[tuple[str, int], str] = {}  # the step runs' outputs, by (hex, seq)
        self._inherited: dict[tuple[str, str], RunState] = {}
        self._keys: dict[int, tuple[RunState, Any]] = {}
        self._read_back: set[Any] = set()

    # -- ids ---------------------------------------------------------------------------------

    def first_id(self, fork: str) -> UUID:
        """The id of the first strand of the fork at this path."""
        if fork not in self.first_ids:
            self.first_ids[fork] = first = UUID(int=(len(self.first_ids) + 2) << 32)
            self.forks[first] = fork
        return self.first_ids[fork]

    def hex_of(self, row: Row) -> str:
        if row.parent is None:
            return UUID(int=1).hex
        return UUID(int=self.first_id(fork_of(row.path)).int + row.index).hex

    # -- one object for equal rows -----------------------------------------------------------

    def put(self, row: Row, changes: dict[str, Any]) -> Row:
        """``row`` with ``changes``, as the one object for all rows of that content."""
        if not self.shares:
            row = replace(row, **changes)
            assert_same(self, row, self.state_of(row)[0])
            return row
        key = (row, id(changes) if "state" in changes else tuple(changes.items()))
        if key not in self.made:
            self.made[key] = self._put(replace(row, **changes)), changes
        found: Row = self.made[key][0]
        return found

    def strand(self, parent: Row, index: int, path: str, item: str, **changes: Any) -> Row:
        """The row of a member that has not begun."""
        key = (parent, index, path)
        if key not in self.made:
            row = Row(path, parent.state, parent=parent, index=index, item=item, **changes)
            self.made[key] = self._put(replace(row, state=self.first_state(row)))
        found: Row = self.made[key]
        return found

    def _put(self, row: Row) -> Row:
        if not self.shares:
            return row
        key = (
            *(row.path, row.status, row.held_back, row.remaining, row.failures, row.released),
            *(row.result, row.error and row.error["message"], row.changes, row.ended, row.awaits),
            self.key_of(row.state),
        )
        found = self.rows.setdefault(key, row)
        stored = (id(found), row.snapshot, row.recorded)
        if stored not in self._read_back:
            self._read_back.add(stored)
            assert_same(self, row, self.state_of(row)[0])
        return found

    def key_of(self, state: RunState | None) -> Any:
        """All that tells states apart, but how many step runs led to them."""
        if state is None:
            return None
        if id(state) not in self._keys:
            sets = (state.context, state.outputs, state.references, state.visits)
            key = (
                *(state.next_path, state.attempt, state.retries, state.base, state.fork),
                *(
                    state.reopens,
                    state.fatal,
                    state.changes,
                    *(frozenset(each.items()) for each in sets),
                ),
                self.key_of(state.inherited),
            )
            self._keys[id(state)] = state, key
        return self._keys[id(state)][1]

    # -- what a worker reads -----------------------------------------------------------------

    def state_of(self, row: Row) -> tuple[RunState, Recorded | None]:
        """The state as any worker makes it of what is stored."""
        first = self.first_state(row)
        if not row.snapshot and not row.recorded:
            return first, None
        state = base_state(row, self.inherited_by(row))
        if not state.next_path and not state.last:
            state = first
        return machine.replay(state, row.recorded, self.definition.has_jumps)

    def read_again(self, row: Row) -> dict[str, Any]:
        """What changes of a row whose worker is gone."""
        if self.shares:  # what is stored was read back when the row was put here
            return {"status": "pending"}
        state, started = self.state_of(row)
        assert started is None or started.status == "waiting"
        names = machine.seq_of_outputs(row.recorded, state.base)
        return {"status": "pending", "state": state, "seq_of": names}

    def first_state(self, row: Row) -> RunState:
        inherited = self.inherited_by(row)
        if inherited is None:
            return machine.initial_state(self.definition)
        return machine.initial_strand(self.definition, row.path, inherited)

    def inherited_by(self, row: Row) -> RunState | None:
        """The state of the parent at the fork, read from its row."""
        parent = row.parent
        if parent is None:
            return None
        key = (parent.path, parent.snapshot)
        if key not in self._inherited:
            outer = self.inherited_by(parent)
            base = fork_of(parent.path) if parent.path else ""
            state = from_snapshot(parent.snapshot, base, outer)
            self._inherited[key] = as_inherited(state, self.hex_of(parent))
        return self._inherited[key]

    def ended_state(self, row: Row) -> RunState:
        """The state of an ended strand, as its join reads it."""
        if not row.snapshot:
            return row.state
        state = from_snapshot(row.snapshot, fork_of(row.path))
        return as_inherited(state, self.hex_of(row))

    def go_on(self, row: Row, held_back: bool) -> dict[str, Any]:
        """What changes of an ended execution that goes on from where it stood."""
        key = (row, held_back)
        if key not in self.made:
            self.made[key] = self._goes_on(row, held_back)
        changed: dict[str, Any] = self.made[key]
        return changed

    def _goes_on(self, row: Row, held_back: bool) -> dict[str, Any]:
        known = base_state(row, None)
        state = machine.replay(known, row.recorded, True)[0]
        reopens = held_back and is_joining(state.next_path)
        state = state._replace(attempt=0, retries=0, fatal=False, reopens=reopens)
        status = "waiting" if held_back else "pending"
        afresh = {"status": status, "held_back": held_back, "remaining": 0}
        afresh |= {"error": None, "failures": 0, "ended": 0, "released": None}
        if not state.next_path:  # it never began
            return {**afresh, "state": self.first_state(row)}
        names = machine.seq_of_outputs(row.recorded, state.base)
        return {**self.parked(row, state, names), **afresh}

    def stopped(self, row: Row) -> dict[str, Any]:
        """What changes of a row that somebody ends while it waits, or goes on after that: the
        attempt is over, and what it waited for is waited for anew, unless it is there."""
        if ("stopped", row) not in self.made:
            changed: dict[str, Any] = {}
            if row.recorded and row.recorded[-1].status == "waiting":
                last = row.recorded[-1]._replace(status="cancelled")
                changed = {"recorded": (*row.recorded[:-1], last), "state": attempted(row.state)}
                changed["awaits"] = row.awaits if row.awaits == "answered" else ""
            self.made["stopped", row] = changed
        found: dict[str, Any] = self.made["stopped", row]
        return found

    def parked(self, row: Row, state: RunState, seq_of: Mapping[str, str]) -> dict[str, Any]:
        """What changes of a row whose run leaves the memory in ``state``."""
        snapshot = to_snapshot(state, seq_of)
        base = fork_of(row.path) if row.path else ""
        fresh = from_snapshot(snapshot, base, self.inherited_by(row))
        return {"snapshot": snapshot, "recorded": (), "state": fresh, "seq_of": {}}


def base_state(row: Row, inherited: RunState | None) -> RunState:
    """The state that the snapshot holds."""
    base = fork_of(row.path) if row.path else ""
    if row.snapshot:
        return from_snapshot(row.snapshot, base, inherited)
    context = inherited.context if inherited else EMPTY
    return RunState("", context=context, base=base, inherited=inherited)


def assert_same(ground: Ground, row: Row, read: RunState) -> None:
    """What is read back is what was in memory. Changes may be folded less, large outputs stand
    elsewhere, and more visits may be counted, of blocks that have ended."""
    state = row.state
    plain = {"outputs": EMPTY, "references": EMPTY, "changes": (), "visits": {}}
    assert read._replace(**plain) == state._replace(**plain)
    assert fold(read.changes) == fold(state.changes)
    assert all_outputs(ground, row, read) == all_outputs(ground, row, state)
    assert state.visits.items() <= read.visits.items()


def all_outputs(ground: Ground, row: Row, state: RunState) -> dict[str, str]:
    """Name -> encoded output of the nodes a state knows, those in step runs' rows included."""
    found = {name: fetch(ground, row, ref) for name, ref in state.references.items()}
    return {**found, **state.outputs}


def fetch(ground: Ground, row: Row, reference: str) -> str:
    """The output that a reference names: "12", or "<hex>:12"."""
    owner, _, seq = reference.rpartition(":")
    return ground.outputs[owner or ground.hex_of(row), int(seq)]
