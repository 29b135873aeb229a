"""Queue: what an operator has decided about a queue: paused or not, and how many at once.

A queue needs no row to be used. One is made when a worker starts that serves it, or when somebody
pauses or limits it. Workers read the rows; only the store writes them.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Queue(models.Model):
    """``concurrency_limit`` is how many executions of the queue workers hold at once, over all
    processes; NULL: as many as they have threads for. While ``paused_at`` is set none is claimed.
    """

    name = models.CharField(_("name"), max_length=100, primary_key=True)
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    concurrency_limit = models.PositiveIntegerField(_("limit"), null=True, blank=True)
    created_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        default_permissions = ("view",)
        permissions = [("manage_queue", _("Can pause and limit a queue"))]
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(concurrency_limit__isnull=True) | Q(concurrency_limit__gt=0),
                name="durable_queue_limit",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        """Whether nothing of it is claimed."""
        return self.paused_at is not None
