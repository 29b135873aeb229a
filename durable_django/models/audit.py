"""AuditEntry: who did what to a run, a queue or a schedule, and why.

Written in the transaction of what it tells of, by the store; never changed. What a worker does by
itself stands in step runs and waits, not here.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..engine import values
from .execution import Execution


class AuditVerb(models.TextChoices):
    """What somebody did. The words are those of the API's functions."""

    START = "start", _("started")
    CANCEL = "cancel", _("cancelled")
    RETRY = "retry", _("retried")
    RERUN = "rerun", _("re-run")
    PAUSE = "pause", _("paused")
    RESUME = "resume", _("resumed")
    SKIP = "skip", _("skipped a node")
    EDIT_CONTEXT = "edit_context", _("changed the context")
    SEND_EVENT = "send_event", _("sent an event")
    ANSWER = "answer", _("answered")
    LIMIT = "limit", _("changed the limit")
    CREATE = "create", _("created")
    CHANGE = "change", _("changed")
    DELETE = "delete", _("deleted")
    ENABLE = "enable", _("switched on")
    DISABLE = "disable", _("switched off")
    TRIGGER = "trigger", _("triggered")
    BACKFILL = "backfill", _("back-filled")
    MOVE = "move", _("moved the next tick")
    PRUNE = "prune", _("deleted what ended long ago")
    FIX = "fix", _("fixed")


class AuditEntry(models.Model):
    """``by`` is the name of a user, or what the caller of the API said; empty: code that did not
    say. ``execution`` is NULL for what was done to a queue or a schedule: its name then stands in
    ``queue``, or as ``"<workflow>: <name>"`` in ``schedule``."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="history",
        db_constraint=False,
        db_index=False,
        verbose_name=_("execution"),
    )
    queue = models.CharField(_("queue"), max_length=100, blank=True, default="")
    schedule = models.CharField(_("schedule"), max_length=310, blank=True, default="")
    verb = models.CharField(_("action"), max_length=20, choices=AuditVerb)
    by = models.CharField(_("by"), max_length=255, blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")
    detail_text = models.TextField(default="{}")
    created_at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ("view",)
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("execution", "id"),
                name="durable_audit_execution",
                condition=Q(execution__isnull=False),
            ),
            models.Index(
                fields=("queue", "id"),
                name="durable_audit_queue",
                condition=Q(execution__isnull=True, schedule=""),
            ),
            models.Index(
                fields=("schedule", "id"),
                name="durable_audit_schedule",
                condition=~Q(schedule=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(verb__in=AuditVerb.values), name="durable_audit_verb"
            )
        ]

    def __str__(self) -> str:
        return f"{self.by or '-'}: {self.get_verb_display()}"

    @property
    def detail(self) -> dict[str, Any]:
        """What exactly: ``{"node": "charge"}``, ``{"set": {…}, "before": {…}}``."""
        return values.decode(self.detail_text)  # type: ignore[no-any-return]
