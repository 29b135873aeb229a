"""What all pages here share: look, but do not touch; and lists that stay quick on large tables."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms import Script
from django.http import HttpRequest

from ..conf import settings
from ..store import clock
from .revealing import reveals

COUNTED_MAX = 10_000


class CappedPaginator(Paginator):
    """Counts at most ``COUNTED_MAX`` rows: nobody turns to page 100,000, and counting ten million
    rows takes seconds."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED_MAX)

    @cached_property
    def is_capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return self._counted > COUNTED_MAX

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: COUNTED_MAX + 1].count())


class NewestFirst(ChangeList):
    """A list in the model's own order, whatever the address asks for: no other order has an index.

    Each row carries ``seen_at``, the database's time when the list was made.
    """

    result_list: Any
    paginator: Any
    reveals = False  # whether who looks may see what is masked

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(self.lookup_opts.ordering or ())

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.reveals = reveals(request)
        now = clock.now()
        self.result_list = list(self.result_list)
        for row in self.result_list:
            row.seen_at = now
        self.prepare(self.result_list)

    def prepare(self, rows: list[Any]) -> None:
        """Hook: what the columns need of all rows at once."""


class ReadOnlyAdmin(admin.ModelAdmin):
    """Nothing can be added, changed or deleted by hand; who may view is Django's permission."""

    list_per_page = 100
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    parameters: ClassVar[frozenset[str]] = frozenset()
    paginator = CappedPaginator

    class Media:
        css = {
            "all": [
                "durable_django/theme.css",
                "durable_django/admin.css",
                "durable_django/run.css",
                "durable_django/graph.css",
                "durable_django/list.css",
                "durable_django/actions.css",
            ]
        }
        # They do nothing on a page that has nothing for them.
        js = (
            Script("durable_django/live.js", defer=True),
            Script("durable_django/run.js", defer=True),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).using(settings.DATABASE)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row with that id. Django's breaks at an address that ends with ``?_to_field=``, and
        PostgreSQL at a NUL."""
        if "\0" in object_id:
            return None
        return super().get_object(request, object_id, from_field or None)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only the filters offered: ``?input_text__contains=4111`` would tell what is masked."""
        return lookup in self.parameters


def seen_at(row: Any) -> datetime:
    """The database's time when ``row`` was listed, or now."""
    return getattr(row, "seen_at", None) or clock.now()
