"""Deleting runs that ended long ago, from the admin: which, how many that would be, then the POST.

It calls ``durable_django.api_pruning``, which tells the audit trail. Only who sees all runs may: it
is not asked of each whether it may be seen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin import widgets
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import api_pruning
from ..conf import settings
from ..definition.durations import to_seconds
from ..exceptions import WorkflowNotFound
from ..models import FINAL, AuditEntry, AuditVerb
from ..models.names import names_of_runs
from ..showing.durations import UnitMissing, read_duration, written
from ..showing.visible import visible
from ..store import clock
from . import moments
from .actions.action import CONFIRMED
from .actions.pages import CHANGE, ActionPages, prefix
from .charts import grouped
from .seeing import sees_all

PERMISSION: Final = "durable_django.prune_execution"
# A page is answered soon: what it counts, and what it deletes, it does for so long at the most.
COUNTED_MAX: Final = 10_000
COUNTING_SECONDS: Final = 3
DELETING_SECONDS: Final = 15
HISTORY_MAX: Final = 20


class AgeField(forms.CharField):
    """How long ago, as people write it: ``30d``. Its value is a timedelta. A number alone is
    refused: what is deleted by mistake is gone."""

    def clean(self, value: Any) -> timedelta:
        try:
            return read_duration(super().clean(value), needs_unit=True)
        except UnitMissing:
            raise forms.ValidationError(
                gettext("Write its unit, too, one of w, d, h, m and s: 30d is 30 days.")
            ) from None
        except ValueError:
            raise forms.ValidationError(
                gettext("This is no duration. Write it like 30d, 12h, 90m or 2w.")
            ) from None


class PruneForm(forms.Form):
    """Which runs, and why."""

    older_than = AgeField(
        label=_("Ended longer ago than"),
        max_length=40,
        widget=widgets.AdminTextInputWidget,
        help_text=_("Like 30d, 12h, 90m or 2w."),
    )
    status = forms.MultipleChoiceField(
        label=_("Status"),
        required=False,
        choices=[(status.value, status.label) for status in FINAL],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: however they ended."),
    )
    workflow = forms.ChoiceField(label=_("Workflow"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=1_000,
        widget=widgets.AdminTextareaWidget(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["workflow"]
        names = [(name, visible(name)) for name in names_of_runs()]
        field.choices = [("", _("All of them")), *names]


class PrunePages(ActionPages):
    """Adds the page ``prune/`` to the admin of executions."""

    prune_template = "admin/durable_django/execution/prune.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.prune_view)
        return [path("prune/", view, name=f"{prefix()}_prune"), *super().get_urls()]

    def may_prune(self, request: HttpRequest) -> bool:
        """Whether this person may delete runs: who has the permission, and sees all of them."""
        return (
            bool(request.user.has_perm(PERMISSION))
            and self.has_view_permission(request)
            and sees_all(self.get_queryset(request))
        )

    def prune_view(self, request: HttpRequest) -> HttpResponse:
        """Asks which (GET), says how many that are (POST), deletes them (confirmed POST)."""
        if not self.may_prune(request):
            raise PermissionDenied
        posted = request.method == "POST"
        form = PruneForm(request.POST if posted else None, initial={"older_than": _usual_age()})
        if posted and form.is_valid() and CHANGE not in request.POST:
            try:
                if CONFIRMED in request.POST:
                    return self._prune(request, form.cleaned_data)
                return self._review_prune(request, form)
            except WorkflowNotFound:  # the last of them was deleted since the page was drawn
                form.add_error("workflow", gettext("There are no runs of this workflow any more."))
        return self._ask_prune(request, form)

    def _prune(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        done = _call(data, timeout=DELETING_SECONDS, reason=data["reason"], by=request.user)
        told = ngettext(
            "%(number)s run was deleted, with all it forked and called.",
            "%(number)s runs were deleted, with all they forked and called.",
            done.trees,
        ) % {"number": grouped(done.trees)}
        self.message_user(request, told, messages.SUCCESS)
        self._tell_kept(request, done.kept)
        if done.is_more:
            told = gettext("There are more; do the same again for them, or use durable prune.")
            self.message_user(request, told, messages.WARNING)
        return HttpResponseRedirect(self.url("prune"))

    def _tell_kept(self, request: HttpRequest, kept: int) -> None:
        if kept:
            told = ngettext(
                "%(number)s run stays: something of it has not ended, ended later, or is locked at "
                "this moment.",
                "%(number)s runs stay: something of them has not ended, ended later, or is locked "
                "at this moment.",
                kept,
            ) % {"number": grouped(kept)}
            self.message_user(request, told, messages.WARNING)

    def _review_prune(self, request: HttpRequest, form: PruneForm) -> TemplateResponse:
        """The second page: how many, and the answers of the first one, hidden."""
        found = _call(form.cleaned_data, limit=COUNTED_MAX, timeout=COUNTING_SECONDS, dry_run=True)
        if not found.trees:
            told = gettext("There is nothing to delete of what you chose.")
            self.message_user(request, told, messages.WARNING)
            self._tell_kept(request, found.kept)
            return self._ask_prune(request, form)
        context = {
            **self._prune_context(request),
            "review_template": "admin/durable_django/execution/review_prune.html",
            "review": {
                "trees": found.trees,
                "trees_text": grouped(found.trees),
                "executions": grouped(found.executions),
                "step_runs": grouped(found.step_runs),
                "is_more": found.is_more,
                "kept": found.kept,
                "kept_text": grouped(found.kept),
                "age": written(form.cleaned_data["older_than"].total_seconds()),
                "workflow": visible(form.cleaned_data["workflow"]),
                "statuses": [
                    str(status.label)
                    for status in FINAL
                    if status.value in form.cleaned_data["status"]
                ],
            },
            "answers": [
                {"name": name, "value": value}
                for name in form.fields
                for value in request.POST.getlist(name)
            ],
            "submit": gettext("Delete them"),
            "is_danger": True,
        }
        return self.ask(request, forms.Form(), context)

    def _ask_prune(self, request: HttpRequest, form: PruneForm) -> TemplateResponse:
        context = {
            **self._prune_context(request),
            "explains": [
                gettext(
                    "Each run goes with all it forked and called, or it stays whole. What is "
                    "deleted cannot be brought back."
                ),
                _by_itself(),
            ],
            "submit": gettext("Count them …"),
            "history": _history(),
        }
        response = self.ask(request, form, context)
        response.template_name = self.prune_template
        return response

    def _prune_context(self, request: HttpRequest) -> dict[str, Any]:
        title = gettext("Delete old runs")
        return {
            "title": title,
            "original": title,
            "verb": "prune",
            "back_url": self.with_filters(request, self.url("changelist")),
        }


def _call(data: dict[str, Any], **rest: Any) -> Any:
    return api_pruning.prune(
        data["older_than"],
        status=data["status"] or None,
        workflow=data["workflow"] or None,
        **rest,
    )


def _general() -> float | None:
    try:
        return None if settings.RETENTION is None else to_seconds(settings.RETENTION, "RETENTION")
    except (TypeError, ValueError):  # the system checks tell of it
        return None


def _usual_age() -> str:
    return written(_general() or 30 * 86_400)


def _by_itself() -> str:
    """What is deleted without anybody's asking."""
    seconds = _general()
    if seconds is None:
        return gettext(
            "By themselves workers delete only runs of workflows that say so in Meta.retention: "
            "the setting RETENTION is not set."
        )
    return gettext(
        "By themselves workers delete runs that ended %(duration)s ago, as the setting RETENTION "
        "says, unless Meta.retention of their workflow says something else."
    ) % {"duration": written(seconds)}


def _history() -> list[dict[str, Any]]:
    """What people deleted, the latest first."""
    now = clock.now()
    rows = AuditEntry.objects.using(settings.DATABASE).filter(
        execution__isnull=True, queue="", schedule="", verb=AuditVerb.PRUNE
    )
    return [
        {
            "at": moments.ago(row.created_at, now),
            "by": visible(row.by),
            "reason": visible(row.reason),
            "number": grouped(row.detail["trees"]),
            "workflow": visible(row.detail["workflow"] or ""),
            "age": written(row.detail["older_than"]),
        }
        for row in rows[:HISTORY_MAX]
    ]
