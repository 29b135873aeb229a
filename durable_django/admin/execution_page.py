"""The page of one execution: what the admin of executions shows of a run, or of a strand of one.

It is a mixin of ``ExecutionAdmin``, whose ``get_queryset`` decides what somebody may see.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, QueryDict

from ..conf import settings
from ..models import Execution
from ..models.execution import ExecutionKind
from ..showing.visible import visible
from ..store import clock
from . import badges, belonging, live
from .run_page import head
from .tabs import LABELS, TABS, RunRequest

DEFAULT_TAB: Final = "graph"


class Tab(NamedTuple):
    """A link to a part of the page."""

    name: str
    label: str
    address: str
    is_current: bool


class ExecutionPage(admin.ModelAdmin):
    """Everything from ``get_object`` to the context of the template."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return []  # the template draws the page

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Execution | None:
        """A run; or a strand, which is in no list, of a run that this person may see."""
        known: Execution | None = getattr(request, "durable_run", None)
        if known is not None and str(known.pk) == object_id:
            return known
        found: Execution | None = super().get_object(request, object_id, from_field)
        if found is not None:
            return found
        try:
            pk = UUID(object_id)
        except ValueError:
            return None
        strands = Execution.objects.using(settings.DATABASE).filter(kind=ExecutionKind.STRAND)
        strand = strands.filter(pk=pk).first()
        if strand is None:
            return None
        run_ids = belonging.runs_of([strand]).values()
        return strand if self.get_queryset(request).filter(pk__in=run_ids).exists() else None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, or, to the script that shows it already, that nothing has changed."""

        def draw() -> HttpResponse:
            return super(ExecutionPage, self).change_view(
                request, object_id, form_url, extra_context
            )

        if request.method != "GET" or not self.has_view_permission(request):
            return draw()
        run = self.get_object(request, unquote(object_id))
        if run is None:
            return draw()
        request.durable_run = run  # type: ignore[attr-defined]  # not read twice
        tag = live.tag_of(request, clock.now(), *live.mark_of(run))
        return live.answer(request, tag, draw)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context.update(self._page(request, obj))
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _page(self, request: HttpRequest, run: Execution) -> dict[str, Any]:
        page = RunRequest.of(request, run, self)
        tab = _tab(request.GET)
        # First the tab: what its mask learns there is hidden in the head, too.
        drawn = TABS[tab](page)
        return {
            "title": " · ".join(filter(None, (run.workflow_name, visible(run.path)))),
            "subtitle": None,
            "head": head(page, self),
            "tab": drawn,
            "tab_name": tab,
            "tab_template": f"admin/durable_django/tabs/{tab}.html",
            "tabs": [Tab(n, str(LABELS[n]), page.tab_address(n), n == tab) for n in TABS],
            "whole": page.whole,
            "live": live.Live(live.seconds_of(run), badges.status_label(run.status), page.now),
        }


def _tab(query: QueryDict) -> str:
    """The tab asked for; an address that asks for steps without naming their tab means it."""
    asked = query.get("tab", "")
    if asked in TABS:
        return asked
    return "steps" if {"steps", "fork", "node"} & query.keys() else DEFAULT_TAB
