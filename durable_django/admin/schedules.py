"""Schedules: when which workflow is started, what comes next, and what became of each time.

Adding and changing are in ``schedule_editing``, all else that one can do in ``schedule_actions``;
this only reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..figures.schedules import broken, gave_up, last_ticks, late
from ..models import Schedule, ScheduleSource, ScheduleTick, WorkflowDefinition
from ..showing import schedules as said
from ..showing.durations import written
from ..showing.visible import visible
from ..store import clock
from . import filters, moments
from . import schedule_views as views
from .overview_links import Links
from .read_only import NewestFirst, seen_at
from .schedule_editing import ScheduleEditing
from .seeing import Sight

NOTHING = "\N{EN DASH}"
FIELDS = (
    "schedule",
    "state",
    "when",
    "next",
    "last",
    "overlaps",
    "catches_up",
    "extras",
    "since",
)


class Schedules(NewestFirst):
    """The list, by workflow and name; each with its latest tick."""

    def prepare(self, rows: list[Any]) -> None:
        found = last_ticks(rows)
        for row in rows:
            row.last_tick = found.get(row.pk)


class StateFilter(admin.SimpleListFilter):
    """On, off, or in need of somebody."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("on", _("on")),
            ("off", _("off")),
            ("attention", _("needs attention")),
            ("retired", _("no longer declared")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        here = queryset.filter(retired_at__isnull=True)
        if wanted is None:
            return queryset
        if wanted == "on":
            return here.filter(enabled=True)
        if wanted == "off":
            return here.filter(enabled=False)
        if wanted == "retired":
            return queryset.filter(retired_at__isnull=False)
        if wanted == "attention":
            return gave_up(queryset) | broken(queryset) | late(queryset, clock.now())
        raise IncorrectLookupParameters


class SourceFilter(admin.SimpleListFilter):
    """Declared in code, or made by people."""

    title = _("declared in")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ScheduleSource.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        if self.value() not in ScheduleSource.values:
            raise IncorrectLookupParameters
        return queryset.filter(source=self.value())


class ScheduledFilter(filters.WorkflowFilter):
    """A workflow that has a schedule which this person may see."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by("workflow_name")
        return [(name, name) for name in rows.values_list("workflow_name", flat=True).distinct()]


@admin.register(Schedule)
class ScheduleAdmin(ScheduleEditing):
    """One row per schedule, whoever declared it. Who may see schedules and runs may see it; of a
    workflow none of whose runs somebody may see, no schedule is shown."""

    list_display = ["schedule", "state", "when", "next", "last", "source"]
    list_display_links = ["schedule"]
    list_filter = [StateFilter, ScheduledFilter, SourceFilter]
    parameters = frozenset({"state", "workflow", "source"})
    search_fields = ["workflow_name", "name"]
    fields = FIELDS
    readonly_fields = FIELDS

    class Media:
        css = {"all": ["durable_django/overview.css", "durable_django/schedules.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Schedules

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"title": gettext("Schedules"), **(extra_context or {})}
        )

    # The columns

    @admin.display(description=_("schedule"))
    def schedule(self, row: Schedule) -> str:
        return visible(str(row))

    @admin.display(description=_("state"))
    def state(self, row: Schedule) -> str:
        return views.state_badge(row, seen_at(row))

    @admin.display(description=_("when"))
    def when(self, row: Schedule) -> str:
        return views.when(row)

    @admin.display(description=_("next"))
    def next(self, row: Schedule) -> str:
        return moments.ago(row.next_at, seen_at(row)) or NOTHING

    @admin.display(description=_("last"))
    def last(self, row: Any) -> str:
        """What became of its latest tick, and when that was."""
        tick: ScheduleTick | None = getattr(row, "last_tick", None)
        if tick is None:
            return NOTHING
        at = moments.ago(tick.at, seen_at(row))
        return format_html("{} {}", views.outcome_badge(tick, is_brief=True), at)

    @admin.display(description=_("if the run before has not ended"))
    def overlaps(self, row: Schedule) -> str:
        return str(row.get_overlap_display())

    @admin.display(description=_("after downtime"))
    def catches_up(self, row: Schedule) -> str:
        """What becomes of the ticks that nobody fired in time."""
        told = str(row.get_catch_up_display())
        if row.catch_up == "none":
            return told
        said = gettext("%(which)s, no older than %(time)s")
        return said % {"which": told, "time": written(row.catch_up_seconds)}

    @admin.display(description=_("also"))
    def extras(self, row: Schedule) -> str:
        """Its jitter, and after how many failures it goes off."""
        said = []
        if row.jitter_seconds:
            text = gettext("starts up to %(time)s later, each time by another span")
            said.append(text % {"time": written(row.jitter_seconds)})
        if row.disable_after is not None:
            text = gettext("goes off after %(n)s failures in a row")
            said.append(text % {"n": row.disable_after})
        return "; ".join(said) or NOTHING

    @admin.display(description=_("created"))
    def since(self, row: Schedule) -> str | None:
        return moments.ago(row.created_at, seen_at(row))

    # The page of one

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            row.seen_at = clock.now()
            row.last_tick = last_ticks([row]).get(row.pk)
        return row

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context["title"] = gettext("Schedule %(name)s") % {"name": visible(str(obj))}
        context["subtitle"] = None
        context.update(self._page(request, obj, seen_at(obj)))
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _page(self, request: HttpRequest, row: Schedule, now: datetime) -> dict[str, Any]:
        mask = views.mask_of(request, row)
        ticks, older = self._ticks(request, row)
        sight = Sight(self.admin_site, request)
        zone = said.zone_name(row)
        return {
            "is_of_code": row.source == ScheduleSource.CODE,
            "is_retired": row.retired_at is not None,
            "is_off": not row.enabled,
            "is_known": said.is_known(row),
            "gives_input": said.gives_input(row),
            "why_off": visible(mask.text(row.disabled_reason)),
            "problem": visible(mask.text(row.error)),
            "zone": visible(zone),
            "occurrences": views.occurrences(said.to_come(row, now), zone, now),
            "input": views.shown_input(row, mask),
            "ticks": views.tick_views(ticks, mask, sight, self.admin_site, now),
            "older": older,
            "is_newest": "before" not in request.GET,
            "history": views.history(row, mask, now),
            "buttons": self.buttons(request, row),
            **self._links(request, row),
        }

    def _ticks(self, request: HttpRequest, row: Schedule) -> tuple[list[ScheduleTick], int | None]:
        """The latest ticks, or those before ``?before=``; where the older ones begin."""
        rows = ScheduleTick.objects.using(settings.DATABASE).filter(schedule=row.pk)
        before = request.GET.get("before", "")
        if before.isascii() and before.isdecimal() and len(before) < 19:
            rows = rows.filter(pk__lt=int(before))
        found = list(rows[: views.TICKS_MAX + 1])
        more = len(found) > views.TICKS_MAX
        found = found[: views.TICKS_MAX]
        return found, found[-1].pk if more else None

    def _links(self, request: HttpRequest, row: Schedule) -> dict[str, str]:
        """Where its runs and its workflow are, for who may look at them."""
        links = Links(self.admin_site, request)
        definition = (
            WorkflowDefinition.objects.using(settings.DATABASE)
            .filter(name=row.workflow_name)
            .order_by("-version")
            .values_list("pk", flat=True)
            .first()
        )
        return {
            "runs_url": links.to(
                "execution", workflow=row.workflow_name, tag=f"schedule={row.name}"
            ),
            "definition_url": links.page("workflowdefinition", definition) if definition else "",
        }


def schedules_address(site: str, workflow: str) -> str:
    """The list of the schedules of a workflow."""
    name = "admin:durable_django_schedule_changelist"
    return f"{reverse(name, current_app=site)}?{urlencode({'workflow': workflow})}"
