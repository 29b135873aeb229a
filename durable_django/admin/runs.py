"""The list of runs: read a page at a time by id, without counting and without payloads.

Which index a page is read by follows from the filters; what they mean stands in their classes. It
decides nothing about a run.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode

from ..models import Execution, ExecutionStatus
from ..models.history import latest
from ..showing.keyset import (
    NEWER,
    OLDER,
    Cursor,
    Page,
    Way,
    by_parent,
    by_tag,
    read_page,
    ways_by_status,
    ways_by_workflow,
)
from ..showing.masking import Masks
from ..showing.tagging import tag_matches
from ..store import clock
from . import filters, narrowing, whereabouts
from .read_only import NewestFirst
from .revealing import reveals
from .searching import search, workflow_names

CURSORS = (OLDER, NEWER)
# The statuses that a run with an open wait can have.
PARKED = ("waiting", "sleeping", "paused", "running", "compensating")


class Runs(NewestFirst):
    """The list: a page of it, with links to the older and the newer ones."""

    page: Page
    cursor: Cursor
    names: list[str]
    ways_of_search: list[Way]

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Execution]:
        """What passes the filters, then what is searched for: how it was found says by which index
        to read it."""
        try:
            self.cursor = Cursor.of(self.params)
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        # Another filter or another search begins at the newest run again.
        for name in CURSORS:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        text, self.query = self.query, ""
        rows = latest(super().get_queryset(request, *args, **kwargs))
        self.query = text
        self.names = workflow_names(request)
        rows, self.ways_of_search = search(rows, text, request)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        queryset: Any = self.queryset
        self.page = read_page(queryset, self.ways(), self.cursor, self.list_per_page)
        rows = queryset.filter(id__any=self.page.ids).order_by("-id")
        self.result_list = list(rows) if self.page.ids else []
        self.result_count = len(self.result_list)
        self.full_result_count = self.result_count  # so that Django does not tell it as a total
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.result_list, max(self.list_per_page, 1))
        now = clock.now()
        self.reveals = reveals(request)
        for row in self.result_list:
            row.seen_at = now
        self.prepare(self.result_list)

    def ways(self) -> list[Way]:
        """The parts that the list is read in, each by an index."""
        params = self.params
        if self.ways_of_search:
            return self.ways_of_search
        if parent := params.get("parent"):
            return [by_parent(parent)]
        if params.get("waiting") or params.get(narrowing.NAMED):
            return ways_by_status(PARKED)
        if tag := params.get("tag", "").strip():
            return [by_tag(tag_matches(tag))]
        if params.get("paused"):
            return ways_by_status([ExecutionStatus.PAUSED, ExecutionStatus.RUNNING])
        statuses = filters.StatusFilter.statuses(params.get("status", ""))
        if statuses[0] and ExecutionStatus.COMPLETED not in statuses:
            return ways_by_status(statuses)
        if params.get("workflow"):
            return ways_by_workflow([params["workflow"]])
        return ways_by_workflow(self.names)

    def prepare(self, rows: list[Any]) -> None:
        workflows = {(row.workflow_name, row.version) for row in rows}
        masks = Masks(workflows, reveal=self.reveals)
        whereabouts.place_runs(rows, masks)

    @property
    def older(self) -> str:
        """The address of the next page; "" at the end."""
        return self._page(OLDER, self.page.ids[-1]) if self.page.has_older and self.page.ids else ""

    @property
    def newer(self) -> str:
        """The address of the page before."""
        return self._page(NEWER, self.page.ids[0]) if self.page.has_newer and self.page.ids else ""

    @property
    def newest(self) -> str:
        """The address of the first page."""
        return self.get_query_string() if self.page.has_newer else ""

    @property
    def filters_kept(self) -> str:
        """What an address that acts on all that the list finds is given."""
        kept = self.get_query_string().removeprefix("?")
        return urlencode({"_changelist_filters": kept}) if kept else ""

    def _page(self, name: str, pk: Any) -> str:
        joined = self.get_query_string()
        return f"{joined}{'&' if joined != '?' else ''}{name}={pk}"
