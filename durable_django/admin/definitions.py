"""Workflow definitions: what each workflow and version that ran here looks like. Read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import WorkflowDefinition
from . import badges, moments
from .definition_nodes import count_nodes, node_views
from .definition_page import (
    comparison,
    graph_text,
    graph_with_links,
    runs_address,
    start_address,
    versions,
)
from .definition_runs import Unended, Version, code, count_badges, unended
from .definition_schedules import schedules_of
from .read_only import NewestFirst, ReadOnlyAdmin, seen_at
from .seeing import visible_runs


class Definitions(NewestFirst):
    """The list; each row carries ``unended``, its runs that have not ended, and ``code``."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        runs = visible_runs(self.model_admin.admin_site, request)
        found = unended(runs) if runs is not None else Unended()
        known = code()
        for row in self.result_list:
            row.may_see_runs = runs is not None
            row.unended = found
            row.code = known


@admin.register(WorkflowDefinition)
class WorkflowDefinitionAdmin(ReadOnlyAdmin):
    """One row per workflow name and version."""

    list_display = ["name", "version", "summary", "node_count", "unended", "runs", "last_changed"]
    search_fields = ["name"]
    fields = ["name", "version", "doc", "first_seen", "last_changed"]
    readonly_fields = ["first_seen", "last_changed"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Definitions

    @admin.display(description=_("description"))
    def summary(self, row: WorkflowDefinition) -> str:
        return row.doc.strip().partition("\n")[0]

    @admin.display(description=_("nodes"))
    def node_count(self, row: WorkflowDefinition) -> int:
        return count_nodes(node_views(row.structure))

    @admin.display(description=_("first seen"))
    def first_seen(self, row: WorkflowDefinition) -> str | None:
        return moments.ago(row.created_at, seen_at(row))

    @admin.display(description=_("last changed"))
    def last_changed(self, row: WorkflowDefinition) -> str | None:
        return moments.ago(row.updated_at, seen_at(row))

    @admin.display(description=_("not ended"))
    def unended(self, row: Any) -> str:
        """How many runs of it have not ended; and whether that is for lack of its code."""
        version = Version(row.name, row.version)
        counts = row.unended.of(version)
        found = [(each,) for each in count_badges(counts, row.unended.capped)]
        if counts and not row.code.has(version):
            found.insert(0, (badges.badge("overdue", gettext("no worker has its code")),))
        return format_html_join(" ", "{}", found)

    @admin.display(description=_("executions"))
    def runs(self, row: Any) -> str:
        if not getattr(row, "may_see_runs", True):
            return ""
        address = runs_address(self.admin_site.name, Version(row.name, row.version))
        text = gettext("Executions of %(workflow)s") % {"workflow": row}
        return format_html('<a href="{}">{}</a>', address, text)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context["title"] = gettext("Workflow definition")
        context.update(self._page(request, obj))
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _page(self, request: HttpRequest, row: WorkflowDefinition) -> dict[str, Any]:
        site, version, known = self.admin_site, Version(row.name, row.version), code()
        runs = visible_runs(site, request)
        waiting = unended(runs.filter(workflow_name=row.name)) if runs is not None else Unended()
        told, more = versions(row, runs, known, site.name)
        counts = waiting.of(version)
        return {
            "compared": comparison(row, request.GET),
            "graph": graph_with_links(row),
            "graph_text": graph_text(row),
            "nodes": node_views(row.structure),
            "versions": told,
            "more_runs": more,
            "unended": count_badges(counts, waiting.capped),
            "is_stranded": bool(counts) and not known.has(version),
            "is_code_known": known.is_known,
            "runs_url": runs_address(site.name, version) if runs is not None else "",
            "start_url": start_address(site, request, version),
            **schedules_of(site, request, row.name),
        }
