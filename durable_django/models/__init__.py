"""The rows. Only ``durable_django.store`` writes them; everything else reads."""

from .definition import WorkflowDefinition
from .event import Event, EventKind
from .execution import Execution
from .status import FINAL, EventStatus, ExecutionStatus, StepStatus, WaitStatus, WorkerStatus
from .step_run import StepRun
from .wait import PendingInput, Wait, WaitKind
from .worker import Worker

__all__ = [
    "FINAL",
    "Event",
    "EventKind",
    "EventStatus",
    "Execution",
    "ExecutionStatus",
    "PendingInput",
    "StepRun",
    "StepStatus",
    "Wait",
    "WaitKind",
    "WaitStatus",
    "Worker",
    "WorkerStatus",
    "WorkflowDefinition",
]
