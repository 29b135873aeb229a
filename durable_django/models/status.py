"""The statuses, as the database, the admin and the code spell them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ExecutionStatus(models.TextChoices):
    """Where a run stands. Those from ``completed`` on are final."""

    SCHEDULED = "scheduled", _("scheduled")
    PENDING = "pending", _("pending")
    RUNNING = "running", _("running")
    SLEEPING = "sleeping", _("sleeping")
    WAITING = "waiting", _("waiting")
    PAUSED = "paused", _("paused")
    COMPENSATING = "compensating", _("compensating")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    COMPENSATED = "compensated", _("compensated")
    COMPENSATION_FAILED = "compensation_failed", _("compensation failed")
    CANCELLED = "cancelled", _("cancelled")


FINAL = (
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.COMPENSATED,
    ExecutionStatus.COMPENSATION_FAILED,
    ExecutionStatus.CANCELLED,
)
FINAL_VALUES = frozenset(status.value for status in FINAL)
# A rollback is shown as `compensating` from its first handler to its last, so that status is both
# ready and held by a worker.
READY = (ExecutionStatus.PENDING.value, ExecutionStatus.COMPENSATING.value)
HELD = (ExecutionStatus.RUNNING.value, ExecutionStatus.COMPENSATING.value)


class StepStatus(models.TextChoices):
    """How one attempt at a node stands or ended."""

    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    TIMED_OUT = "timed_out", _("timed out")
    CANCELLED = "cancelled", _("cancelled")
    SKIPPED = "skipped", _("skipped")


class WorkerStatus(models.TextChoices):
    """``dead`` is a verdict of another worker and final: its runs were taken over."""

    ALIVE = "alive", _("alive")
    STOPPED = "stopped", _("stopped")
    DEAD = "dead", _("dead")


class WaitStatus(models.TextChoices):
    """``answered``: somebody gave the input, and the run is still to be told."""

    OPEN = "open", _("open")
    ANSWERED = "answered", _("answered")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    TIMED_OUT = "timed_out", _("timed out")
    CANCELLED = "cancelled", _("cancelled")


class EventStatus(models.TextChoices):
    """``kept``: nobody waited for it so far, and it waits for who will."""

    NEW = "new", _("new")
    KEPT = "kept", _("kept")
    DELIVERED = "delivered", _("delivered")
    EXPIRED = "expired", _("expired")
