"""What is known of a run when somebody asks why it does not move, and what is answered.

Frozen data, made by ``reading`` and judged by ``reasons``; times are aware and by the database's
clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One answer. ``code`` names it for machines, ``text`` says it in the reader's language.

    ``verb``    the action that helps, as the API and the admin's buttons call it: "resume",
                "retry", "answer", "send_event", "resume_queue", "limit_queue", …; None: nothing
                has to be done, or nothing that the console could do
    ``until``   when it is over by itself, if it is
    ``detail``  what the sentence speaks of: ``{"queue": "mail"}``, ``{"wait": 7, "node": "paid"}``
    """

    code: str
    text: str
    verb: str | None = None
    until: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Act:
    """What somebody did, from the audit trail. ``by`` and ``reason`` may be empty."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A worker that holds the run. ``status`` is that of its row, "gone" without one."""

    name: str
    status: str
    heartbeat_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class QueueFacts:
    """Of the queue a run is in. ``held`` is how many of its executions workers hold; only counted
    where there is a limit. ``served_by`` are the living workers that run its steps, of ``alive``.
    ``is_kept``: one of these wakes what is due, as all do but processes of clusters."""

    name: str
    served_by: tuple[str, ...] = ()
    alive: int = 0
    is_kept: bool = True
    paused_at: datetime | None = None
    paused: Act | None = None
    limit: int | None = None
    held: int = 0


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """Of the cluster of another engine that carries the runs of the queue. ``start``: the command
    that starts it, "" where only the engine knows. ``processes`` of it live, ``idle`` of them hold
    nothing, which is only counted where the run, ready since ``ready_at``, was handed over (the
    last time at ``handed_over_at``), and nobody has taken it yet."""

    name: str
    start: str = ""
    processes: int = 0
    idle: int = 0
    ready_at: datetime | None = None
    handed_over_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WaitFacts:
    """An open wait. ``has_timeout_value``: when its time is up it gives that, else it fails."""

    id: int
    kind: str
    node: str
    name: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    due_at: datetime | None = None
    is_answered: bool = False
    has_timeout_value: bool = False
    assignee_kind: str = ""
    assignee: str = ""
    child_id: UUID | None = None
    child_status: str | None = None


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """Members of the fork that have not ended: how many of one status, held by one worker."""

    status: str
    count: int
    holder: Holder | None = None
    wakes_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """The latest step run. ``error`` is the type of its error, empty without one."""

    name: str
    status: str
    attempt: int
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is judged. Of what does not matter in its status nothing is read: then it stands at
    its default."""

    now: datetime
    status: str
    workflow: str
    version: int
    queue: QueueFacts
    cluster: ClusterFacts | None = None
    has_code: bool = True
    is_strand: bool = False
    fork: str = ""
    scheduled_at: datetime | None = None
    wake_at: datetime | None = None
    timeout_at: datetime | None = None
    paused_at: datetime | None = None
    paused: Act | None = None
    cancelled: Act | None = None
    cancel_reason: str = ""
    holder: Holder | None = None
    is_held_back: bool = False
    is_suspect: bool = False
    recoveries: int = 0
    recoveries_max: int = 0
    remaining: int = 0
    failures: int = 0
    members: tuple[MemberFacts, ...] = ()
    waits: tuple[WaitFacts, ...] = ()
    step: StepFacts | None = None
    error: Mapping[str, Any] | None = None
    lease: timedelta = timedelta(seconds=30)
    heartbeat: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(seconds=25)
