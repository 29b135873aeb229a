"""What a worker asks the store to write: frozen rows, and the verdicts it gets back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from .options import StartOptions

# The waits that events end.
RECEIVE = ("event", "any", "all", "callback")

# Verdicts on a checkpoint.
WRITTEN = "written"
LOST = "lost"  # the lease belongs to somebody else, or the run has ended: drop it
PARKED = "parked"  # written, and the run is paused: it has left the worker's hands
LOCKED = "locked"  # somebody holds the row at this moment: try again with the next wave


class StepRecord(NamedTuple):
    """One attempt, as its StepRun row will stand. Texts are encoded values."""

    seq: int
    path: str
    name: str
    kind: str
    attempt: int
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    next_path: str = ""
    output: str = "null"
    changes: str = "[]"
    error: str = ""
    logs: str = "[]"
    progress: float = 0.0
    progress_message: str = ""


class Move(NamedTuple):
    """What becomes of the execution row when the run leaves the worker's hands.

    ``status``   the new status; a final one ends the run
    ``wake_at``  when it shall be ready again (``sleeping``)
    ``changes``  of an ended strand: what it did to the context
    ``remaining``, ``released_id``  of a fork: its members, and the last that may begin where the
                 others are held back
    """

    status: str
    snapshot: str
    snapshot_seq: int
    result: str = "null"
    error: str = ""
    wake_at: datetime | None = None
    changes: str = "[]"
    remaining: int = 0
    released_id: UUID | None = None


class Fork(NamedTuple):
    """The strands of a fork, written together with the parking of their parent.

    ``first_id``   id of the first; the others follow it one by one
    ``members``    (path, encoded item) of each
    ``beginning``  how many may begin at once
    """

    first_id: UUID
    members: Sequence[tuple[str, str]]
    beginning: int


class StrandEnd(NamedTuple):
    """A strand ends with this checkpoint.

    ``above``      its parent, last; for one that finishes the whole run, all from that run down
    ``failed``     it did not complete
    ``decides``    its end may end the whole block, so that it is written alone
    ``tolerated``  how many failures the block bears before that
    ``finishes``   encoded result: the strand called ``self.finish(value)``
    ``beside``     paths of the other waits of a race, where this is a wait that has won it, unless
                   one of them was over before
    """

    above: tuple[UUID, ...]
    failed: bool = False
    decides: bool = False
    tolerated: int = 0
    finishes: str | None = None
    beside: tuple[str, ...] = ()

    @property
    def parent_id(self) -> UUID:
        """The execution whose member the strand is."""
        return self.above[-1]

    @property
    def locks(self) -> tuple[UUID, ...]:
        """What of that has to be locked: what counts the end, or all that ends with it."""
        return self.above if self.finishes is not None else self.above[-1:]


class WaitRecord(NamedTuple):
    """A wait, as its row will stand. The fields but the last are its columns."""

    execution_id: UUID
    member_id: UUID
    path: str
    position: int
    seq: int
    node: str
    kind: str
    created_at: datetime
    name: str = ""
    names_text: str = "[]"
    key: str = ""
    status: str = "open"
    value_text: str = "null"
    error_text: str = ""
    timeout_text: str = ""
    request_text: str = ""
    assignee_kind: str = ""
    assignee: str = ""
    events_text: str = "[]"
    child_id: UUID | None = None
    on_cancel: str = ""
    due_at: datetime | None = None
    answered_at: datetime | None = None
    resolved_at: datetime | None = None
    answered_by: str = ""
    comment: str = ""
    # A row stands for it from an attempt before, and is taken away first.
    anew: bool = False

    @property
    def looks(self) -> bool:
        """Whether what it waits for may be in the inbox already."""
        return self.kind in RECEIVE


class Child(NamedTuple):
    """A run that another one calls or starts. ``shares_root``: it is ended with its parent.
    ``trace_context`` is the trace in which that happens."""

    id: UUID
    parent_id: UUID
    options: StartOptions
    input_text: str
    shares_root: bool
    trace_context: str = ""


class Checkpoint(NamedTuple):
    """One fenced write of a run: a step run, what becomes of the run, or both.

    ``replaces``  a ``running`` row of this seq exists and is taken over
    ``snapshot``  the run's snapshot, when it is due while the run stays in memory
    ``clears``    the run was suspect and no longer is
    ``bumps``     the lease number rises with this write: an attempt was given up without its own
                  word, and must not write any more
    ``fork``      the run forks: its strands are written, too
    ``end``       the execution is a strand and ends
    ``reopens``   the members of the fork at which the run failed run again
    ``wait``      what the run is parked for
    ``child``     the run it calls, and waits for
    ``child_of``  of a run that ends: the run that called or started it, and its workflow's name
    ``precedes_end``  the strand's end follows as a checkpoint of its own
    """

    execution_id: UUID
    lease: int
    step: StepRecord | None = None
    move: Move | None = None
    replaces: bool = False
    snapshot: str = ""
    clears: bool = False
    bumps: bool = False
    fork: Fork | None = None
    end: StrandEnd | None = None
    reopens: bool = False
    wait: WaitRecord | None = None
    child: Child | None = None
    child_of: tuple[UUID, str] | None = None
    precedes_end: bool = False

    @property
    def ends_node(self) -> bool:
        """Whether a node ends with it, and the run would go on in memory."""
        has_ended = self.step is not None and self.step.finished_at is not None
        return has_ended and self.move is None and not self.precedes_end

    @property
    def is_alone(self) -> bool:
        """Whether it needs a transaction of its own: it touches rows of others."""
        ends_others = self.end is not None and (self.end.decides or self.end.finishes is not None)
        return ends_others or self.reopens


class Taking:
    """What a worker asks for with a wave: of the strands that may begin since others have ended, up
    to ``limit`` are claimed for it at once; ``rows`` are those, as a claim gives them. None of
    ``gated`` queues, which are paused or limited: only a claim sees to that."""

    def __init__(self, worker_id: UUID, limit: int, gated: Container[str] = ()) -> None:
        self.worker_id = worker_id
        self.limit = limit
        self.gated = gated
        self.rows: list[tuple[Any, ...]] = []

    def has_room_for(self, count: int) -> bool:
        """Whether so many more may be claimed."""
        return len(self.rows) + count <= self.limit
