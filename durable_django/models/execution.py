"""Execution: a unit of work, always one row; a run of a workflow, or a strand of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ..engine import values
from .ids import uuid7
from .lookups import TagsField
from .rare import RARE, TagsIndex
from .reading import output_text
from .status import FINAL_VALUES, HELD, READY, ExecutionStatus
from .worker import Worker

if TYPE_CHECKING:
    from ..definition.durations import Duration
    from ..engine.state import RunState
    from .step_run import StepRun


class ExecutionKind(models.TextChoices):
    """A run of a workflow, or a member of a parallel, race or foreach that needs a row."""

    WORKFLOW = "workflow", _("workflow")
    STRAND = "strand", _("strand")


class Execution(models.Model):
    """What people read of a run; see design §3 for the meaning of each name."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(
        _("kind"), max_length=10, choices=ExecutionKind, default=ExecutionKind.WORKFLOW
    )
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="children",
        db_index=False,
        # PostgreSQL would check each strand of a fork, by a plan it keeps: 10,000 took 1.6 s more.
        db_constraint=False,
        verbose_name=_("parent"),
    )
    # Points at itself in a run without parent; immutable, like depth: the lock order is
    # (root_id, depth, id). No constraint: it would be checked on every insert.
    root = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        related_name="tree",
        db_index=False,
        db_constraint=False,
        verbose_name=_("root"),
    )
    depth = models.PositiveSmallIntegerField(_("depth"), default=0)
    path = models.TextField(_("path"), blank=True, default="")

    workflow_name = models.CharField(_("workflow"), max_length=200)
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=20, choices=ExecutionStatus)
    queue = models.CharField(_("queue"), max_length=100, default="default")
    priority = models.SmallIntegerField(_("priority"), default=0)
    tags = TagsField(_("tags"), default=list, blank=True)
    # NULL for no key: only then may many runs go without one under the unique constraint.
    idempotency_key = models.CharField(  # noqa: DJ001
        _("idempotency key"), max_length=255, null=True, blank=True
    )

    input_text = models.TextField(default="{}")
    snapshot = models.TextField(blank=True, default="")
    snapshot_seq = models.PositiveIntegerField(default=0)
    result_text = models.TextField(default="null")
    error_text = models.TextField(blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")

    # The trace it was started in: W3C "traceparent", a space and "tracestate"; "" without one.
    trace_context = models.TextField(blank=True, default="")

    # While its strands run: how many have not ended, how many failed, and the last strand that was
    # let begin where a foreach has a concurrency (NULL: none is held back any more).
    remaining = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    released_id = models.UUIDField(null=True, blank=True, editable=False)
    # A strand whose turn has not come; its status is `waiting`.
    held_back = models.BooleanField(default=False)
    # What an ended strand did to the context, folded; merged at the join.
    changes_text = models.TextField(default="[]")

    lease = models.PositiveIntegerField(_("lease"), default=0)
    worker = models.ForeignKey(
        Worker,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="executions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("worker"),
    )
    # Its turn under this lease was handed to another engine then, which has not taken it yet.
    dispatched_lease = models.PositiveIntegerField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    suspect = models.BooleanField(_("suspect"), default=False)
    recoveries = models.PositiveSmallIntegerField(_("recoveries"), default=0)
    recovery_seq = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(_("created"))
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    ready_at = models.DateTimeField(_("ready"))
    wake_at = models.DateTimeField(_("wakes"), null=True, blank=True)
    timeout_at = models.DateTimeField(_("times out"), null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    # Since when it is paused, or will be: one that a worker holds ends its node first.
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        default_permissions = ("view",)
        permissions = [
            ("start_execution", _("Can start a workflow")),
            ("cancel_execution", _("Can cancel an execution")),
            ("retry_execution", _("Can retry an execution, and choose where it goes on")),
            ("rerun_execution", _("Can run an execution again from a node")),
            ("pause_execution", _("Can pause and resume an execution")),
            ("skip_execution", _("Can skip a failed node of an execution")),
            ("edit_context", _("Can change the context of an execution")),
            ("view_sensitive", _("Can see values that are masked")),
            ("prune_execution", _("Can delete executions that ended long ago")),
        ]
        ordering = ("-id",)
        # No full index beside the key, and two more for a run, one more for a strand: start, claim
        # and finish write to each of them. Strands need no constraint to be unique: they are
        # written with the fenced parking of their parent, so that no visit can fork twice.
        indexes = [
            models.Index(
                fields=("workflow_name", "id"),
                name="durable_execution_workflow",
                condition=Q(kind="workflow"),
            ),
            models.Index(
                F("queue"),
                F("priority").desc(),
                F("ready_at"),
                F("id"),
                name="durable_execution_ready",
                condition=Q(status__in=READY, worker__isnull=True, wake_at__isnull=True),
            ),
            # What another engine was told of and has not taken yet: empty without one.
            models.Index(
                fields=("queue", "dispatched_at"),
                name="durable_execution_sent",
                condition=Q(
                    dispatched_lease__isnull=False,
                    status__in=READY,
                    worker__isnull=True,
                    wake_at__isnull=True,
                ),
            ),
            models.Index(
                fields=("due_at",), name="durable_execution_due", condition=Q(due_at__isnull=False)
            ),
            models.Index(
                fields=("worker",),
                name="durable_execution_running",
                condition=Q(worker__isnull=False),
            ),
            # With the id, so that the next strands that are held back are found one behind another.
            models.Index(
                fields=("parent", "id"),
                name="durable_execution_parent",
                condition=Q(parent__isnull=False),
            ),
            # Lists and counts of what needs somebody's eyes; see rare.py.
            models.Index(
                fields=("status", "id"),
                name="durable_execution_rare",
                condition=Q(kind="workflow", status__in=RARE),
            ),
            TagsIndex(fields=("tags",), name="durable_execution_tags"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("workflow_name", "idempotency_key"),
                name="durable_execution_idempotent",
                condition=Q(idempotency_key__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(status__in=ExecutionStatus.values), name="durable_execution_status"
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(FINAL_VALUES), finished_at__isnull=False)
                | (~Q(status__in=sorted(FINAL_VALUES)) & Q(finished_at__isnull=True)),
                name="durable_execution_finished",
            ),
            models.CheckConstraint(
                condition=Q(status__in=HELD, worker__isnull=False, lease__gt=0)
                | (~Q(status="running") & Q(worker__isnull=True)),
                name="durable_execution_held",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(FINAL_VALUES)) | Q(due_at__isnull=True),
                name="durable_execution_final_not_due",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sleeping", "scheduled"]) | Q(due_at__isnull=False),
                name="durable_execution_parked_due",
            ),
            models.CheckConstraint(
                condition=~Q(status="paused") | Q(paused_at__isnull=False),
                name="durable_execution_paused",
            ),
            models.CheckConstraint(
                condition=Q(kind="workflow", path="") | Q(kind="strand", parent__isnull=False),
                name="durable_execution_kind",
            ),
        ]

    _steps: models.QuerySet[StepRun] | None = None

    def __str__(self) -> str:
        return f"{self.workflow_name} {self.id}"

    @property
    def input(self) -> Any:
        """The start input."""
        return values.decode(self.input_text)

    @property
    def steps(self) -> models.QuerySet[StepRun]:
        """The attempts made in this run, those in its strands included, oldest first; of a strand
        its own. With ``get_execution(…, include_steps=True)`` they are in memory."""
        from .members import made_in
        from .step_run import StepRun

        if self._steps is not None:
            return self._steps
        rows = StepRun.objects.using(self._state.db or "default").order_by("id")
        if self.kind == ExecutionKind.STRAND:
            return rows.filter(execution_id=self.pk)
        return rows.filter(made_in(self))

    def read_steps(self) -> None:
        """Reads the step runs into memory, where ``steps`` then has them."""
        self._steps = None
        rows = self.steps
        len(rows)
        self._steps = rows

    def members(self) -> models.QuerySet[Execution]:
        """The rows this run is carried by: its own and those of its strands, at any depth."""
        from .members import member_ids

        rows = type(self)._default_manager.using(self._state.db or "default")
        return rows.filter(id__any=member_ids(self.pk, rows.db))

    @property
    def result(self) -> Any:
        """The last top-level node's output, or what ``self.finish(value)`` gave."""
        return values.decode(self.result_text)

    @property
    def error(self) -> dict[str, Any] | None:
        """``{"type", "message", "traceback", "node"}`` of a run that failed, else None."""
        return values.decode(self.error_text) if self.error_text else None

    @property
    def context(self) -> dict[str, Any]:
        """The run's data as of the last checkpoint."""
        return {key: values.decode(text) for key, text in self.state.context.items()}

    @property
    def outputs(self) -> dict[str, Any]:
        """Node name -> what it gave, as of the last checkpoint."""
        state = self.state
        found = {name: values.decode(text) for name, text in state.outputs.items()}
        for name, reference in state.references.items():
            found[name] = values.decode(output_text(self.pk, reference, self._state.db))
        return found

    @property
    def state(self) -> RunState:
        """Snapshot plus what was recorded since. One query unless the run is final."""
        from .history import state_of

        return state_of(self)

    @property
    def is_final(self) -> bool:
        """True once the run has ended; only ``retry`` reopens it."""
        return self.status in FINAL_VALUES

    def get_result(self, timeout: Duration | None = None) -> Any:
        """Blocks until the run ends and returns its result. See ``durable_django.api``."""
        from .. import api

        return api.get_result(self, timeout=timeout)

    async def aget_result(self, timeout: Duration | None = None) -> Any:
        """The coroutine of :meth:`get_result`."""
        from .. import api

        return await api.aget_result(self, timeout=timeout)
