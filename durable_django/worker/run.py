"""A claimed run or strand in memory: what the worker needs to serve it without reading the
database.
"""

from __future__ import annotations

import time
from uuid import UUID

from ..definition import registry
from ..definition.definition import Definition
from ..engine import machine
from ..engine.machine import Recorded, Visit
from ..engine.rollback import START
from ..engine.state import RunState, given_by
from ..models import ExecutionStatus
from ..models.history import base_state
from ..store.claiming import Claimed
from ..store.inheriting import item_of
from ..store.records import Checkpoint
from ..tracing import is_traced
from .undoing import Rollback, StrandIsThrough, with_members_changes

SNAPSHOT_EVERY = 100
# How long a run whose workflow this process does not have is put back for.
UNKNOWN_WORKFLOW_SECONDS = 30.0


class Run:
    """Driven by one thread at a time; ``lease`` is the number every write is fenced by."""

    __slots__ = (
        "before_rollback",
        "claimed",
        "definition",
        "fenced_at",
        "id",
        "index",
        "inherited",
        "input_text",
        "is_first_visit",
        "is_strict",
        "is_traced",
        "item_text",
        "lease",
        "parked_row",
        "queued_at",
        "rollback",
        "run_id",
        "seq_of",
        "snapshot_seq",
        "started_row",
        "state",
        "suspect",
        "visit",
        "waits",
    )

    def __init__(self, claimed: Claimed, definition: Definition) -> None:
        self.claimed = claimed
        self.id: UUID = claimed.id
        self.lease = claimed.lease
        self.definition = definition
        self.snapshot_seq = claimed.snapshot_seq
        self.suspect = claimed.suspect
        self.visit: Visit
        self.fenced_at = self.queued_at = time.monotonic()
        # node name -> which step run holds its output, for references in snapshots
        self.seq_of: dict[str, str] = {}
        # The step run whose start is committed without an end, if any.
        self.started_row: Recorded | None = None
        # That of an attempt that waited, and goes on now.
        self.parked_row: Recorded | None = None
        # path -> what was recorded of the waits in that visit, where it was read with the claim
        self.waits = claimed.waits
        self.is_first_visit = True
        # A ContextConflict fails the join instead of being logged.
        self.is_strict = False
        self.is_traced = is_traced(claimed.trace_context)
        self.inherited = claimed.inherited
        # The run people know: of a strand the one it belongs to, whose input it sees.
        self.run_id: UUID = claimed.id
        self.input_text = claimed.input_text
        self.item_text: str | None = None
        self.index: int | None = None
        if claimed.path:
            self._inherit(claimed)
        self.rollback: Rollback | None = None
        self.state = self._first_state()
        if claimed.snapshot or claimed.recorded:
            self._go_back_to_checkpoint(claimed)
        if claimed.status == ExecutionStatus.COMPENSATING:
            self._roll_back()

    def _inherit(self, claimed: Claimed) -> None:
        inherited = claimed.inherited
        if inherited is None:
            raise LookupError(f"the parent of the strand {claimed.path} has no state to go on from")
        self.run_id = inherited.run_id
        self.input_text = inherited.input_text
        self.item_text, self.index = item_of(claimed.path, claimed.input_text, inherited)

    def _first_state(self) -> RunState:
        if self.inherited is None:
            return machine.initial_state(self.definition)
        return machine.initial_strand(self.definition, self.claimed.path, self.inherited.state)

    def _go_back_to_checkpoint(self, claimed: Claimed) -> None:
        inherited = self.inherited.state if self.inherited else None
        state = base_state(claimed.snapshot, claimed.path, inherited)
        if not state.next_path and not state.last:  # it has not parked yet
            state = self.state._replace(context=state.context)  # which somebody may have changed
        jumps = self.definition.has_jumps
        self.state, row = machine.replay(state, claimed.recorded, jumps)
        if row is not None and row.status == "waiting":
            self.parked_row = row
        else:
            self.started_row = row
        self.seq_of = machine.seq_of_outputs(claimed.recorded, state.base)

    def _roll_back(self) -> None:
        self.before_rollback = self.state
        self.rollback = Rollback(self.id, self.definition)
        if self.state.undo == START:
            self.state = with_members_changes(self.id, self.state)

    @property
    def is_strand(self) -> bool:
        """Whether it is a member of a fork, not a run of its own."""
        return self.inherited is not None

    @property
    def child_of(self) -> tuple[UUID, str] | None:
        """Of a run that another one called or started: that one, and its own workflow's name."""
        parent_id = self.claimed.parent_id
        if parent_id is None or self.is_strand:
            return None
        return parent_id, self.definition.name

    def go_on(self, visit: Visit, state: RunState, checkpoint: Checkpoint) -> None:
        """``visit`` has completed and ``checkpoint`` is written: the run stands at ``state``."""
        self.state = state
        if visit.undoes is None:
            names = given_by(visit.path, visit.node.kind, state.next_path, state.base)
            self.seq_of.update(dict.fromkeys(names, str(visit.seq)))
        self.fenced_at = time.monotonic()
        self.suspect, self.started_row, self.parked_row = False, None, None
        self.waits, self.is_first_visit = {}, False
        if checkpoint.snapshot:
            self.snapshot_seq = visit.seq
        if checkpoint.bumps:
            self.lease += 1

    def may_have_waited(self, visit: Visit) -> bool:
        """Whether something may be recorded of waits in this visit."""
        return visit.attempt > 1 or (self.is_first_visit and self.claimed.lease > 1)

    def next_visit(self) -> Visit:
        """See :func:`machine.next_visit`; kept as ``visit``. In a rollback it reads. NoVisit where
        there is none."""
        if self.rollback is not None:
            self.visit = self.rollback.next_visit(self.state)
            undoes = self.visit.undoes
            if self.state.attempt and undoes is not None and undoes.cursor != self.state.undo:
                # The code of the one that was tried last has gone with a deploy.
                unrecovered = self.state.unrecovered + 1
                self.state = self.state._replace(attempt=0, unrecovered=unrecovered)
        elif self.is_strand and not self.state.next_path:
            raise StrandIsThrough
        else:
            self.visit = machine.next_visit(self.definition, self.state)
        return self.visit


def definition_of(claimed: Claimed) -> Definition:
    """The code of a claimed run; WorkflowNotFound when this process does not have it."""
    return registry.get(claimed.workflow_name, claimed.version).definition
