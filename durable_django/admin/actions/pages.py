"""The page of an action on one run: a GET asks, a POST does it, after a second page where there is
something to look at first.

Each is behind its own permission and sees only runs of ``get_queryset``. What it tells, and what
is written into Django's history, is here; the doing is the action's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from ...conf import settings
from ...exceptions import DurableError, ExecutionNotFound, InvalidState, NotSerializable
from ...models import Execution
from ...models.execution import ExecutionKind
from ...showing.learning import learn_run
from ...showing.masking import Masks
from ...showing.visible import visible
from ...store.transactions import lock_execution, repeating
from ..badges import execution_badge
from .action import CONFIRMED, Action, Done, MovedOn, refused
from .verbs import ACTIONS

CHANGE = "change"
# What the API raises of arguments that it does not take.
REFUSALS = (NotSerializable, DurableError, ValueError, TypeError)


class Unseen(ValueError):
    """What was started could not be seen by who started it; it is undone."""


def prefix() -> str:
    """How Django calls the addresses of executions."""
    return f"{Execution._meta.app_label}_{Execution._meta.model_name}"


class ActionPages(admin.ModelAdmin):
    """Adds a page for each action to the admin of executions."""

    ask_template = "admin/durable_django/execution/ask.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            *(
                path(
                    f"<path:object_id>/{verb}/",
                    wrap(self.action_view),
                    {"verb": verb},
                    name=f"{prefix()}_{verb}",
                )
                for verb in ACTIONS
            ),
            *super().get_urls(),
        ]

    def may(self, request: HttpRequest, action: Action, run: Execution | None = None) -> bool:
        """Whether this person may do it. Who cannot see runs cannot do anything to them."""
        return action.may(request) and self.has_view_permission(request, run)

    def action_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Asks (GET), does it (POST), or says why it cannot be done."""
        action = ACTIONS[verb]
        if not self.may(request, action):
            raise PermissionDenied
        run = self.get_object(request, unquote(object_id))
        if run is None:
            raise Http404
        if run.kind != ExecutionKind.WORKFLOW or not action.applies(run):
            return self._refuse(request, run, action.refusal(run))
        posted = request.method == "POST"
        try:
            form = action.make_form(request, run, request.POST if posted else None)
            if posted and form.is_valid() and CHANGE not in request.POST:
                return self._go_on(request, run, action, form)
        except MovedOn as error:
            return self._refuse(request, run, str(error))
        except InvalidState as error:
            return self._refuse(request, run, refused(action, run, error.status, error))
        except DurableError as error:
            return self._refuse(request, run, said(error))
        return self._ask(request, run, action, form)

    def _go_on(
        self, request: HttpRequest, run: Execution, action: Action, form: Any
    ) -> HttpResponse:
        """Shows what follows, or does it; what the API does not take is told on the form."""
        try:
            if CONFIRMED not in request.POST:
                shown = action.review(request, run, form)
                if shown is not None:
                    return self._review(request, run, action, form, shown)
            done = self.do(request, run, action, form.cleaned_data)
        except (InvalidState, ExecutionNotFound):
            raise
        except (ValidationError, *REFUSALS) as error:
            form.add_error(
                None, error.messages if isinstance(error, ValidationError) else said(error)
            )
            return self._ask(request, run, action, form)
        self.message_user(request, visible(done.text), messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(request, done.run or run))

    def do(self, request: HttpRequest, run: Execution, action: Action, data: Any) -> Done:
        """Does it and writes down who did, both or neither; again where the database reports a
        deadlock or a lock held too long."""
        return repeating(lambda: self._do(request, run, action, data))

    def _do(self, request: HttpRequest, run: Execution, action: Action, data: Any) -> Done:
        with transaction.atomic(using=settings.DATABASE):
            if action.locks:
                lock_execution(run.pk)
            done = action.perform(request, run, data)
            if done.run is not None:
                self.check_seen(request, done.run)
            self.log_change(request, run, self._logged(request, run, action, data))
        return done

    def check_seen(self, request: HttpRequest, made: Execution) -> None:
        """Unseen, which undoes it, for a run that this person may not see."""
        if not self.get_queryset(request).filter(pk=made.pk).exists():
            raise Unseen(gettext("Nothing was started, since you could not see it."))

    def _logged(self, request: HttpRequest, run: Execution, action: Action, data: Any) -> str:
        """What Django's history keeps of it, where nothing is masked once it is written."""
        mask = Masks([(run.workflow_name, run.version)]).of(run.workflow_name, run.version)
        learn_run(mask, run)
        return logged(action, mask.text(data.get("reason") or ""))

    def page_of(self, request: HttpRequest, run: Execution) -> str:
        """The address of the page of a run, with the filters of the list one came from."""
        return self.with_filters(request, self.url("change", quote(str(run.pk))))

    def url(self, name: str, *args: str) -> str:
        """The address of one of our pages, in the admin site that this is part of."""
        site = self.admin_site.name
        return reverse(f"admin:{prefix()}_{name}", args=args, current_app=site)

    def with_filters(self, request: HttpRequest, address: str) -> str:
        """The same, keeping the filters of the list that one came from."""
        filters = self.get_preserved_filters(request)
        context: Any = {"preserved_filters": filters, "opts": self.opts}
        return str(add_preserved_filters(context, address))

    def ask(self, request: HttpRequest, form: Any, context: dict[str, Any]) -> TemplateResponse:
        """The page that asks, drawn as Django draws forms."""
        hidden = {field.name for field in form.hidden_fields()}
        names = [name for name in form.fields if name not in hidden]
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + form.media,
            "adminform": helpers.AdminForm(form, [(None, {"fields": names})], {}, model_admin=self),
            "errors": form.errors,
            "inline_admin_formsets": [],
            "has_view_permission": True,
            "subtitle": None,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.ask_template, {**common, **context})

    def _refuse(self, request: HttpRequest, run: Execution, why: str) -> HttpResponse:
        self.message_user(request, visible(why), messages.ERROR)
        return HttpResponseRedirect(self.page_of(request, run))

    def _ask(
        self, request: HttpRequest, run: Execution, action: Action, form: Any
    ) -> TemplateResponse:
        return self.ask(request, form, self._context(request, run, action))

    def _review(
        self,
        request: HttpRequest,
        run: Execution,
        action: Action,
        form: Any,
        shown: dict[str, Any],
    ) -> TemplateResponse:
        """The second page: what follows, and the answers of the first one, hidden."""
        context = {
            **self._context(request, run, action),
            "review_template": action.review_template,
            "review": shown,
            "answers": list(_answers(form)),
            "explains": [],
        }
        empty = forms.Form()
        return self.ask(request, empty, context)

    def _context(self, request: HttpRequest, run: Execution, action: Action) -> dict[str, Any]:
        return {
            "title": str(action.title),
            "original": run,
            "verb": action.verb,
            "explains": action.explains(run),
            "submit": action.submit,
            "is_danger": action.is_danger,
            "back_url": self.page_of(request, run),
            "runs": rows([run], self.url),
        }


def rows(runs: list[Execution], url: Any) -> list[dict[str, Any]]:
    """Runs as a list on a page that asks: their badges, what they are, where their pages are."""
    return [
        {
            "text": visible(str(run)),
            "badge": execution_badge(run.status),
            "address": url("change", quote(str(run.pk))),
        }
        for run in runs
    ]


def logged(action: Action, reason: str) -> str:
    """What was done, and why."""
    what = str(action.label).removesuffix(" …")
    return visible(f"{what}: {reason}" if reason else what)


def said(error: BaseException) -> str:
    """What the API says of an argument it does not take."""
    return visible(gettext("This was refused: %(why)s") % {"why": error})


def _answers(form: Any) -> Iterator[dict[str, str]]:
    """The names and values of a bound form, as they were sent."""
    for field in form:
        for value in form.data.getlist(field.html_name):
            yield {"name": field.html_name, "value": value}
