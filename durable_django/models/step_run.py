"""StepRun: one row per attempt at a node, written once, when the attempt ends.

Rows of what runs longer than a heartbeat, of ``at_most_once`` steps and of suspect runs stand as
``running`` first and are taken over by their end.
"""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..engine import values
from ..engine.context import decode_changes
from .execution import Execution
from .status import StepStatus
from .worker import Worker


class StepRunQuerySet(models.QuerySet["StepRun"]):
    """Step runs; ``all()`` of those that are in memory already reads nothing again."""

    def all(self) -> Self:
        return self if self._result_cache is not None else super().all()


class StepRun(models.Model):
    """An attempt. Ascending ids are the order of cause and effect, whatever the clocks say."""

    id = models.BigAutoField(primary_key=True)
    # No database constraint: each row is written under a lock on its execution, and the check
    # would cost 10-13 µs a row at commit (PostgreSQL 18, a third of a checkpoint).
    execution = models.ForeignKey(
        Execution,
        on_delete=models.CASCADE,
        related_name="own_steps",
        db_constraint=False,
        db_index=False,
        verbose_name=_("execution"),
    )
    seq = models.PositiveIntegerField()
    path = models.TextField(_("path"))
    name = models.CharField(_("node"), max_length=200)
    kind = models.CharField(_("kind"), max_length=20)
    attempt = models.PositiveIntegerField(_("attempt"))
    status = models.CharField(_("status"), max_length=10, choices=StepStatus)
    next_path = models.TextField(blank=True, default="")
    output_text = models.TextField(default="null")
    changes_text = models.TextField(default="[]")
    error_text = models.TextField(blank=True, default="")
    logs_text = models.TextField(default="[]")
    progress = models.FloatField(_("progress"), default=0.0)
    progress_message = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    worker = models.ForeignKey(
        Worker,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("worker"),
    )

    objects = StepRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("step run")
        verbose_name_plural = _("step runs")
        default_permissions = ("view",)
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("execution", "seq"), name="durable_step_run_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=StepStatus.values), name="durable_step_run_status"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} #{self.attempt} {self.status}"

    @property
    def output(self) -> Any:
        """What the attempt gave; None unless completed (a completed one may give None too)."""
        return values.decode(self.output_text)

    @property
    def changes(self) -> list[tuple[str, str, Any]]:
        """What it did to the context: ``("set", "total", 12.5)``."""
        decoded = decode_changes(self.changes_text)
        return [(change.op, change.key, values.decode(change.text)) for change in decoded]

    @property
    def error(self) -> dict[str, Any] | None:
        """``{"type", "message", "traceback", "node"}``, or None."""
        return values.decode(self.error_text) if self.error_text else None

    @property
    def logs(self) -> list[dict[str, Any]]:
        """``[{"at", "level", "logger", "message"}]`` in the order they were written."""
        return values.decode(self.logs_text)  # type: ignore[no-any-return]

    @property
    def duration_seconds(self) -> float | None:
        """From start to end, None while it runs."""
        if self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
