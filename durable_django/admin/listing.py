"""What the list of executions offers beside its rows: actions on all that its filters find, the
export, the ways to start a workflow and to publish an event.
"""

from __future__ import annotations

import copy
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Execution, Overview
from ..showing.keyset import Cursor, Way, directly, read_page
from .actions.bulk import ALL_LABELS, BulkPages
from .actions.pages import prefix
from .actions.starting_many import StartManyPages
from .actions.verbs import BULK
from .exporting import export
from .pruning import PrunePages
from .publishing import PublishPages
from .revealing import reveals
from .runs import Runs
from .seeing import Sight


class RunsPages(BulkPages, StartManyPages, PublishPages, PrunePages):
    """The list of executions and the pages it leads to."""

    actions = [*BulkPages.actions, "export_selected"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=f"{prefix()}_export"), *super().get_urls()]

    @admin.action(description=_("Export selected executions as JSON lines"), permissions=["view"])
    def export_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponseBase:
        return self._export(request, queryset, directly())

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and isinstance(context.get("cl"), Runs):
            context["all_links"] = self._all_links(request, context["cl"])
            context["overview_url"] = self._overview()
            context["start_url"] = self.url("start") if self.may_start(request) else ""
            context["publish_url"] = self.url("publish") if self.may_publish(request) else ""
            context["prune_url"] = self.url("prune") if self.may_prune(request) else ""
        return response

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The runs that the filters in the address find."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.listed(request)
        queryset: Any = found.queryset
        ways = found.ways()
        return self._export(request, queryset, ways)

    def listed(self, request: HttpRequest) -> Any:
        """The list as it was filtered where the address came from."""
        there = copy.copy(request)
        there.GET = QueryDict(request.GET.get("_changelist_filters", ""))
        try:
            return self.get_changelist_instance(there)
        except IncorrectLookupParameters as error:
            raise PermissionDenied from error

    def listed_runs(self, request: HttpRequest, most: int) -> list[Execution]:
        found = self.listed(request)
        queryset: Any = found.queryset
        ids = read_page(queryset, found.ways(), Cursor(), most).ids
        return list(queryset.filter(id__any=ids).order_by("-id")) if ids else []

    def _export(
        self, request: HttpRequest, queryset: QuerySet[Execution], ways: list[Way]
    ) -> HttpResponseBase:
        whole = self.get_queryset(request).defer(None)
        return export(
            whole,
            lambda cursor, size: read_page(queryset, ways, cursor, size),
            Sight(self.admin_site, request),
            reveal=reveals(request),
        )

    def _overview(self) -> str:
        """The address of the page that sums it all up, where this site has it."""
        if not self.admin_site.is_registered(Overview):
            return ""
        name = "admin:durable_django_overview_changelist"
        return reverse(name, current_app=self.admin_site.name)

    def _all_links(self, request: HttpRequest, found: Runs) -> list[dict[str, str]]:
        """What can be done to all that the list finds."""
        query = f"?{found.filters_kept}" if found.filters_kept else ""
        links = [
            {"label": str(ALL_LABELS[action.verb]), "url": self.url(f"{action.verb}_many") + query}
            for action in BULK
            if self.may(request, action)
        ]
        return [*links, {"label": gettext("Export"), "url": self.url("export") + query}]
