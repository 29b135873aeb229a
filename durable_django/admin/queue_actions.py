"""Pausing, resuming and limiting a queue from the admin: a page that asks, and the POST that does.

It calls ``durable_django.api_queues``, which tells the audit trail; Django's own history is told
here, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import api_queues
from ..conf import settings
from ..exceptions import InvalidState, QueueNotFound
from ..models import Queue
from ..showing.visible import visible
from .charts import grouped

PERMISSION: Final = "durable_django.manage_queue"
REASON_LENGTH_MAX: Final = 1_000


class ReasonForm(forms.Form):
    """Why; whoever wonders later reads it."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=REASON_LENGTH_MAX,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Kept with the queue, for those who will wonder."),
    )


class LimitForm(ReasonForm):
    """How many at once, and why."""

    limit = forms.IntegerField(
        label=_("Limit"),
        required=False,
        min_value=1,
        max_value=api_queues.LIMIT_MAX,
        widget=AdminIntegerFieldWidget,
        help_text=_("At most so many runs and members of runs at once. Empty: no limit."),
    )
    field_order = ["limit", "reason"]


class QueueAction(NamedTuple):
    """A verb of the API as a page; ``done`` says of a queue that it was done."""

    verb: str
    label: Any
    title: Any
    explains: Any
    submit: Any
    form_class: type[forms.Form]
    perform: Callable[..., Queue]
    applies: Callable[[Queue], bool]
    done: Callable[[Queue], str]


class Button(NamedTuple):
    """A link to a page that asks."""

    label: str
    url: str


def _limited(queue: Queue) -> str:
    if queue.concurrency_limit is None:
        return gettext("The queue %(name)s has no limit now.") % {"name": visible(queue.pk)}
    said = gettext("The queue %(name)s runs at most %(limit)s at once now.")
    return said % {"name": visible(queue.pk), "limit": grouped(queue.concurrency_limit)}


ACTIONS: Final = {
    action.verb: action
    for action in (
        QueueAction(
            "pause",
            _("Pause …"),
            _("Pause the queue %(name)s"),
            _(
                "Workers take nothing more of it. What they hold goes on until it ends or waits; "
                "runs can be started meanwhile, and their timeouts go on."
            ),
            _("Pause this queue"),
            ReasonForm,
            api_queues.pause_queue,
            lambda queue: not queue.is_paused,
            lambda queue: gettext("The queue %(name)s is paused.") % {"name": visible(queue.pk)},
        ),
        QueueAction(
            "resume",
            _("Resume …"),
            _("Resume the queue %(name)s"),
            _("Workers take runs of it again, at once."),
            _("Resume this queue"),
            ReasonForm,
            api_queues.resume_queue,
            lambda queue: queue.is_paused,
            lambda queue: gettext("The queue %(name)s goes on.") % {"name": visible(queue.pk)},
        ),
        QueueAction(
            "limit",
            _("Limit …"),
            _("Limit the queue %(name)s"),
            _(
                "All workers together hold at most so many of it at once. What sleeps or waits "
                "does not count. A limit below what is held now ends nothing."
            ),
            _("Set this limit"),
            LimitForm,
            api_queues.limit_queue,
            lambda queue: True,
            _limited,
        ),
    )
}


class QueueActions(admin.ModelAdmin):
    """The pages ``<name>/pause/``, ``<name>/resume/`` and ``<name>/limit/``."""

    action_template = "admin/durable_django/queue/action.html"

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Whether this person may decide about queues. Who cannot see them cannot either."""
        return request.user.has_perm(PERMISSION) and self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                f"<path:object_id>/{verb}/",
                wrap(self.action_view),
                {"verb": verb},
                name=f"durable_django_queue_{verb}",
            )
            for verb in ACTIONS
        ]
        return [*own, *super().get_urls()]

    def buttons(self, request: HttpRequest, queue: Queue) -> list[Button]:
        """What this person can do about the queue now."""
        if not self.has_manage_permission(request):
            return []
        return [
            Button(str(action.label), self._address(action.verb, queue))
            for action in ACTIONS.values()
            if action.applies(queue)
        ]

    def action_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Asks (GET), does it (POST)."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        queue: Queue | None = self.get_object(request, unquote(object_id))
        if queue is None:
            raise Http404
        action = ACTIONS[verb]
        page = self._address("change", queue)
        if request.method != "POST":
            form = action.form_class(initial={"limit": queue.concurrency_limit})
            return self._ask(request, queue, action, form)
        form = action.form_class(request.POST)
        if not form.is_valid():
            return self._ask(request, queue, action, form)
        try:
            with transaction.atomic(using=settings.DATABASE):
                changed = action.perform(queue.pk, **form.cleaned_data, by=request.user)
                said = action.done(changed)
                reason = form.cleaned_data["reason"]
                self.log_change(request, changed, f"{said} {reason}".rstrip())
        except (InvalidState, QueueNotFound) as error:
            problem = gettext("Nothing was changed: %(why)s") % {"why": error}
            self.message_user(request, problem, messages.ERROR)
            return HttpResponseRedirect(page)
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(page)

    def _ask(
        self, request: HttpRequest, queue: Queue, action: QueueAction, form: forms.Form
    ) -> TemplateResponse:
        any_form: Any = form
        title = str(action.title) % {"name": visible(queue.pk)}
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "original": queue,
            "opts": self.opts,
            "media": self.media + form.media,
            "adminform": helpers.AdminForm(
                any_form, [(None, {"fields": list(form.fields)})], {}, model_admin=self
            ),
            "errors": form.errors,
            "inline_admin_formsets": [],
            "has_view_permission": True,
            "action": action,
            "back_url": self._address("change", queue),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.action_template, context)

    def _address(self, page: str, queue: Queue) -> str:
        name = f"admin:durable_django_queue_{page}"
        return reverse(name, args=[quote(queue.pk)], current_app=self.admin_site.name)
