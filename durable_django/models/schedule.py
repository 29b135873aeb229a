"""Schedule: when a workflow is started again and again; ScheduleTick: what became of each time.

Written by ``store.scheduling`` and its neighbours only. A schedule that code declares has a row as
well: what operators decide about it (off or on, its next time) is theirs, all else the code's.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..engine import values
from .execution import Execution


class ScheduleSource(models.TextChoices):
    """Where a schedule comes from."""

    CODE = "code", _("code")
    PEOPLE = "people", _("people")


class Overlap(models.TextChoices):
    """What a tick does while a run of an earlier one has not ended."""

    SKIP = "skip", _("leave it out")
    ALLOW = "allow", _("start it beside the other")
    QUEUE_ONE = "queue_one", _("start it when the other has ended, one at the most")
    CANCEL_PREVIOUS = "cancel_previous", _("cancel the other")


class CatchUp(models.TextChoices):
    """What becomes of ticks that came while no worker lived, or the schedule could not be read."""

    NONE = "none", _("none of them")
    ONE = "one", _("the latest of them")
    ALL = "all", _("each of them")


class TickKind(models.TextChoices):
    """Why a tick is there: its time came, somebody triggered it, or filled a range in later."""

    TIME = "time", _("its time")
    TRIGGER = "trigger", _("triggered")
    BACKFILL = "backfill", _("back-filled")


class TickOutcome(models.TextChoices):
    """What became of a tick."""

    STARTED = "started", _("started")
    QUEUED = "queued", _("waits for the run before it")
    SKIPPED = "skipped", _("left out: the run before it had not ended")
    MISSED = "missed", _("missed")
    FAILED = "failed", _("could not be started")


class Schedule(models.Model):
    """``next_at`` is the next tick by the calendar, ``due_at`` when it is fired (``next_at`` and
    its jitter); NULL while nothing is to come: off, retired, or no occurrence left. All durations
    are in seconds."""

    id = models.BigAutoField(primary_key=True)
    workflow_name = models.CharField(_("workflow"), max_length=200)
    name = models.CharField(_("name"), max_length=100)
    source = models.CharField(_("declared in"), max_length=10, choices=ScheduleSource)

    # One of them: an expression with its zone ("" for the project's), or an interval.
    cron = models.CharField(_("cron expression"), max_length=200, blank=True, default="")
    timezone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    interval_seconds = models.FloatField(_("interval"), null=True, blank=True)
    offset_seconds = models.FloatField(_("offset"), default=0.0)

    input_text = models.TextField(default="{}")
    # Of its runs; "" for the workflow's own.
    queue = models.CharField(_("queue"), max_length=100, blank=True, default="")
    overlap = models.CharField(
        _("if the run before has not ended"), max_length=20, choices=Overlap, default=Overlap.SKIP
    )
    catch_up = models.CharField(
        _("after downtime"), max_length=10, choices=CatchUp, default=CatchUp.ONE
    )
    catch_up_seconds = models.FloatField(_("catch up over"))
    jitter_seconds = models.FloatField(_("jitter"), default=0.0)
    disable_after = models.PositiveIntegerField(_("off after failures"), null=True, blank=True)

    enabled = models.BooleanField(_("on"), default=True)
    # Since then failures in a row are counted, and why it is off, if it switched itself off.
    enabled_at = models.DateTimeField(_("switched on"))
    disabled_reason = models.TextField(_("why it is off"), blank=True, default="")
    # Of one that code declares: what it said when it was last synchronised, and since when it says
    # so no longer.
    declared_text = models.TextField(blank=True, default="")
    retired_at = models.DateTimeField(_("no longer declared"), null=True, blank=True)

    next_at = models.DateTimeField(_("next"), null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    # The tick that waits for the run before it to end; only with ``queue_one``.
    queued_at = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(_("last"), null=True, blank=True)
    # Why it could not be fired when it was last tried.
    error = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        default_permissions = ("view",)
        permissions = [
            ("manage_schedule", _("Can create, change, switch, trigger and back-fill schedules"))
        ]
        ordering = ("workflow_name", "name")
        indexes = [
            models.Index(
                fields=("due_at",), name="durable_schedule_due", condition=Q(due_at__isnull=False)
            ),
            models.Index(
                fields=("queued_at",),
                name="durable_schedule_queued",
                condition=Q(queued_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=("workflow_name", "name"), name="durable_schedule_name"),
            models.CheckConstraint(
                condition=Q(cron="", interval_seconds__gt=0)
                | (~Q(cron="") & Q(interval_seconds__isnull=True)),
                name="durable_schedule_one_kind",
            ),
            models.CheckConstraint(
                condition=Q(overlap__in=Overlap.values), name="durable_schedule_overlap"
            ),
            models.CheckConstraint(
                condition=Q(catch_up__in=CatchUp.values), name="durable_schedule_catch_up"
            ),
            models.CheckConstraint(
                condition=Q(due_at__isnull=True)
                | Q(enabled=True, retired_at__isnull=True, next_at__isnull=False),
                name="durable_schedule_due_if_on",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_name}: {self.name}"

    @property
    def input(self) -> Any:
        """What its runs are started with; of one whose code gives an input per tick, ``{}``."""
        return values.decode(self.input_text)

    @property
    def key(self) -> str:
        """What the audit trail calls it: ``"shop.order: nightly"``."""
        return str(self)


class ScheduleTick(models.Model):
    """``at`` is the time by the calendar; ``run_status`` how the run ended, "" before that was
    looked up. No time of a schedule has two ticks, but for triggered ones."""

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(
        Schedule,
        on_delete=models.CASCADE,
        related_name="ticks",
        db_index=False,
        verbose_name=_("schedule"),
    )
    kind = models.CharField(_("because of"), max_length=10, choices=TickKind)
    at = models.DateTimeField(_("tick"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=TickOutcome)
    execution = models.ForeignKey(
        Execution,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("execution"),
    )
    run_status = models.CharField(max_length=20, blank=True, default="")
    detail = models.TextField(_("detail"), blank=True, default="")
    created_at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("tick")
        verbose_name_plural = _("ticks")
        default_permissions = ()
        ordering = ("-id",)
        indexes = [
            models.Index(fields=("schedule", "id"), name="durable_tick_schedule"),
            # Runs that had not ended when they were last looked at.
            models.Index(
                fields=("schedule", "at"),
                name="durable_tick_open",
                condition=Q(outcome="started", run_status=""),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("schedule", "at"),
                name="durable_tick_once",
                condition=~Q(kind="trigger"),
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=TickOutcome.values), name="durable_tick_outcome"
            ),
            models.CheckConstraint(condition=Q(kind__in=TickKind.values), name="durable_tick_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.outcome}"
