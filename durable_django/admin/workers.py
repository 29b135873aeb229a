"""Workers: who runs workflows, whether they still say so, and what they run now. Read-only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import Execution, Worker, WorkerStatus
from ..models.execution import ExecutionKind
from ..models.history import latest
from . import badges, moments
from .belonging import runs_of
from .facts import tags
from .read_only import ReadOnlyAdmin, seen_at

RUNS_MAX = 100


def worker_badge(worker: Worker, now: datetime) -> str:
    """Its status; one that is alive but has not said so for longer than a lease is overdue."""
    silence = now - worker.heartbeat_at
    if worker.status == WorkerStatus.ALIVE and silence > timedelta(seconds=settings.LEASE_SECONDS):
        return badges.badge("overdue", gettext("overdue"))
    return badges.badge(worker.status, str(WorkerStatus(worker.status).label))


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """One row per worker process."""

    list_display = [
        "state",
        "name",
        "queue_list",
        "threads",
        "package_version",
        "started",
        "heartbeat",
    ]
    list_display_links = ["name"]
    search_fields = ["hostname"]
    readonly_fields = ["state", "queue_list", "started", "heartbeat", "stopped"]
    fields = [
        "state",
        "hostname",
        "pid",
        "queue_list",
        "executor",
        "threads",
        "package_version",
        "started",
        "heartbeat",
        "stopped",
    ]

    @admin.display(description=_("status"))
    def state(self, worker: Worker) -> str:
        return worker_badge(worker, seen_at(worker))

    @admin.display(description=_("host and process id"))
    def name(self, worker: Worker) -> str:
        return str(worker)

    @admin.display(description=_("queues"))
    def queue_list(self, worker: Worker) -> str:
        return tags(worker.queues)

    @admin.display(description=_("started"))
    def started(self, worker: Worker) -> str | None:
        return moments.ago(worker.started_at, seen_at(worker))

    @admin.display(description=_("last heartbeat"))
    def heartbeat(self, worker: Worker) -> str | None:
        return moments.ago(worker.heartbeat_at, seen_at(worker))

    @admin.display(description=_("stopped"))
    def stopped(self, worker: Worker) -> str | None:
        return moments.ago(worker.stopped_at, seen_at(worker))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context["title"] = gettext("Worker")
        runs = self._visible_runs(request)
        context["may_see_runs"] = runs is not None
        context["runs"] = [] if runs is None else self._runs(obj, runs)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _visible_runs(self, request: HttpRequest) -> QuerySet[Execution] | None:
        """The runs that this person may see, as the admin of executions says; None for none."""
        if not self.admin_site.is_registered(Execution):
            return None
        executions = self.admin_site.get_model_admin(Execution)
        return executions.get_queryset(request) if executions.has_view_permission(request) else None

    def _runs(self, worker: Worker, runs: QuerySet[Execution]) -> list[dict[str, Any]]:
        """What it runs now: runs, and members of runs."""
        now = seen_at(worker)
        held = Execution.objects.using(settings.DATABASE).filter(worker=worker.pk)
        found = list(latest(held).order_by("id")[:RUNS_MAX])
        run_of = {row.pk: row.pk for row in found}
        run_of.update(runs_of(row for row in found if row.kind == ExecutionKind.STRAND))
        visible = set(runs.filter(pk__in=set(run_of.values())).values_list("pk", flat=True))
        return [
            {
                "run": row,
                "badge": badges.execution_badge(row.status),
                "age": moments.ago(row.started_at, now),
            }
            for row in found
            if run_of.get(row.pk) in visible
        ]
