"""Doing something about a schedule from the admin: a page that asks, and the POST that does.

It calls ``durable_django.schedules``, which tells the audit trail; Django's own history is told
here, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from ..conf import settings
from ..exceptions import DurableError, NotSerializable
from ..models import Execution, Schedule, ScheduleSource
from ..showing.schedules import gives_input, zone_name
from ..showing.visible import visible
from ..store import clock
from ..store.transactions import repeating
from .actions.pages import Unseen, said
from .charts import grouped
from .overview_links import Links
from .schedule_seeing import ScheduleSeeing
from .schedule_verbs import ACTIONS, ScheduleAction
from .schedule_views import mask_of, occurrences, shown_input
from .seeing import visible_runs

PERMISSION: Final = "durable_django.manage_schedule"
# The name of the field by which the second page of a form says that it was looked at.
CONFIRMED: Final = "confirmed"
CHANGE: Final = "change"
# What the API raises of arguments that it does not take.
REFUSALS: Final = (ValidationError, NotSerializable, ValueError, TypeError)
PREVIEWED_MAX: Final = 20


class Button(NamedTuple):
    """A link to a page that asks."""

    label: str
    url: str
    is_danger: bool = False


class ScheduleActions(ScheduleSeeing):
    """The pages ``<id>/trigger/``, ``<id>/disable/`` and so on."""

    ask_template = "admin/durable_django/schedule/ask.html"

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Whether this person may decide about schedules; that includes to trigger and back-fill
        them. Who cannot see them cannot either."""
        return request.user.has_perm(PERMISSION) and self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                f"<path:object_id>/{verb}/",
                wrap(self.action_view),
                {"verb": verb},
                name=f"durable_django_schedule_{verb}",
            )
            for verb in ACTIONS
        ]
        # Django's page that deletes would delete by itself, without the API.
        others = [each for each in super().get_urls() if each.name != own[-1].name]
        return [*own, *others]

    def buttons(self, request: HttpRequest, schedule: Schedule) -> list[Button]:
        """What this person can do about the schedule now."""
        if not self.has_manage_permission(request):
            return []
        found = [
            Button(str(action.label), self.address(action.verb, schedule), action.is_danger)
            for action in ACTIONS.values()
            if action.applies(schedule)
        ]
        if schedule.source == ScheduleSource.PEOPLE:
            found.insert(0, Button(gettext("Change …"), self.address("edit", schedule)))
        return found

    def action_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Asks (GET), shows what follows where there is something to look at, does it (POST)."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        schedule: Schedule | None = self.get_object(request, unquote(object_id))
        if schedule is None:
            raise Http404
        action = ACTIONS[verb]
        if not action.applies(schedule):
            return self.refused(request, schedule, gettext("it cannot be done to it as it is now."))
        posted = request.method == "POST"
        form = action.form_class(request.POST if posted else None)
        if not posted or not form.is_valid() or CHANGE in request.POST:
            return self._ask(request, schedule, action, form)
        try:
            if action.preview is not None and CONFIRMED not in request.POST:
                ticks = action.preview(schedule, form.cleaned_data)
                return self._review(request, schedule, action, form, ticks)
            result = repeating(lambda: self._do(request, schedule, action, form.cleaned_data))
        except REFUSALS as error:
            refuse(form, error)
            return self._ask(request, schedule, action, form)
        except DurableError as error:
            return self.refused(request, schedule, str(error))
        self.message_user(request, visible(action.done(schedule, result)), messages.SUCCESS)
        return HttpResponseRedirect(self._after(request, schedule, action, result))

    def _do(
        self, request: HttpRequest, schedule: Schedule, action: ScheduleAction, data: Any
    ) -> Any:
        """Does it and writes down who did, both or neither."""
        with transaction.atomic(using=settings.DATABASE):
            reason = visible(mask_of(request, schedule).text(data["reason"]))
            self.log_change(request, schedule, f"{action.label} {reason}".strip())
            result = action.perform(schedule, data, request.user)
            self.check_seen(request, result)
        return result

    def check_seen(self, request: HttpRequest, result: Any) -> None:
        """Unseen, which undoes it, if runs were started that this person may not see."""
        made = result if isinstance(result, list) else [result]
        ids = [run.pk if isinstance(run, Execution) else run for run in made]
        if isinstance(result, Schedule) or not ids or result is None:
            return
        runs = visible_runs(self.admin_site, request)
        if runs is None or runs.filter(pk__in=ids).count() != len(ids):
            raise Unseen(gettext("Nothing was started, since you could not see it."))

    def _after(
        self, request: HttpRequest, schedule: Schedule, action: ScheduleAction, result: Any
    ) -> str:
        """Where one goes on: to the run that was started, the list, or the schedule."""
        if action.verb == "delete":
            return self._url("changelist")
        if isinstance(result, Execution):
            run = Links(self.admin_site, request).page("execution", str(result.pk))
            return run or self.address("change", schedule)
        return self.address("change", schedule)

    def refused(self, request: HttpRequest, schedule: Schedule, why: str) -> HttpResponse:
        """To the page of the schedule, which says why nothing was done."""
        problem = gettext("Nothing was changed: %(why)s") % {"why": visible(why)}
        self.message_user(request, problem, messages.ERROR)
        there = type(schedule).objects.using(settings.DATABASE).filter(pk=schedule.pk).exists()
        page = self.address("change", schedule) if there else self._url("changelist")
        return HttpResponseRedirect(page)

    # The pages

    def ask(self, request: HttpRequest, form: Any, context: dict[str, Any]) -> TemplateResponse:
        """The page that asks, drawn as Django draws forms."""
        fieldsets = context.pop("fieldsets", None) or [(None, {"fields": list(form.fields)})]
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + form.media,
            "adminform": helpers.AdminForm(form, fieldsets, {}, model_admin=self),
            "errors": form.errors,
            "inline_admin_formsets": [],
            "has_view_permission": True,
            "subtitle": None,
        }
        request.current_app = self.admin_site.name
        template = context.pop("template", self.ask_template)
        return TemplateResponse(request, template, {**common, **context})

    def _ask(
        self, request: HttpRequest, schedule: Schedule, action: ScheduleAction, form: Any
    ) -> TemplateResponse:
        return self.ask(request, form, self._context(request, schedule, action))

    def _review(
        self,
        request: HttpRequest,
        schedule: Schedule,
        action: ScheduleAction,
        form: Any,
        ticks: Any,
    ) -> TemplateResponse:
        """The second page: which times are started, and the answers of the first one, hidden."""
        found = list(ticks)
        now, zone = clock.now(), zone_name(schedule)
        count = ngettext("%(n)s run is started.", "%(n)s runs are started.", len(found))
        cut = len(found) > PREVIEWED_MAX
        shown = [*found[: PREVIEWED_MAX - 1], found[-1]] if cut else found
        context = {
            **self._context(request, schedule, action),
            "review": {
                "count": count % {"n": grouped(len(found))},
                "occurrences": occurrences(shown, zone, now),
                "left_out": len(found) - len(shown),
                "zone": visible(zone),
                "is_empty": not found,
            },
            "answers": list(_answers(form)),
            "explains": "",
            "reader_zone": "",
            "submit": gettext("Start them now"),
            "shown_input": None,
        }
        return self.ask(request, forms.Form(), context)

    def _context(
        self, request: HttpRequest, schedule: Schedule, action: ScheduleAction
    ) -> dict[str, Any]:
        title = str(action.title) % {"name": visible(str(schedule))}
        triggers = action.verb == "trigger"
        asks_code = triggers and gives_input(schedule)
        shows = triggers and not asks_code
        return {
            "title": title,
            "original": schedule,
            "verb": action.verb,
            "explains": action.explains,
            "submit": action.submit,
            "is_danger": action.is_danger,
            "back_url": self.address("change", schedule),
            "shown_input": shown_input(schedule, mask_of(request, schedule)) if shows else None,
            "gives_input": asks_code,
            "reader_zone": timezone.get_current_timezone_name() if action.asks_times else "",
        }

    def address(self, page: str, schedule: Schedule) -> str:
        """The address of a page of a schedule, in the admin site that this is part of."""
        return self._url(page, quote(schedule.pk))

    def _url(self, page: str, *args: Any) -> str:
        name = f"admin:durable_django_schedule_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)


def refuse(form: Any, error: BaseException, fields: dict[str, str] | None = None) -> None:
    """Puts a refusal beside the field that it is about; ``fields`` are the arguments of the API
    that have another name there."""
    if isinstance(error, ValidationError):
        about = "input" if "input" in form.fields else None
        form.add_error(about, _messages(error))
        return
    named = {**{name: name for name in form.fields}, **(fields or {})}
    text = str(error).removeprefix("Cron ").removeprefix("Every ")
    argument = max((name for name in named if text.startswith(name)), key=len, default="")
    form.add_error(named.get(argument), said(error))


def _messages(error: ValidationError) -> list[str]:
    """The messages of ``clean_input``, each with the key that it is about."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [f"{key}: {text}" for key, texts in error.message_dict.items() for text in texts]


def _answers(form: Any) -> Iterator[dict[str, str]]:
    """The names and values of a bound form, as they were sent."""
    for field in form:
        names = [field.html_name]
        if isinstance(field.field, forms.MultiValueField):
            names = [f"{field.html_name}_{n}" for n in range(len(field.field.fields))]
        for name in names:
            for value in form.data.getlist(name):
                yield {"name": name, "value": value}
