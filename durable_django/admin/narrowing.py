"""More filters of the list of executions: by tag, by what is waited for, by parent, paused ones.

None reads its choices off the runs. Those that take a text have a field for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import ExecutionStatus, Wait, WaitKind
from ..showing.tagging import tag_matches
from .filters import LinkedRunFilter

TEXT_LENGTH_MAX: Final = 255
PARAMETERS: Final = frozenset({"tag", "parent", "waiting", "awaited", "paused"})
EVENT, CHILD, NAMED = "event", "child", "awaited"
# What is waited for, in the words of the address.
KINDS: Final[dict[str, tuple[WaitKind, ...]]] = {
    EVENT: (WaitKind.EVENT, WaitKind.ANY, WaitKind.ALL),
    "input": (WaitKind.INPUT,),
    "callback": (WaitKind.CALLBACK,),
    CHILD: (WaitKind.CALL,),
    "timer": (WaitKind.SLEEP,),
}


class TextFilter(admin.ListFilter):
    """A filter with a field to write into."""

    template = "admin/durable_django/includes/text_filter.html"
    parameter = ""
    hint: Any = ""
    used_parameters: dict[str, Any]

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        if self.parameter in params:
            self.used_parameters[self.parameter] = params.pop(self.parameter)[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[Any]:
        return [self.parameter]

    @property
    def text(self) -> str:
        """What was written; IncorrectLookupParameters for what no row can hold."""
        text = str(self.used_parameters.get(self.parameter, "")).strip()
        if "\0" in text or len(text) > TEXT_LENGTH_MAX:
            raise IncorrectLookupParameters
        return text

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        kept = changelist.filter_params.items()
        yield {
            "name": self.parameter,
            "value": self.used_parameters.get(self.parameter, ""),
            "hint": self.hint,
            "without": changelist.get_query_string(remove=[self.parameter]),
            "kept": [(k, value) for k, vs in kept if k != self.parameter for value in vs],
        }


class TagFilter(TextFilter):
    """A tag: ``vip``, or ``customer=42``."""

    title = _("tag")
    parameter = "tag"
    hint = _("vip, or customer=42")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tag_matches(self.text)) if self.text else queryset


class AwaitedFilter(TextFilter):
    """The name of what is waited for: an event, an input, a callback."""

    title = _("waiting for the name")
    parameter = NAMED
    hint = _("the name of an event, an input or a callback")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=_waiting(Q(name=self.text))) if self.text else queryset


class WaitingFilter(admin.SimpleListFilter):
    """What is waited for."""

    title = _("waiting for")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (EVENT, gettext("an event")),
            ("input", gettext("a person")),
            ("callback", gettext("a callback")),
            (CHILD, gettext("a called workflow")),
            ("timer", gettext("a time")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted is None:
            return queryset
        if wanted not in KINDS:
            raise IncorrectLookupParameters
        return queryset.filter(pk__in=_waiting(Q(kind__in=KINDS[wanted])))


class ParentFilter(LinkedRunFilter):
    """The runs that a run has started, for links from its page."""

    title = _("started by")
    parameter_name = "parent"
    column = "parent_id"


class PausedFilter(admin.SimpleListFilter):
    """Runs that are paused, or will be when the node that is running has ended."""

    title = _("paused")
    parameter_name = "paused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("paused, or about to be"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        if self.value() != "yes":
            raise IncorrectLookupParameters
        held = Q(status=ExecutionStatus.RUNNING, paused_at__isnull=False)
        return queryset.filter(Q(status=ExecutionStatus.PAUSED) | held)


def _waiting(what: Q) -> QuerySet[Wait, Any]:
    """The ids of the runs with an open wait of some kind."""
    rows = Wait.objects.using(settings.DATABASE).filter(what, resolved_at__isnull=True)
    return rows.order_by().values("execution_id")
