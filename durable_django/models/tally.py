"""Tally: how many runs of a workflow ended how, and how long they took, in a minute or an hour.

Added up in memory by whoever ends runs and written every few seconds, so that no checkpoint pays
for it and a chart over a week of ten million runs reads a few thousand rows. A process that is
killed loses the last few seconds of it: rows of executions are the truth, these are for charts.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .status import ExecutionStatus

MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600


class Tally(models.Model):
    """``number`` runs of ``workflow_name`` ended with ``status`` in the ``span_seconds`` from
    ``begins_at`` and took a time of the class ``duration_class`` (see ``store.tallies``)."""

    id = models.BigAutoField(primary_key=True)
    span_seconds = models.PositiveIntegerField()
    begins_at = models.DateTimeField(_("begins"))
    workflow_name = models.CharField(_("workflow"), max_length=200)
    status = models.CharField(_("status"), max_length=20, choices=ExecutionStatus)
    duration_class = models.SmallIntegerField()
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=("span_seconds", "begins_at", "workflow_name", "status", "duration_class"),
                name="durable_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m-%d %H:%M} {self.workflow_name} {self.status} {self.number}"
