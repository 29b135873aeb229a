"""Wait: one row for everything a run waits for, and for what a step remembers of itself.

Declared waits stand at position 0 of their visit; waits inside a step, calls, starts and ``once``
at 1, 2, … in the order in which its body came to them. What was found stands here for good, so that
a replay sees it again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..engine import values
from .execution import Execution
from .status import WaitStatus


class WaitKind(models.TextChoices):
    """What is waited for."""

    SLEEP = "sleep", _("time")
    EVENT = "event", _("event")
    ANY = "any", _("any of several events")
    ALL = "all", _("all of several events")
    INPUT = "input", _("input")
    CALLBACK = "callback", _("callback")
    CALL = "call", _("called workflow")
    START = "start", _("started workflow")
    ONCE = "once", _("once")


class Wait(models.Model):
    """``execution`` is the run, ``member`` the row that is parked: the run's own or a strand's."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution,
        on_delete=models.CASCADE,
        related_name="waits",
        db_constraint=False,
        db_index=False,
        verbose_name=_("execution"),
    )
    member = models.ForeignKey(
        Execution,
        on_delete=models.CASCADE,
        related_name="own_waits",
        db_constraint=False,
        db_index=False,
        verbose_name=_("member"),
    )
    path = models.TextField(_("path"))
    position = models.PositiveIntegerField(_("position"), default=0)
    # The step run whose attempt made it: a later one makes what failed anew.
    seq = models.PositiveIntegerField(default=1)
    node = models.CharField(_("node"), max_length=200)
    kind = models.CharField(_("kind"), max_length=10, choices=WaitKind)
    # Of the event, the input, the callback, the called workflow, or the key of a `once`.
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    names_text = models.TextField(default="[]")  # of any and all
    key = models.CharField(_("key"), max_length=255, blank=True, default="")
    status = models.CharField(
        _("status"), max_length=10, choices=WaitStatus, default=WaitStatus.OPEN
    )
    value_text = models.TextField(default="null")
    error_text = models.TextField(blank=True, default="")
    # What it gives when its time is up; empty: that is a WaitTimeout.
    timeout_text = models.TextField(blank=True, default="")
    # Of an input: {"form", "prompt", "fields", "choices"}.
    request_text = models.TextField(blank=True, default="")
    assignee_kind = models.CharField(_("assigned to a"), max_length=10, blank=True, default="")
    assignee = models.CharField(_("assignee"), max_length=255, blank=True, default="")
    # The events it has consumed: they go back to the inbox if it turns out that nobody needed them.
    events_text = models.TextField(default="[]")
    child_id = models.UUIDField(_("child"), null=True, blank=True)
    # What becomes of a called workflow when its caller is cancelled: "cancel" or "abandon".
    on_cancel = models.CharField(max_length=10, blank=True, default="")
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"))
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    # NULL while a worker has still to do something about it: open or answered.
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    answered_by = models.CharField(_("answered by"), max_length=255, blank=True, default="")
    comment = models.TextField(_("comment"), blank=True, default="")

    class Meta:
        verbose_name = _("wait")
        verbose_name_plural = _("waits")
        default_permissions = ("view",)
        ordering = ("id",)
        # Their conditions ask for NULLs: with a parameter, as the ORM makes of a status, SQLite
        # uses no partial index.
        indexes = [
            models.Index(
                fields=("member",),
                name="durable_wait_member",
                condition=Q(resolved_at__isnull=True),
            ),
            # Which wait of a run an event, an answer or a child's end is for.
            models.Index(
                fields=("execution", "kind", "name"),
                name="durable_wait_awaited",
                condition=Q(resolved_at__isnull=True),
            ),
            # Which runs a published event is for.
            models.Index(
                fields=("kind", "key", "name"),
                name="durable_wait_published",
                condition=Q(resolved_at__isnull=True),
            ),
            models.Index(
                fields=("answered_at",),
                name="durable_wait_answered",
                condition=Q(answered_at__isnull=False, resolved_at__isnull=True),
            ),
            models.Index(
                fields=("assignee_kind", "assignee", "id"),
                name="durable_wait_inbox",
                condition=Q(kind="input", resolved_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("execution", "path", "position"), name="durable_wait_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=WaitStatus.values), name="durable_wait_status"
            ),
            models.CheckConstraint(condition=Q(kind__in=WaitKind.values), name="durable_wait_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name or self.node}"

    @property
    def names(self) -> list[str]:
        """The events waited for, of ``wait_for_any`` and ``wait_for_all``."""
        return values.decode(self.names_text)  # type: ignore[no-any-return]

    @property
    def value(self) -> Any:
        """What it gave; None while it is open (and perhaps also then)."""
        return values.decode(self.value_text)

    @property
    def timeout_value(self) -> Any:
        """What it gives when its time is up; None also where that is a WaitTimeout."""
        return values.decode(self.timeout_text) if self.timeout_text else None

    @property
    def error(self) -> dict[str, Any] | None:
        """``{"type", "message", "traceback", "node"}`` of a wait that failed, else None."""
        return values.decode(self.error_text) if self.error_text else None

    @property
    def request(self) -> dict[str, Any]:
        """Of an input: ``{"form", "prompt", "fields", "choices"}``."""
        return values.decode(self.request_text) if self.request_text else {}

    @property
    def is_open(self) -> bool:
        """Whether it is still waited for."""
        return self.status == WaitStatus.OPEN


class PendingInputs(models.Manager["PendingInput"]):
    """The inputs that somebody is waited for to give."""

    def get_queryset(self) -> models.QuerySet[PendingInput]:
        rows = (
            super()
            .get_queryset()
            .filter(kind=WaitKind.INPUT, status=WaitStatus.OPEN, resolved_at__isnull=True)
        )
        return rows.select_related("execution").defer(
            "execution__input_text", "execution__snapshot", "execution__result_text"
        )


class PendingInput(Wait):
    """A request for input that is open: ``id``, ``execution``, ``node``, ``name``, ``index``,
    ``prompt``, ``form``, ``fields``, ``choices``, ``assignee_kind``, ``assignee``, ``due_at``."""

    objects: ClassVar[PendingInputs] = PendingInputs()

    class Meta:
        proxy = True
        verbose_name = _("pending input")
        verbose_name_plural = _("pending inputs")
        default_permissions = ("view",)
        permissions = [("answer_input", _("Can answer a request for input"))]

    @property
    def prompt(self) -> str:
        """What the person is asked."""
        return str(self.request.get("prompt", ""))

    @property
    def form(self) -> str:
        """What kind of answer: "input", "approval", "choice", "text" or "form"."""
        return str(self.request.get("form", "input"))

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The fields of the form."""
        return list(self.request.get("fields") or ())

    @property
    def choices(self) -> list[Any]:
        """Between what to choose."""
        return list(self.request.get("choices") or ())

    @property
    def index(self) -> int | None:
        """The index of the item, for one asked inside a foreach, else None."""
        return values.decode(self.request_text).get("index") if self.request_text else None
