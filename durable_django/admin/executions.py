"""Executions: the list of runs; the page of one is in ``execution_page``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..models import Execution
from ..models.execution import ExecutionKind
from . import badges, filters, moments, narrowing
from .execution_page import ExecutionPage
from .facts import duration, tags
from .listing import RunsPages
from .read_only import ReadOnlyAdmin, seen_at
from .runs import Runs
from .searching import search


@admin.register(Execution)
class ExecutionAdmin(ExecutionPage, RunsPages, ReadOnlyAdmin):
    """Runs of workflows; strands are part of their run. Override ``get_queryset`` to limit what
    somebody may see."""

    list_display = ["state", "run", "short_id", "node", "queue", "tag_list", "age", "took"]
    list_display_links = ["run", "short_id"]
    list_filter = [
        filters.StatusFilter,
        filters.WorkflowFilter,
        filters.VersionFilter,
        filters.QueueFilter,
        filters.CreatedFilter,
        narrowing.WaitingFilter,
        narrowing.AwaitedFilter,
        narrowing.TagFilter,
        narrowing.PausedFilter,
        narrowing.ParentFilter,
    ]
    parameters = filters.PARAMETERS | narrowing.PARAMETERS
    search_fields = ["workflow_name"]  # so that Django draws the box; see searching.py
    search_help_text = _("Id or its beginning, workflow, tag (vip, customer=42), idempotency key")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        return super().get_queryset(request).filter(kind=ExecutionKind.WORKFLOW)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Runs

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search(queryset, search_term)[0], False

    # The columns

    @admin.display(description=_("status"))
    def state(self, run: Execution) -> str:
        return badges.execution_badge(run.status)

    @admin.display(description=_("workflow"))
    def run(self, run: Execution) -> str:
        return format_html(
            '{} <span class="durable-version">v{}</span>', run.workflow_name, run.version
        )

    @admin.display(description=_("id"))
    def short_id(self, run: Execution) -> str:
        text = str(run.pk)
        return format_html('<code title="{}">{}…{}</code>', text, text[:8], text[-6:])

    @admin.display(description=_("node"))
    def node(self, run: Any) -> str:
        return str(run.where)

    @admin.display(description=_("tags"))
    def tag_list(self, run: Any) -> str:
        return tags(run.shown_tags)

    @admin.display(description=_("created"))
    def age(self, run: Execution) -> str | None:
        return moments.ago(run.created_at, seen_at(run))

    @admin.display(description=_("duration"))
    def took(self, run: Execution) -> str:
        return duration(run, seen_at(run))
