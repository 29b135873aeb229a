"""Cancelling from the admin: one run or several, after a page that asks why.

Each is a POST behind ``durable_django.cancel_execution``; the ending itself is the API's. A GET
only asks.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import api
from ..conf import settings
from ..exceptions import ExecutionNotFound, InvalidState
from ..models import FINAL, Execution, ExecutionStatus
from ..models.execution import ExecutionKind
from ..models.history import latest
from .badges import execution_badge

MANY_MAX: Final = 1_000
FAILURES_TOLD_MAX: Final = 10
LISTED_MAX: Final = 20
COUNTED_ENDED_MAX: Final = 10_000
# A rollback cannot be cancelled, either.
NOT_CANCELLABLE: Final = (*FINAL, ExecutionStatus.COMPENSATING)


class CancelForm(forms.Form):
    """Why. Whoever looks at the run later reads it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=1_000,
        widget=AdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
        help_text=_("Kept with the run, for those who will wonder why it did not finish."),
    )


class CancelManyForm(CancelForm):
    """The same for several runs, by their ids: one field, since Django refuses a thousand."""

    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[UUID]:
        found = _ids(self.cleaned_data["ids"])
        if found is None:
            raise forms.ValidationError(_("These are not the ids of executions."))
        return found


def _ids(text: str) -> list[UUID] | None:
    words = text.split()
    if not 0 < len(words) <= MANY_MAX:
        return None
    try:
        return [UUID(word) for word in words]
    except ValueError:
        return None


class CancelMixin(admin.ModelAdmin):
    """Adds the action, the pages and their addresses to the admin of executions."""

    actions = ["cancel_selected"]
    cancel_template = "admin/durable_django/execution/cancel.html"

    def has_cancel_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        """Whether this person may cancel runs. Who cannot see them cannot cancel them either."""
        may = request.user.has_perm("durable_django.cancel_execution")
        return may and self.has_view_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("cancel/", wrap(self.cancel_many_view), name=f"{_prefix()}_cancel_many"),
            path("<path:object_id>/cancel/", wrap(self.cancel_view), name=f"{_prefix()}_cancel"),
            *super().get_urls(),
        ]

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks why (GET), cancels one run (POST)."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        run = self.get_object(request, unquote(object_id))
        if run is None:
            raise Http404
        page = self._url("change", quote(str(run.pk)))
        if run.kind != ExecutionKind.WORKFLOW:
            self.message_user(request, _only_with_its_run(run), messages.ERROR)
            return HttpResponseRedirect(page)
        if not can_be_cancelled(run):
            self.message_user(request, _not_cancelled(run, run.status), messages.ERROR)
            return HttpResponseRedirect(page)
        form = CancelForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            problem = self._cancel(request, run, form.cleaned_data["reason"])
            said = problem or gettext("%(run)s was cancelled.") % {"run": run}
            self.message_user(request, said, messages.ERROR if problem else messages.SUCCESS)
            return HttpResponseRedirect(page)
        context = {"title": gettext("Cancel an execution"), "original": run, "runs": _rows([run])}
        return self._ask(request, form, {**context, "back_url": page, "count": 1})

    @admin.action(description=_("Cancel selected executions …"), permissions=["cancel"])
    def cancel_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        """Asks why, for the runs ticked in the list; those that have ended are left out."""
        active = queryset.exclude(status__in=NOT_CANCELLABLE)
        runs = list(latest(active)[: MANY_MAX + 1])
        if not runs:
            said = gettext("None of the selected executions can be cancelled: they have ended.")
            self.message_user(request, said, messages.WARNING)
            return None
        more, runs = len(runs) > MANY_MAX, runs[:MANY_MAX]
        form = CancelManyForm(initial={"ids": " ".join(str(run.pk) for run in runs)})
        ended = queryset.filter(status__in=NOT_CANCELLABLE)[:COUNTED_ENDED_MAX].count()
        return self._ask_many(request, form, runs, {"ended": ended, "more": more})

    def cancel_many_view(self, request: HttpRequest) -> HttpResponse:
        """Cancels the runs that the page before it listed."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self._url_with_filters(request, "changelist"))
        form = CancelManyForm(request.POST)
        valid = form.is_valid()
        ids = form.cleaned_data.get("ids")
        if not ids:
            raise BadRequest("ids")
        runs = list(latest(self.get_queryset(request)).filter(pk__in=ids))
        if not valid:
            return self._ask_many(request, form, runs, {})
        self._cancel_each(request, runs, form.cleaned_data["reason"])
        if gone := len(set(ids)) - len(runs):
            said = ngettext("%(n)d execution is gone.", "%(n)d executions are gone.", gone)
            self.message_user(request, said % {"n": gone}, messages.WARNING)
        return HttpResponseRedirect(self._url_with_filters(request, "changelist"))

    def _cancel_each(self, request: HttpRequest, runs: list[Execution], reason: str) -> None:
        found = [self._cancel(request, run, reason) for run in runs]
        problems = [problem for problem in found if problem]
        done = len(runs) - len(problems)
        if done:
            said = ngettext(
                "%(n)d execution was cancelled.", "%(n)d executions were cancelled.", done
            )
            self.message_user(request, said % {"n": done}, messages.SUCCESS)
        for problem in problems[:FAILURES_TOLD_MAX]:
            self.message_user(request, problem, messages.ERROR)
        if (rest := len(problems) - FAILURES_TOLD_MAX) > 0:
            said = ngettext(
                "And %(n)d more was not cancelled.", "And %(n)d more were not cancelled.", rest
            )
            self.message_user(request, said % {"n": rest}, messages.ERROR)

    def _cancel(self, request: HttpRequest, run: Execution, reason: str) -> str | None:
        """Cancels and writes down who did; what went wrong, or None.

        Each run in its own transaction: one that has ended meanwhile does not stop the others, and
        no lock is held while the next is waited for.
        """
        try:
            with transaction.atomic(using=settings.DATABASE):
                api.cancel(run.pk, reason)
                self.log_change(request, run, gettext("Cancelled: %(why)s") % {"why": reason})
        except InvalidState as error:
            return _not_cancelled(run, error.status or run.status)
        except ExecutionNotFound:
            return gettext("%(run)s was not cancelled: it is gone.") % {"run": run}
        return None

    def _ask_many(
        self, request: HttpRequest, form: forms.Form, runs: list[Execution], notes: dict[str, Any]
    ) -> TemplateResponse:
        count = len(runs)
        title = ngettext("Cancel %(n)d execution", "Cancel %(n)d executions", count) % {"n": count}
        context = {
            "title": title,
            "original": title,
            "form_url": self._url_with_filters(request, "cancel_many"),
            "back_url": self._url_with_filters(request, "changelist"),
            "runs": _rows(runs[:LISTED_MAX]),
            "unlisted": max(count - LISTED_MAX, 0),
            "count": count,
            "many_max": MANY_MAX,
        }
        return self._ask(request, form, {**context, **notes})

    def _ask(
        self, request: HttpRequest, form: forms.Form, context: dict[str, Any]
    ) -> TemplateResponse:
        fieldsets = [(None, {"fields": ["reason"]})]
        any_form: Any = form
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + form.media,
            "adminform": helpers.AdminForm(any_form, fieldsets, {}, model_admin=self),
            "errors": form.errors,
            "inline_admin_formsets": [],
            "has_view_permission": True,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.cancel_template, {**common, **context})

    def _url(self, name: str, *args: str) -> str:
        """The address of one of our pages, in the admin site that this is part of."""
        site = self.admin_site.name
        return reverse(f"admin:{_prefix()}_{name}", args=args, current_app=site)

    def _url_with_filters(self, request: HttpRequest, name: str) -> str:
        """The same, keeping the filters of the list that one came from."""
        filters = self.get_preserved_filters(request)
        context: Any = {"preserved_filters": filters, "opts": self.opts}
        return str(add_preserved_filters(context, self._url(name)))


def _prefix() -> str:
    """How Django calls the addresses of a model."""
    return f"{Execution._meta.app_label}_{Execution._meta.model_name}"


def can_be_cancelled(run: Execution) -> bool:
    """Whether people can cancel it: a run that has not ended and is not being rolled back; never a
    strand by itself."""
    return run.kind == ExecutionKind.WORKFLOW and run.status not in NOT_CANCELLABLE


def _only_with_its_run(strand: Execution) -> str:
    said = gettext(
        "%(member)s was not cancelled: it is part of a run, and only the run as a whole can be "
        "cancelled."
    )
    return said % {"member": strand.path}


def _not_cancelled(run: Execution, status: str) -> str:
    label = ExecutionStatus(status).label if status in ExecutionStatus.values else status
    said = gettext("%(run)s was not cancelled: it is already %(status)s.")
    return said % {"run": run, "status": label}


def _rows(runs: list[Execution]) -> list[dict[str, Any]]:
    return [{"run": run, "badge": execution_badge(run.status)} for run in runs]
