"""The overview: a page that answers "what needs me now?", then how all is going.

Everything on it comes from ``durable_django.figures``, limited to the runs that somebody may see;
how it is worded stands in ``overview_parts``. It has at most 15 queries, however many runs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from .. import figures
from ..conf import settings
from ..figures import counts as counting
from ..inputs.people import answerable_by
from ..models import Execution, Overview, PendingInput, Schedule, WorkflowDefinition
from ..store import clock
from . import live, moments
from . import overview_parts as parts
from .charts import chart
from .doctor import DoctorPage
from .metrics_page import MetricsPage
from .overview_links import Links
from .overview_needs import needs, says
from .read_only import ReadOnlyAdmin
from .seeing import sees_all, visible_runs

DEFAULT_PERIOD = "hour"
PACES_MAX = 20
POLL_SECONDS = 10
DEFINITIONS_MAX = 1_000
SCHEDULES_MAX = 8


@admin.register(Overview)
class OverviewAdmin(DoctorPage, MetricsPage, ReadOnlyAdmin):
    """One page. Who may see runs may see it.

    Charts and durations are sums over all runs of a workflow. Where ``ExecutionAdmin.get_queryset``
    shows somebody only some runs, override ``tallied_workflows``, too.
    """

    page_template = "admin/durable_django/overview/page.html"

    class Media:
        css = {"all": ["durable_django/overview.css"]}

    def get_urls(self) -> list[URLPattern]:
        """The page, the doctor's and that of the metrics: Django's page of a row would draw any
        run, with all its columns."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        own = [pattern for pattern in super().get_urls() if pattern.name == name]
        return [*self.doctor_urls(), *self.metrics_urls(), *own]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return visible_runs(self.admin_site, request) is not None

    def tallied_workflows(
        self, request: HttpRequest, runs: QuerySet[Execution]
    ) -> Collection[str] | None:
        """The names of the workflows whose sums over all runs this person may see; None for every
        one. By default every one for who may see all runs, and none for others: sums would tell of
        runs that are not shown. ``runs`` are those that this person may see."""
        return None if sees_all(runs) else ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        runs = visible_runs(self.admin_site, request)
        if runs is None:
            raise PermissionDenied

        def draw() -> HttpResponse:
            context = {
                **self.admin_site.each_context(request),
                "title": gettext("Overview"),
                "opts": self.opts,
                "media": self.media,
                **self._page(request, runs),
                **(extra_context or {}),
            }
            request.current_app = self.admin_site.name
            return TemplateResponse(request, self.page_template, context)

        # Nothing cheaper than the page itself tells whether it has changed: it does with the time.
        return live.answer(request, live.tag_of(request, clock.now()), draw)

    def _page(self, request: HttpRequest, runs: QuerySet[Execution]) -> dict[str, Any]:
        now = clock.now()
        links = Links(self.admin_site, request)
        period = figures.PERIODS.get(request.GET.get("period", ""))
        period = period or figures.PERIODS[DEFAULT_PERIOD]
        fleet = figures.fleet(now)
        found = self._counts(request, runs, fleet, links, now)
        counted = figures.count_statuses(found)
        needed = needs(found, told(fleet, runs, links), now, links)
        return {
            "is_empty": not found["all"].number,
            "doctor_url": self.doctor_address(request),
            "metrics_url": self.metrics_address(request),
            "needs": needed,
            "live": live.Live(POLL_SECONDS, says(needed), now),
            "statuses": parts.tiles(counted, links),
            **self._pace(request, runs, period, now, links),
            "failing": parts.failings(figures.what_fails(runs, now), now, links),
            "queues": parts.queues(fleet, now, links) if links.may("queue") else None,
            "workers": parts.workers(fleet, now, links) if links.may("worker") else None,
            **self._schedules(request, now, links),
            "seen_at": now,
            "seen": moments.ago(now, now),
        }

    def _counts(
        self,
        request: HttpRequest,
        runs: QuerySet[Execution],
        fleet: figures.Fleet,
        links: Links,
        now: datetime,
    ) -> dict[str, figures.Capped]:
        """All that is counted, in one statement."""
        wanted = counting.statuses(runs)
        wanted["overdue"] = counting.overdue(runs, now)
        stored = WorkflowDefinition.objects.using(settings.DATABASE).order_by()
        code = fleet.lacks(stored.values_list("name", "version")[:DEFINITIONS_MAX])
        wanted["put_back"] = counting.put_back(runs, code, now)
        if self.admin_site.is_registered(PendingInput):
            inbox = self.admin_site.get_model_admin(PendingInput)
            if inbox.has_view_permission(request):
                asked = inbox.get_queryset(request).order_by()
                wanted["asked"] = asked
                wanted["asked_me"] = asked.filter(answerable_by(request.user))
        if links.may("schedule"):
            wanted.update(figures.troubled_schedules(self._seen_schedules(request), now))
        return figures.count_capped(wanted)

    def _seen_schedules(self, request: HttpRequest) -> QuerySet[Schedule]:
        """Those that this person may see, where he may see any."""
        return self.admin_site.get_model_admin(Schedule).get_queryset(request)

    def _schedules(self, request: HttpRequest, now: datetime, links: Links) -> dict[str, Any]:
        """Those that are due next."""
        if not links.may("schedule"):
            return {"schedules": None}
        found = figures.due_next(self._seen_schedules(request), SCHEDULES_MAX)
        return {
            "schedules": parts.schedules(found, now, links),
            "schedules_url": links.to("schedule"),
        }

    def _pace(
        self,
        request: HttpRequest,
        runs: QuerySet[Execution],
        period: figures.Period,
        now: datetime,
        links: Links,
    ) -> dict[str, Any]:
        """What the tallies say, where this person may see them."""
        names = self.tallied_workflows(request, runs)
        if names is not None and not names:
            return {"throughput": None}
        throughput = figures.throughput(period, names, now)
        paces = figures.paces(period, names, now)
        return {
            "throughput": throughput,
            "chart": chart(throughput),
            "totals": parts.totals(throughput, links),
            "periods": parts.periods(period.name),
            "paces": [parts.pace(found, links) for found in paces[:PACES_MAX]],
            "more_paces": max(len(paces) - PACES_MAX, 0),
        }


def told(fleet: figures.Fleet, runs: QuerySet[Execution], links: Links) -> figures.Fleet:
    """Of the fleet what this person may be told of it, who perhaps sees only some runs: queues and
    what workers hold are of all of them."""
    if sees_all(runs):
        return fleet
    queues = fleet.queues if links.may("queue") else ()
    workers = fleet.workers
    if not links.may("worker"):
        workers = tuple(replace(worker, held=0) for worker in workers)
    return replace(fleet, queues=queues, workers=workers)
