"""Workers: who runs workflows, whether they still say so, and what they run now. Read-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..figures.fleet import silence_max
from ..models import Execution, Worker, WorkerStatus, WorkflowDefinition
from ..models.execution import ExecutionKind
from ..models.history import latest
from ..showing.visible import visible
from ..version import VERSION
from . import badges, moments
from .belonging import runs_of
from .charts import grouped
from .facts import tags
from .overview_parts import load
from .read_only import NewestFirst, ReadOnlyAdmin, seen_at
from .seeing import visible_runs

RUNS_MAX = 100
LACKS_MAX = 100
LOAD_TEMPLATE = "admin/durable_django/overview/load.html"


def worker_badge(worker: Worker, now: datetime) -> str:
    """Its status; one that is alive but has not said so for longer than a lease is overdue."""
    silence = now - worker.heartbeat_at
    if worker.status == WorkerStatus.ALIVE and silence > silence_max():
        return badges.badge("overdue", gettext("overdue"))
    return badges.badge(worker.status, str(WorkerStatus(worker.status).label))


def add_held(workers: list[Any]) -> None:
    """Each worker gets how much it holds, as ``held``: one query."""
    rows = Execution.objects.using(settings.DATABASE).order_by()
    rows = rows.filter(worker__isnull=False, worker_id__in=[worker.pk for worker in workers])
    held = dict(rows.values_list("worker_id").annotate(n=Count("id")))
    for worker in workers:
        worker.held = held.get(worker.pk, 0)


class Workers(NewestFirst):
    """The list; each worker with how much it holds."""

    def prepare(self, rows: list[Any]) -> None:
        add_held(rows)


class StatusFilter(admin.SimpleListFilter):
    """Alive, stopped or dead."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in WorkerStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted is None:
            return queryset
        if wanted not in WorkerStatus.values:
            raise IncorrectLookupParameters
        return queryset.filter(status=wanted)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """One row per worker process."""

    list_display = ["state", "name", "queue_list", "in_hand", "version", "started", "heartbeat"]
    list_display_links = ["name"]
    list_filter = [StatusFilter]
    parameters = frozenset({StatusFilter.parameter_name})
    search_fields = ["hostname"]
    readonly_fields = [
        "state",
        "queue_list",
        "engine",
        "in_hand",
        "version",
        "started",
        "heartbeat",
        "stopped",
    ]
    fields = [
        "state",
        "hostname",
        "pid",
        "queue_list",
        "engine",
        "in_hand",
        "version",
        "started",
        "heartbeat",
        "stopped",
    ]

    class Media:
        css = {"all": ["durable_django/overview.css"]}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        has_ended = obj is None or obj.stopped_at is not None
        return self.fields if has_ended else [name for name in self.fields if name != "stopped"]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Who runs the steps stands there where it is not always the workers' threads."""
        if settings.EXECUTOR == "threads":
            return self.list_display
        at = self.list_display.index("in_hand")
        return [*self.list_display[:at], "engine", *self.list_display[at:]]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Workers

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": gettext("Workers"), **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.display(description=_("status"))
    def state(self, worker: Worker) -> str:
        return worker_badge(worker, seen_at(worker))

    @admin.display(description=_("host and process id"))
    def name(self, worker: Worker) -> str:
        return str(worker)

    @admin.display(description=_("queues"))
    def queue_list(self, worker: Worker) -> str:
        return tags(worker.queues)

    @admin.display(description=_("executor"))
    def engine(self, worker: Worker) -> str:
        """By whom it runs steps, and as a process of which cluster."""
        if not worker.cluster:
            return visible(worker.executor)
        names = {"executor": visible(worker.executor), "cluster": visible(worker.cluster)}
        return gettext("%(executor)s, cluster %(cluster)s") % names

    @admin.display(description=_("in hand"))
    def in_hand(self, worker: Any) -> str:
        """What it holds, beside the threads it has."""
        return render_to_string(
            LOAD_TEMPLATE,
            {
                "row": {
                    "held": grouped(worker.held),
                    "threads": grouped(worker.threads),
                    "runs_steps": worker.threads > 0,
                    "load": load(worker.held, worker.threads),
                }
            },
        )

    @admin.display(description=_("version"))
    def version(self, worker: Worker) -> str:
        """That of this package, and whether the admin runs another."""
        if worker.status != WorkerStatus.ALIVE or worker.package_version in ("", VERSION):
            return worker.package_version
        return format_html(
            '{} <span class="quiet">{}</span>',
            worker.package_version,
            gettext("another one than here"),
        )

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
        is_alive = obj.status == WorkerStatus.ALIVE
        context["is_overdue"] = is_alive and seen_at(obj) - obj.heartbeat_at > silence_max()
        context["lease_seconds"] = settings.LEASE_SECONDS
        may_name = request.user.has_perm("durable_django.view_workflowdefinition")
        context["lacks"] = self._lacks(obj) if is_alive and may_name else []
        runs = visible_runs(self.admin_site, request)
        context["may_see_runs"] = runs is not None
        context["runs"] = [] if runs is None else self._runs(obj, runs)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Worker | None:
        worker: Any = super().get_object(request, object_id, from_field)
        if worker is not None:
            add_held([worker])
        return worker  # type: ignore[no-any-return]

    def _lacks(self, worker: Worker) -> list[WorkflowDefinition]:
        """The workflows and versions that ran here and that it has no code for; none where it does
        not say what it has."""
        if not worker.workflows:
            return []
        rows = WorkflowDefinition.objects.using(settings.DATABASE).defer("structure_text", "doc")
        known = set(worker.workflows)
        return [row for row in rows if f"{row.name} v{row.version}" not in known][:LACKS_MAX]

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
