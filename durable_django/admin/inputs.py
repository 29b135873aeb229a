"""Pending inputs: what waits for a person, "for me" first, and a form for each.

Who may see runs sees all that they wait for, others only what they may answer themselves. The page
of a request is in ``inputs_page``.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..inputs.people import answerable_by
from ..models import PendingInput, Wait
from ..showing.prompts import assigned_to, prompts
from ..showing.visible import visible
from . import filters, moments
from .inputs_page import AnswerMixin
from .read_only import NewestFirst, ReadOnlyAdmin, seen_at
from .seeing import visible_runs

PROMPT_LENGTH_MAX = 100
EVERYBODY = "all"


class Inbox(NewestFirst):
    """The list: the oldest request first, each with its prompt as it may be shown."""

    def prepare(self, rows: list[Any]) -> None:
        shown = prompts(rows, reveal=self.reveals)
        for row in rows:
            row.shown_prompt = shown[row.pk]


class ForFilter(admin.SimpleListFilter):
    """For me, which is where one begins, or for everybody, for those who may see that."""

    title = _("who is asked")
    parameter_name = "for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        may = model_admin.has_view_all_permission(request)
        return [(EVERYBODY, _("everybody"))] if may else []

    def choices(self, changelist: Any) -> Any:
        mine, *others = super().choices(changelist)
        return [{**mine, "display": _("me")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset.filter(answerable_by(request.user))
        if self.value() != EVERYBODY:
            raise IncorrectLookupParameters
        return queryset


class AskingWorkflowFilter(filters.WorkflowFilter):
    """The workflow that asks."""

    column = "execution__workflow_name"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        return queryset.filter(execution__workflow_name=name) if name else queryset


class RunFilter(filters.LinkedRunFilter):
    """What one run asks, for links from its page."""

    title = _("execution")
    parameter_name = "execution"
    column = "execution_id"


@admin.register(PendingInput)
class PendingInputAdmin(AnswerMixin, ReadOnlyAdmin):
    """What runs wait for people to give."""

    list_display = ["asked", "workflow", "place", "since", "due", "assigned"]
    list_display_links = ["asked"]
    list_filter = [ForFilter, AskingWorkflowFilter, RunFilter]
    parameters = frozenset({"for", "workflow", "execution"})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """An answer stands in the history of its run: Django's for requests would be empty."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return redirect(reverse(name, args=[object_id], current_app=self.admin_site.name))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingInput]:
        return self.visible(request, super().get_queryset(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Inbox

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        everybody = request.GET.get(ForFilter.parameter_name) == EVERYBODY
        title = gettext("Waiting for people") if everybody else gettext("Waiting for me")
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_view_all_permission(self, request: HttpRequest) -> bool:
        """Whether this person may see what others are asked: who may see runs may."""
        return visible_runs(self.admin_site, request) is not None

    def visible(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Of these waits those that this person may answer, or that a run waits for which he may
        see."""
        mine = answerable_by(request.user)
        runs = visible_runs(self.admin_site, request)
        if runs is None:
            return rows.filter(mine)
        run = runs.filter(pk=OuterRef("execution_id")).order_by()
        return rows.filter(mine | Exists(run.values("pk")))

    @admin.display(description=_("asked"))
    def asked(self, wait: Any) -> str:
        return Truncator(wait.shown_prompt).chars(PROMPT_LENGTH_MAX)

    @admin.display(description=_("workflow"))
    def workflow(self, wait: Wait) -> str:
        run = wait.execution
        return format_html(
            '{} <span class="durable-version">v{}</span>', run.workflow_name, run.version
        )

    @admin.display(description=_("node"))
    def place(self, wait: Wait) -> str:
        return format_html("<code>{}</code>", visible(wait.path))

    @admin.display(description=_("since"))
    def since(self, wait: Wait) -> str | None:
        return moments.ago(wait.created_at, seen_at(wait))

    @admin.display(description=_("due"))
    def due(self, wait: Wait) -> str | None:
        return moments.ago(wait.due_at, seen_at(wait))

    @admin.display(description=_("for"))
    def assigned(self, wait: Wait) -> str:
        return assigned_to(wait)
