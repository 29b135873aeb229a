"""What a worker asks the store to write: frozen rows, and the verdicts it gets back."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

# Verdicts on a checkpoint.
WRITTEN = "written"
LOST = "lost"  # the lease belongs to somebody else, or the run has ended: drop it
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
    """

    status: str
    snapshot: str
    snapshot_seq: int
    result: str = "null"
    error: str = ""
    wake_at: datetime | None = None


class Checkpoint(NamedTuple):
    """One fenced write of a run: a step run, what becomes of the run, or both.

    ``replaces``  a ``running`` row of this seq exists and is taken over
    ``snapshot``  the run's snapshot, when it is due while the run stays in memory
    ``clears``    the run was suspect and no longer is
    ``bumps``     the lease number rises with this write: an attempt was given up without its own
                  word, and must not write any more
    """

    execution_id: UUID
    lease: int
    step: StepRecord | None = None
    move: Move | None = None
    replaces: bool = False
    snapshot: str = ""
    clears: bool = False
    bumps: bool = False
