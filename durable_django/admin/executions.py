"""Executions: the list of runs, and the page of one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import Execution, StepRun
from ..models.execution import ExecutionKind
from ..models.history import latest
from ..store import clock
from . import badges, belonging, filters, members, moments
from .cancelling import CancelMixin, can_be_cancelled
from .facts import duration, facts, tags
from .fork_view import Links
from .masking import Masks
from .read_only import NewestFirst, ReadOnlyAdmin, seen_at
from .run_page import Told, run_page, tag_texts
from .searching import search
from .waits import Doors, read_waits

STEPS_PER_PAGE = 200
CHILDREN_MAX = 20


class Runs(NewestFirst):
    """The list, without the columns that hold payloads."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Execution]:
        return latest(super().get_queryset(request, *args, **kwargs))

    def prepare(self, rows: list[Any]) -> None:
        tagged = [row for row in rows if row.tags]
        masks = Masks((row.workflow_name, row.version) for row in tagged)
        for row in rows:
            row.shown_tags = []
        for row in tagged:
            row.shown_tags = tag_texts(row.tags, masks.of(row.workflow_name, row.version))


@admin.register(Execution)
class ExecutionAdmin(CancelMixin, ReadOnlyAdmin):
    """Runs of workflows; strands are part of their run. Override ``get_queryset`` to limit what
    somebody may see."""

    list_display = ["state", "run", "short_id", "queue", "tag_list", "age", "took"]
    list_display_links = ["run", "short_id"]
    list_filter = [
        filters.StatusFilter,
        filters.WorkflowFilter,
        filters.VersionFilter,
        filters.QueueFilter,
        filters.CreatedFilter,
    ]
    parameters = filters.PARAMETERS
    search_fields = ["workflow_name"]  # so that Django draws the box; see searching.py
    search_help_text = _("Id or its beginning, workflow, tag (vip, customer=42), idempotency key")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        return super().get_queryset(request).filter(kind=ExecutionKind.WORKFLOW)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Runs

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search(queryset, search_term), False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return []  # the template draws the page

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

    @admin.display(description=_("tags"))
    def tag_list(self, run: Any) -> str:
        return tags(run.shown_tags)

    @admin.display(description=_("created"))
    def age(self, run: Execution) -> str | None:
        return moments.ago(run.created_at, seen_at(run))

    @admin.display(description=_("duration"))
    def took(self, run: Execution) -> str:
        return duration(run, seen_at(run))

    # The page

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Execution | None:
        """A run; or a strand, which is in no list, of a run that this person may see."""
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
        now = clock.now()
        whole = "whole" in request.GET
        above = belonging.above(run)
        asked = members.Asked.of(request.GET)
        steps = self._steps(request, run, asked)
        rows = list(steps)
        forks = members.read_forks(run, rows, is_end=not steps.has_next(), asked=asked)
        links = Links(run, request.GET, self.admin_site.name)
        waits = read_waits(run, whole=whole)
        told = Told(rows, forks, waits, above[0] if above else None)
        doors = Doors(self.admin_site, request)
        return {
            "title": " · ".join(filter(None, (run.workflow_name, run.path))),
            "subtitle": None,
            "page": run_page(run, told, now, links, doors, whole=whole),
            "more_waits": waits.more,
            "inbox_url": doors.inbox_of(run) if waits.more else "",
            "whole": whole,
            "badge": badges.member_badge(members.status_of(run)),
            "facts": facts(run, now, self.admin_site.name),
            "steps": steps,
            "children": self._children(request, run),
            "cancel_url": self._cancel_url(request, run),
            "above": self._above(run, above, links),
        }

    def _steps(
        self, request: HttpRequest, run: Execution, asked: members.Asked | None
    ) -> Page[StepRun]:
        """A page of the attempts made in ``run`` itself: the one asked for, the one that the fork
        asked for is on, or the last."""
        rows = members.own_steps(run).select_related("worker")
        paginator = Paginator(rows, STEPS_PER_PAGE)
        number = request.GET.get("steps")
        if number is None and asked is not None:
            number = str(rows.filter(seq__lt=asked.seq).count() // STEPS_PER_PAGE + 1)
        return paginator.get_page(number or paginator.num_pages)

    def _cancel_url(self, request: HttpRequest, run: Execution) -> str:
        may = can_be_cancelled(run) and self.has_cancel_permission(request, run)
        return self._url("cancel", quote(str(run.pk))) if may else ""

    def _above(
        self, strand: Execution, above: list[Execution], links: Links
    ) -> list[dict[str, str]]:
        """For a strand the way from its run down to it, each linked to the place where it forks."""
        found = []
        for row, below in pairwise([*above, strand]):
            address = links.page_of(row.pk)
            if below is strand and (place := belonging.place_of(strand)) is not None:
                address += f"?fork={place.seq}&members={place.page}#member-{strand.pk}"
            found.append({"name": row.path.rpartition("/")[2] or str(row), "address": address})
        return found

    def _children(self, request: HttpRequest, run: Execution) -> list[dict[str, Any]]:
        rows = latest(self.get_queryset(request)).filter(parent=run.pk).order_by("id")
        return [
            {"run": child, "badge": badges.execution_badge(child.status)}
            for child in rows[:CHILDREN_MAX]
        ]
