"""Actions on several runs: a page says how many and lists some, a POST does it, one by one.

Each run is in a transaction of its own: one that has moved on does not stop the others, and no lock
is held while the next is waited for.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ...exceptions import ExecutionNotFound, InvalidState
from ...models import Execution
from ...models.history import latest
from ...showing.visible import visible
from .action import Action, MovedOn, OptionalReasonForm, ReasonForm, refused
from .ending import STOP, CancelForm
from .pages import REFUSALS, ActionPages, prefix, rows, said
from .verbs import ACTIONS, BULK

MANY_MAX: Final = 1_000
FAILURES_TOLD_MAX: Final = 10
LISTED_MAX: Final = 20

ALL_LABELS: Final[dict[str, Any]] = {
    "cancel": _("Cancel …"),
    "retry": _("Retry …"),
    "pause": _("Pause …"),
    "resume": _("Resume …"),
}


class BulkPages(ActionPages):
    """Adds the actions of the list and the pages where they ask."""

    actions = ["cancel_selected", "retry_selected", "pause_selected", "resume_selected"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            *(
                path(
                    f"bulk/{action.verb}/",
                    wrap(self.bulk_view),
                    {"verb": action.verb},
                    name=f"{prefix()}_{action.verb}_many",
                )
                for action in BULK
            ),
            *super().get_urls(),
        ]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether Django offers the action to this person; so the two below."""
        return self.may(request, ACTIONS["cancel"])

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.may(request, ACTIONS["retry"])

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return self.may(request, ACTIONS["pause"])

    @admin.action(description=_("Cancel selected executions …"), permissions=["cancel"])
    def cancel_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        return self._ask_for_selected(request, "cancel", queryset)

    @admin.action(description=_("Retry selected executions …"), permissions=["retry"])
    def retry_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        return self._ask_for_selected(request, "retry", queryset)

    @admin.action(description=_("Pause selected executions …"), permissions=["pause"])
    def pause_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        return self._ask_for_selected(request, "pause", queryset)

    @admin.action(description=_("Resume selected executions …"), permissions=["pause"])
    def resume_selected(
        self, request: HttpRequest, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        return self._ask_for_selected(request, "resume", queryset)

    def bulk_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Asks for the runs that the filters in the address find (GET), or does it to those that
        the page before it listed (POST)."""
        action = ACTIONS[verb]
        if not self.may(request, action):
            raise PermissionDenied
        if request.method != "POST":
            asked = self.ask_for(request, action, self.listed_runs(request, MANY_MAX + 1))
            listed = self.with_filters(request, self.url("changelist"))
            return asked or HttpResponseRedirect(listed)
        form = many_form(action, request.POST)
        valid = form.is_valid()
        ids = form.cleaned_data.get("ids")
        if not ids:
            raise BadRequest("ids")
        runs = list(latest(self.get_queryset(request)).filter(id__any=ids))
        if not valid:
            return self._ask_many(request, action, form, runs, {})
        self._do_each(request, action, runs, form.cleaned_data)
        if gone := len(set(ids)) - len(runs):
            told = ngettext("%(n)d execution is gone.", "%(n)d executions are gone.", gone)
            self.message_user(request, told % {"n": gone}, messages.WARNING)
        return HttpResponseRedirect(self.with_filters(request, self.url("changelist")))

    def _ask_for_selected(
        self, request: HttpRequest, verb: str, queryset: QuerySet[Execution]
    ) -> HttpResponse | None:
        runs = list(latest(queryset.order_by("-id"))[: MANY_MAX + 1])
        return self.ask_for(request, ACTIONS[verb], runs)

    def listed_runs(self, request: HttpRequest, most: int) -> list[Execution]:
        """The newest runs of the list as it was filtered where one came from."""
        raise NotImplementedError

    def ask_for(
        self, request: HttpRequest, action: Action, found: list[Execution]
    ) -> HttpResponse | None:
        """Asks, for the newest of some runs; those that it cannot be done to are left out."""
        more, found = len(found) > MANY_MAX, found[:MANY_MAX]
        runs = [run for run in found if action.applies(run)]
        if not runs:
            told = gettext("This can be done to none of the selected executions, as they are now.")
            self.message_user(request, told, messages.WARNING)
            return None
        ids = " ".join(str(run.pk) for run in runs)
        form = many_form(action, None, initial={"ids": ids})
        left_out = len(found) - len(runs)
        return self._ask_many(request, action, form, runs, {"left_out": left_out, "more": more})

    def _do_each(
        self, request: HttpRequest, action: Action, runs: list[Execution], data: dict[str, Any]
    ) -> None:
        found = [self._do_one(request, action, run, data) for run in runs]
        problems = [problem for problem in found if problem]
        if done := len(runs) - len(problems):
            self.message_user(request, told_done(action, done), messages.SUCCESS)
        for problem in problems[:FAILURES_TOLD_MAX]:
            self.message_user(request, visible(problem), messages.ERROR)
        if (rest := len(problems) - FAILURES_TOLD_MAX) > 0:
            told = ngettext(
                "And %(n)d more was left as it was.", "And %(n)d more were left as they were.", rest
            )
            self.message_user(request, told % {"n": rest}, messages.ERROR)

    def _do_one(
        self, request: HttpRequest, action: Action, run: Execution, data: dict[str, Any]
    ) -> str | None:
        """What went wrong, or None."""
        if not action.applies(run):
            return action.refusal(run)
        try:
            self.do(request, run, action, data)
        except InvalidState as error:
            return refused(action, run, error.status, error)
        except ExecutionNotFound:
            gone = gettext("It is gone.")
            return f"{action.not_done % {'run': run}} {gone}"
        except MovedOn as error:
            return str(error)
        except (ValidationError, *REFUSALS) as error:
            return f"{action.not_done % {'run': run}} {said(error)}"
        return None

    def _ask_many(
        self,
        request: HttpRequest,
        action: Action,
        form: Any,
        runs: list[Execution],
        notes: dict[str, Any],
    ) -> TemplateResponse:
        count = len(runs)
        title = _title(action, count)
        return self.ask(
            request,
            form,
            {
                "title": title,
                "original": title,
                "verb": action.verb,
                "explains": action.explains(runs[0])[: None if count == 1 else 1],
                "submit": title,
                "is_danger": action.is_danger,
                "form_url": self.with_filters(request, self.url(f"{action.verb}_many")),
                "back_url": self.with_filters(request, self.url("changelist")),
                "runs": rows(runs[:LISTED_MAX], self.url),
                "unlisted": max(count - LISTED_MAX, 0),
                "many_max": MANY_MAX,
                **notes,
            },
        )


def many_form(action: Action, data: Any, **options: Any) -> Any:
    """The form of an action on several runs: why, and their ids in one field, since Django refuses
    a thousand."""
    form_class: type[ReasonForm] = ReasonForm
    if issubclass(action.form_class, CancelForm):
        form_class = CancelForm
    elif issubclass(action.form_class, OptionalReasonForm):
        form_class = OptionalReasonForm
    form = form_class(data, **options)
    form.fields["ids"] = IdsField()
    if "how" in form.fields:
        form.fields["how"].initial = STOP
    return form


class IdsField(forms.CharField):
    """The ids of runs, one after the other."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> list[UUID]:
        words = str(super().clean(value)).split()
        try:
            found = [UUID(word) for word in words]
        except ValueError:
            found = []
        if not 0 < len(found) <= MANY_MAX:
            raise forms.ValidationError(_("These are not the ids of executions."))
        return found


def _title(action: Action, count: int) -> str:
    """How many, and what is done to them."""
    titles = {
        "cancel": ngettext("Cancel %(n)d execution", "Cancel %(n)d executions", count),
        "retry": ngettext("Retry %(n)d execution", "Retry %(n)d executions", count),
        "pause": ngettext("Pause %(n)d execution", "Pause %(n)d executions", count),
        "resume": ngettext("Resume %(n)d execution", "Resume %(n)d executions", count),
    }
    return titles[action.verb] % {"n": count}


def told_done(action: Action, count: int) -> str:
    """That so many were done."""
    said_of = {
        "cancel": ngettext(
            "%(n)d execution was cancelled.", "%(n)d executions were cancelled.", count
        ),
        "retry": ngettext("%(n)d execution goes on.", "%(n)d executions go on.", count),
        "pause": ngettext("%(n)d execution was paused.", "%(n)d executions were paused.", count),
        "resume": ngettext("%(n)d execution was resumed.", "%(n)d executions were resumed.", count),
    }
    return said_of[action.verb] % {"n": count}
