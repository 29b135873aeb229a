"""Queues: how much waits in each and since when, who serves it, what was decided about it.

Pausing, resuming and limiting are in ``queue_actions``; this only reads.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import figures
from ..conf import settings
from ..models import AuditEntry, Queue
from ..showing.visible import visible
from ..store import clock
from . import moments
from .charts import grouped
from .overview_links import Links
from .overview_parts import is_late, queue_badge, shown, workers
from .queue_actions import QueueActions
from .read_only import NewestFirst, ReadOnlyAdmin, seen_at

HISTORY_MAX = 50
NOTHING = "\N{EN DASH}"


class Queues(NewestFirst):
    """The list; each queue with its figures."""

    def prepare(self, rows: list[Any]) -> None:
        found = figures.fleet(names=[row.pk for row in rows])
        by_name = {queue.name: queue for queue in found.queues}
        for row in rows:
            row.figures = by_name[row.pk]


@admin.register(Queue)
class QueueAdmin(QueueActions, ReadOnlyAdmin):
    """One row per queue that a worker has served, or that somebody decided about."""

    list_display = ["name", "state", "waiting", "oldest", "running", "limit", "serving"]
    list_display_links = ["name"]
    fields = ["state", "waiting", "oldest", "running", "limit", "serving", "since"]
    readonly_fields = ["state", "waiting", "oldest", "running", "limit", "serving", "since"]

    class Media:
        css = {"all": ["durable_django/overview.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Queues

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"title": gettext("Queues"), **(extra_context or {})}
        )

    # The columns

    @admin.display(description=_("state"))
    def state(self, row: Any) -> str:
        return queue_badge(row.figures)

    @admin.display(description=_("waiting"))
    def waiting(self, row: Any) -> str:
        """How much is ready, members of runs included."""
        found: figures.QueueFigures = row.figures
        return shown(found.waiting)

    @admin.display(description=_("oldest"))
    def oldest(self, row: Any) -> str | None:
        found: figures.QueueFigures = row.figures
        if found.oldest_at is None:
            return NOTHING
        text = moments.ago(found.oldest_at, seen_at(row))
        if is_late(found, seen_at(row)):
            return format_html('<span class="durable-failure">{}</span>', text)
        return text

    @admin.display(description=_("in hand"))
    def running(self, row: Any) -> str:
        """How much workers hold."""
        return grouped(row.figures.running)

    @admin.display(description=_("limit"))
    def limit(self, row: Any) -> str:
        return NOTHING if row.concurrency_limit is None else grouped(row.concurrency_limit)

    @admin.display(description=_("workers"))
    def serving(self, row: Any) -> str:
        return grouped(row.figures.workers)

    @admin.display(description=_("first seen"))
    def since(self, row: Queue) -> str | None:
        return moments.ago(row.created_at, seen_at(row))

    # The page of one

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        links = Links(self.admin_site, request)
        mine = tuple(worker for worker in obj.fleet.workers if obj.pk in worker.queues)
        found = figures.Fleet((), mine)
        context["title"] = gettext("Queue %(name)s") % {"name": visible(obj.pk)}
        context["subtitle"] = None
        context["runs_url"] = links.waiting_in(obj.pk)
        context["workers"] = workers(found, obj.seen_at, links) if links.may("worker") else None
        context["history"] = self._history(obj)
        context["buttons"] = self.buttons(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            row.seen_at = clock.now()
            row.fleet = figures.fleet(row.seen_at, [row.pk])
            row.figures = next(queue for queue in row.fleet.queues if queue.name == row.pk)
        return row

    def _history(self, queue: Queue) -> list[dict[str, Any]]:
        """What was decided about it, the latest first."""
        rows = AuditEntry.objects.using(settings.DATABASE).filter(
            queue=queue.pk, execution__isnull=True, schedule=""
        )
        return [
            {
                "at": moments.ago(row.created_at, seen_at(queue)),
                "by": visible(row.by),
                "verb": row.get_verb_display(),
                "reason": visible(row.reason),
                "limit": row.detail.get("limit"),
                "is_limit": "limit" in row.detail,
            }
            for row in rows[:HISTORY_MAX]
        ]
