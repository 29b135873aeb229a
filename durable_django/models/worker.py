"""Worker: one row per worker process. Its heartbeat is the lease of every run it holds."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .ids import uuid7
from .status import WorkerStatus


class Worker(models.Model):
    """A process that runs workflows, alive as long as ``heartbeat_at`` is recent."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hostname = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    # Boot and process namespace: only there does a pid that no longer exists mean a dead worker.
    pid_space = models.CharField(max_length=100, blank=True, default="")
    queues = models.JSONField(_("queues"), default=list)
    # The code it has: ["shop.order v1", …].
    workflows = models.JSONField(_("workflows"), default=list)
    threads = models.PositiveIntegerField(_("threads"), default=0)
    executor = models.CharField(_("executor"), max_length=200, default="threads")
    # The cluster of another engine that this process belongs to.
    cluster = models.CharField(_("cluster"), max_length=100, blank=True, default="")
    package_version = models.CharField(_("version"), max_length=50, blank=True, default="")
    status = models.CharField(
        _("status"), max_length=10, choices=WorkerStatus, default=WorkerStatus.ALIVE
    )
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        default_permissions = ("view",)
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("heartbeat_at",),
                name="durable_worker_alive",
                condition=models.Q(status="alive"),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=WorkerStatus.values), name="durable_worker_status"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}"
