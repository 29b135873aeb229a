"""Who may see which schedules: those of the workflows whose runs somebody may see.

What is told of a schedule (its input, how its runs ended) is told of runs. It only reads.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from .. import figures
from ..models import Execution, Schedule
from .read_only import ReadOnlyAdmin
from .searching import workflow_names
from .seeing import NAMES_AT_ONCE, sees_all, visible_runs


class ScheduleSeeing(ReadOnlyAdmin):
    """Limits the rows. Override ``seen_workflows`` or ``get_queryset`` to limit them otherwise."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_view_permission(request, obj)
        return may and visible_runs(self.admin_site, request) is not None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django looks for the row first, and there is none for who may see none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)

    def seen_workflows(
        self, request: HttpRequest, runs: QuerySet[Execution]
    ) -> Collection[str] | None:
        """The names of the workflows whose schedules this person may see; None for every one. By
        default every one for who may see all runs, and for others those of which they may see a
        run. ``runs`` are those that this person may see."""
        if sees_all(runs):
            return None
        names, seen, runs = workflow_names(request), [], runs.order_by()
        for begin in range(0, len(names), NAMES_AT_ONCE):
            some = {name: runs.filter(workflow_name=name) for name in names[begin:][:NAMES_AT_ONCE]}
            seen += [name for name, n in figures.count_capped(some, 1).items() if n.number]
        return seen

    def seen(self, request: HttpRequest) -> Collection[str] | None:
        """The same of one request, worked out once."""
        asked: Any = request
        if not hasattr(asked, "durable_seen_workflows"):
            runs = visible_runs(self.admin_site, request)
            names = () if runs is None else self.seen_workflows(request, runs)
            asked.durable_seen_workflows = names
        found: Collection[str] | None = asked.durable_seen_workflows
        return found

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows: QuerySet[Schedule] = super().get_queryset(request)
        names = self.seen(request)
        return rows if names is None else rows.filter(workflow_name__in=names)
