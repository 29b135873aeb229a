"""Event: the inbox. Who sends only inserts a row here; workers deliver it.

An event with an ``execution`` is for that run; one without is published, and workers copy it into
the inbox of each run that waits for its name and key.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..engine import values
from .execution import Execution
from .status import EventStatus


class EventKind(models.TextChoices):
    """Who sent it: code, an outside system by a callback's URL, or a child that ended."""

    EVENT = "event", _("event")
    CALLBACK = "callback", _("callback")
    CHILD = "child", _("child")


class Event(models.Model):
    """Something that happened, with its payload. Delivered at most once to a run."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="events",
        db_constraint=False,
        db_index=False,
        verbose_name=_("execution"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=EventKind, default=EventKind.EVENT)
    name = models.CharField(_("name"), max_length=255)
    key = models.CharField(_("key"), max_length=255, blank=True, default="")
    # Of a callback made inside an item of a foreach: only waits below this path are meant.
    scope = models.TextField(blank=True, default="")
    payload_text = models.TextField(default="null")
    # NULL for no key: only then may many events go without one under the unique constraint.
    idempotency_key = models.CharField(  # noqa: DJ001
        _("idempotency key"), max_length=255, null=True, blank=True
    )
    # The published event this is a copy of.
    source_id = models.BigIntegerField(null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=EventStatus, default=EventStatus.NEW
    )
    wait_id = models.BigIntegerField(_("wait"), null=True, blank=True)
    created_at = models.DateTimeField(_("sent"))
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)
    # NULL while it is new.
    examined_at = models.DateTimeField(null=True, blank=True)
    # NULL while it may still be delivered.
    ended_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ("view",)
        permissions = [("send_event", _("Can send an event"))]
        ordering = ("id",)
        # As those of waits, they ask for NULLs.
        indexes = [
            models.Index(
                fields=("id",), name="durable_event_new", condition=Q(examined_at__isnull=True)
            ),
            models.Index(
                fields=("execution", "kind", "name", "id"),
                name="durable_event_inbox",
                condition=Q(ended_at__isnull=True, execution__isnull=False),
            ),
            models.Index(
                fields=("name", "key", "id"),
                name="durable_event_published",
                condition=Q(ended_at__isnull=True, execution__isnull=True),
            ),
            # What a run got is read on its page, and deleted with it.
            models.Index(
                fields=("execution", "id"),
                name="durable_event_ended",
                condition=Q(ended_at__isnull=False, execution__isnull=False),
            ),
            models.Index(
                fields=("expires_at",),
                name="durable_event_expires",
                condition=Q(ended_at__isnull=True, execution__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("execution", "idempotency_key"),
                name="durable_event_idempotent",
                condition=Q(execution__isnull=False, idempotency_key__isnull=False),
            ),
            models.UniqueConstraint(
                fields=("name", "key", "idempotency_key"),
                name="durable_event_published_once",
                condition=Q(execution__isnull=True, idempotency_key__isnull=False),
            ),
            models.UniqueConstraint(
                fields=("execution", "source_id"),
                name="durable_event_copied_once",
                condition=Q(source_id__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(status__in=EventStatus.values), name="durable_event_status"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=EventKind.values), name="durable_event_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"

    @property
    def payload(self) -> Any:
        """What was sent with it; None is a payload, too."""
        return values.decode(self.payload_text)
