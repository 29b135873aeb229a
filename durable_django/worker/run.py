"""A claimed run in memory: what the worker needs to serve it without reading the database."""

from __future__ import annotations

import time
from uuid import UUID

from ..definition import registry
from ..definition.definition import Definition
from ..engine import machine
from ..engine.machine import Recorded, Visit
from ..engine.state import RunState, given_by
from ..models.history import base_state
from ..store.claiming import Claimed
from ..store.records import Checkpoint

SNAPSHOT_EVERY = 100
# How long a run whose workflow this process does not have is put back for.
UNKNOWN_WORKFLOW_SECONDS = 30.0


class Run:
    """Driven by one thread at a time; ``lease`` is the number every write is fenced by."""

    __slots__ = (
        "claimed",
        "definition",
        "fenced_at",
        "id",
        "input_text",
        "lease",
        "queued_at",
        "seq_of",
        "snapshot_seq",
        "started_row",
        "state",
        "suspect",
        "visit",
    )

    def __init__(self, claimed: Claimed, definition: Definition) -> None:
        self.claimed = claimed
        self.id: UUID = claimed.id
        self.lease = claimed.lease
        self.definition = definition
        self.input_text = claimed.input_text
        self.snapshot_seq = claimed.snapshot_seq
        self.suspect = claimed.suspect
        self.visit: Visit
        self.fenced_at = self.queued_at = time.monotonic()
        # node name -> seq of the step run that holds its output, for references in snapshots
        self.seq_of: dict[str, int] = {}
        # The step run whose start is committed without an end, if any.
        self.started_row: Recorded | None = None
        if claimed.snapshot or claimed.recorded:
            state = base_state(claimed.snapshot)
            if not state.next_path and not state.last:  # it has not parked yet
                state = machine.initial_state(definition)
            jumps = definition.has_jumps
            self.state, self.started_row = machine.replay(state, claimed.recorded, jumps)
            self.seq_of = machine.seq_of_outputs(claimed.recorded)
        else:
            self.state = machine.initial_state(definition)

    def go_on(self, visit: Visit, state: RunState, checkpoint: Checkpoint) -> None:
        """``visit`` has completed and ``checkpoint`` is written: the run stands at ``state``."""
        self.state = state
        names = given_by(visit.path, visit.node.kind, state.next_path)
        self.seq_of.update(dict.fromkeys(names, visit.seq))
        self.fenced_at = time.monotonic()
        self.suspect, self.started_row = False, None
        if checkpoint.snapshot:
            self.snapshot_seq = visit.seq
        if checkpoint.bumps:
            self.lease += 1

    def next_visit(self) -> Visit:
        """See :func:`machine.next_visit`; kept as ``visit``."""
        self.visit = machine.next_visit(self.definition, self.state)
        return self.visit


def definition_of(claimed: Claimed) -> Definition:
    """The code of a claimed run; WorkflowNotFound when this process does not have it."""
    return registry.get(claimed.workflow_name, claimed.version).definition
