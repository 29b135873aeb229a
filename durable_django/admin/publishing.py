"""Publishing an event from the admin: what it is, then who waits for it now, then the POST.

It calls ``durable_django.api_events``, which writes who did it into the history of the runs that
wait. Only who sees all runs may: what is published reaches every run, whoever may see it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import api_events
from ..conf import settings
from ..definition.wait_arguments import KEY_LENGTH_MAX, NAME_LENGTH_MAX, read_key, read_name
from ..engine import values
from ..figures import Capped
from ..models import Event
from ..showing.durations import written
from ..showing.spoken import exact
from ..showing.visible import visible
from ..store.transactions import repeating
from . import moments
from .actions.action import CONFIRMED
from .actions.json_field import ValueField, as_text
from .actions.pages import CHANGE, REFUSALS, ActionPages, prefix, said
from .awaiting import WAITS_MAX, names_awaited, runs_waiting
from .charts import grouped
from .schedule_forms import DurationField
from .seeing import sees_all

PERMISSION: Final = "durable_django.send_event"
NAMES_MAX: Final = 50
PAYLOAD_SHOWN_MAX: Final = 4_000


class PublishForm(forms.Form):
    """What is published, and for how long it is kept."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH_MAX,
        widget=AdminTextInputWidget(attrs={"autofocus": True}),
    )
    key = forms.CharField(
        label=_("Key"),
        max_length=KEY_LENGTH_MAX,
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("It is for waits with just this key; left empty, for those without one."),
    )
    payload = ValueField(label=_("Payload"), path="payload", required=False, rows=6)
    keep = DurationField(
        label=_("Keep for"),
        required=False,
        help_text=_("Also for waits that begin within this time, like 2h or 30d."),
    )
    idempotency_key = forms.CharField(
        label=_("Idempotency key"),
        max_length=NAME_LENGTH_MAX,
        required=False,
        widget=AdminTextInputWidget,
        help_text=_(
            "If it was used for an event of this name and key already, nothing is published."
        ),
    )
    # By which one sees that this form was sent before.
    once = forms.UUIDField(widget=forms.HiddenInput)

    def clean_name(self) -> str:
        return str(_read(read_name, self.cleaned_data["name"], "name"))

    def clean_key(self) -> str:
        return str(_read(read_key, self.cleaned_data["key"] or None, "key"))

    def clean_idempotency_key(self) -> str:
        given = self.cleaned_data["idempotency_key"]
        return str(_read(read_name, given, "idempotency_key")) if given else ""

    def arguments(self) -> dict[str, Any]:
        """What ``publish_event`` takes, but for who publishes."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "key": data["key"] or None,
            "payload": data["payload"],
            "keep": data["keep"],
            "idempotency_key": data["idempotency_key"] or self._own_key(),
        }

    def _own_key(self) -> str:
        """Of what this form says now: a form that was changed and sent again publishes again."""
        data = self.cleaned_data
        text = f"{data['keep']} {values.encode(data['payload'], 'payload')}"
        return f"form {data['once']} {hashlib.sha256(text.encode()).hexdigest()}"


class PublishPages(ActionPages):
    """Adds the page ``publish/`` to the admin of executions."""

    publish_template = "admin/durable_django/execution/publish.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.publish_view)
        return [path("publish/", view, name=f"{prefix()}_publish"), *super().get_urls()]

    def may_publish(self, request: HttpRequest) -> bool:
        """Whether this person may publish events: who has the permission, and sees all runs."""
        return (
            bool(request.user.has_perm(PERMISSION))
            and self.has_view_permission(request)
            and sees_all(self.get_queryset(request))
        )

    def publish_view(self, request: HttpRequest) -> HttpResponse:
        """Asks what (GET ``?name=&key=``), says who waits for it (POST), publishes it (confirmed
        POST)."""
        if not self.may_publish(request):
            raise PermissionDenied
        if request.method != "POST":
            given = {name: request.GET.get(name, "").strip() for name in ("name", "key")}
            initial = {**given, "payload": "{}", "once": uuid4()}
            return self._ask_publish(request, PublishForm(initial=initial), _told_of(**given))
        form = PublishForm(request.POST)
        if form.is_valid() and CHANGE not in request.POST:
            answer = self._go_on_publishing(request, form)
            if answer is not None:
                return answer
        return self._ask_publish(request, form)

    def _go_on_publishing(self, request: HttpRequest, form: PublishForm) -> HttpResponse | None:
        """Says who waits for it, or publishes it; None, with the reason on the form, where it was
        refused."""
        arguments = form.arguments()
        is_confirmed = CONFIRMED in request.POST
        there = _refusal_of_double(form) if _is_there(**arguments) else ""
        if there and not is_confirmed:
            form.add_error("idempotency_key", there)
            return None
        if there:
            self.message_user(request, there, messages.WARNING)
        elif not is_confirmed:
            return self._review_publish(request, form)
        else:
            reached = runs_waiting(arguments["name"], arguments["key"] or "")
            try:
                event = repeating(lambda: self._publish(request, arguments))
            except REFUSALS as error:
                form.add_error(None, said(error))
                return None
            self._tell_published(request, event, reached)
        return HttpResponseRedirect(self.with_filters(request, self.url("publish")))

    def _publish(self, request: HttpRequest, arguments: dict[str, Any]) -> Event:
        """Publishes it and writes down who did, both or neither."""
        with transaction.atomic(using=settings.DATABASE):
            event = api_events.publish_event(**arguments, by=request.user)
            self.log_addition(request, event, gettext("Published"))
        return event

    def _tell_published(self, request: HttpRequest, event: Event, reached: Capped) -> None:
        what = _named(event.name, event.key)
        told = [gettext("The event %(event)s was published.") % {"event": what}, _counted(reached)]
        if event.expires_at is not None:
            told.append(gettext("It is kept until %(time)s.") % {"time": exact(event.expires_at)})
        is_for_somebody = reached.number or event.expires_at is not None
        level = messages.SUCCESS if is_for_somebody else messages.WARNING
        self.message_user(request, moments.told(" ".join(told)), level)

    def _review_publish(self, request: HttpRequest, form: PublishForm) -> TemplateResponse:
        """The second page: who waits for it, and the answers of the first one, hidden."""
        data = form.cleaned_data
        reached = runs_waiting(data["name"], data["key"])
        payload = visible(as_text(data["payload"]))
        context = {
            **self._publish_context(request),
            "review_template": "admin/durable_django/execution/review_publish.html",
            "review": {
                "counted": _counted(reached),
                "is_for_nobody": not reached.number and not data["keep"],
                "name": visible(data["name"]),
                "key": visible(data["key"]),
                "payload": payload[:PAYLOAD_SHOWN_MAX],
                "is_cut": len(payload) > PAYLOAD_SHOWN_MAX,
                "keep": written(data["keep"]) if data["keep"] else "",
                "idempotency_key": visible(data["idempotency_key"]),
            },
            "answers": [
                {"name": name, "value": value}
                for name in form.fields
                for value in request.POST.getlist(name)
            ],
            "submit": gettext("Publish this event"),
        }
        return self.ask(request, forms.Form(), context)

    def _ask_publish(
        self, request: HttpRequest, form: PublishForm, told: list[str] | None = None
    ) -> TemplateResponse:
        names, is_more = names_awaited()
        context = {
            **self._publish_context(request),
            "explains": [
                gettext(
                    "Every run that waits for this name and key gets it. What is published cannot "
                    "be taken back."
                ),
                *(told or ()),
            ],
            "submit": gettext("See who waits for it …"),
            "awaited": [
                {
                    "name": visible(each.name),
                    "url": f"{self.url('publish')}?{urlencode({'name': each.name})}",
                    "keyless": grouped(each.keyless),
                    "keyed": grouped(each.keyed),
                }
                for each in names[:NAMES_MAX]
            ],
            "more_names": max(len(names) - NAMES_MAX, 0),
            "looked_at": grouped(WAITS_MAX) if is_more else "",
        }
        response = self.ask(request, form, context)
        response.template_name = self.publish_template
        return response

    def _publish_context(self, request: HttpRequest) -> dict[str, Any]:
        title = gettext("Publish an event")
        return {
            "title": title,
            "original": title,
            "verb": "publish",
            "back_url": self.with_filters(request, self.url("changelist")),
        }


def _read(reader: Callable[[Any, str], Any], value: Any, what: str) -> Any:
    try:
        return reader(value, what)
    except (TypeError, ValueError) as error:
        raise forms.ValidationError(said(error)) from None


def _is_there(name: str, key: str | None, idempotency_key: str, **rest: Any) -> bool:
    """Whether an event was published with this idempotency key already."""
    rows = Event.objects.using(settings.DATABASE).filter(execution__isnull=True, name=name)
    return rows.filter(key=key or "", idempotency_key=idempotency_key).exists()


def _refusal_of_double(form: PublishForm) -> str:
    if form.cleaned_data["idempotency_key"]:
        return gettext(
            "Nothing was published: an event of this name and key has this idempotency key."
        )
    return gettext("Nothing was published: this form has published it already.")


def _named(name: str, key: str) -> str:
    if not key:
        return visible(name)
    told = {"name": visible(name), "key": visible(key)}
    return gettext("%(name)s with the key %(key)s") % told


def _told_of(name: str, key: str) -> list[str]:
    """Who waits for what an address names; nothing for what no event can be called."""
    try:
        reached = runs_waiting(read_name(name), read_key(key or None))
    except (TypeError, ValueError):
        return []
    return [_counted(reached)]


def _counted(reached: Capped) -> str:
    if reached.more:
        told = gettext("%(number)s runs or more wait for it now.")
    elif reached.number:
        told = ngettext(
            "%(number)s run waits for it now.",
            "%(number)s runs wait for it now.",
            reached.number,
        )
    else:
        return gettext("No run waits for it now.")
    return told % {"number": grouped(reached.number)}
