"""The rows. Only ``durable_django.store`` writes them; everything else reads."""

from .audit import AuditEntry, AuditVerb
from .definition import WorkflowDefinition
from .event import Event, EventKind
from .execution import Execution
from .overview import Overview
from .queue import Queue
from .schedule import (
    CatchUp,
    Overlap,
    Schedule,
    ScheduleSource,
    ScheduleTick,
    TickKind,
    TickOutcome,
)
from .status import FINAL, EventStatus, ExecutionStatus, StepStatus, WaitStatus, WorkerStatus
from .step_run import StepRun
from .tally import Tally
from .wait import PendingInput, Wait, WaitKind
from .worker import Worker

__all__ = [
    "FINAL",
    "AuditEntry",
    "AuditVerb",
    "CatchUp",
    "Event",
    "EventKind",
    "EventStatus",
    "Execution",
    "ExecutionStatus",
    "Overlap",
    "Overview",
    "PendingInput",
    "Queue",
    "Schedule",
    "ScheduleSource",
    "ScheduleTick",
    "StepRun",
    "StepStatus",
    "Tally",
    "TickKind",
    "TickOutcome",
    "Wait",
    "WaitKind",
    "WaitStatus",
    "Worker",
    "WorkerStatus",
    "WorkflowDefinition",
]
