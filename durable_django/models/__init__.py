"""The rows. Only ``durable_django.store`` writes them; everything else reads."""

from .definition import WorkflowDefinition
from .execution import Execution
from .status import FINAL, ExecutionStatus, StepStatus, WorkerStatus
from .step_run import StepRun
from .worker import Worker

__all__ = [
    "FINAL",
    "Execution",
    "ExecutionStatus",
    "StepRun",
    "StepStatus",
    "Worker",
    "WorkerStatus",
    "WorkflowDefinition",
]
