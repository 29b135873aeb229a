"""Send an event: what a run waits for, given by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...conf import settings
from ...models import FINAL, Execution, ExecutionStatus, Wait, WaitKind
from ...showing.visible import visible
from .action import Action, Done
from .json_field import ValueField

NAMES_MAX: Final = 20
EVENTS: Final = (WaitKind.EVENT, WaitKind.ANY, WaitKind.ALL)


class EventForm(forms.Form):
    """An event: its name, the key that picks a wait, its payload."""

    name = forms.CharField(
        label=_("Name"), max_length=255, widget=AdminTextInputWidget(attrs={"autofocus": True})
    )
    key = forms.CharField(
        label=_("Key"),
        max_length=255,
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("Picks among several waits for this name; else the oldest gets it."),
    )
    payload = ValueField(label=_("Payload"), path="payload", required=False, rows=6)
    idempotency_key = forms.CharField(
        label=_("Idempotency key"),
        max_length=255,
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("With one that this run has got already, nothing is sent."),
    )


class SendEvent(Action):
    """Puts an event into the inbox of a run."""

    verb = "send_event"
    permission = "durable_django.send_event"
    locks = False  # sending only inserts
    statuses = frozenset(set(ExecutionStatus.values) - {status.value for status in FINAL})
    label = _("Send an event …")
    title = _("Send an event")
    submit = _("Send this event")
    done = _("The event was sent to %(run)s.")
    not_done = _("No event was sent to %(run)s.")
    form_class = EventForm

    def explains(self, run: Execution) -> list[str]:
        names = awaited(run)
        if not names:
            return [gettext("It waits for no event now. One that is sent is kept until it does.")]
        said = gettext("It waits for: %(names)s.")
        return [said % {"names": ", ".join(visible(name) for name in names)}]

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        if data is not None:
            return EventForm(data)
        names = awaited(run)
        asked = request.GET.get("name", names[0] if names else "")
        return EventForm(initial={"name": asked, "payload": "{}"})

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_events

        api_events.send_event(
            run.pk,
            data["name"],
            data["payload"],
            key=data["key"] or None,
            idempotency_key=data["idempotency_key"] or None,
            by=request.user,
        )
        return self.says_done(run)


def awaited(run: Execution) -> list[str]:
    """The names of the events that a run waits for, the oldest wait first."""
    rows = Wait.objects.using(settings.DATABASE).filter(execution=run.pk, kind__in=EVENTS)
    waits = rows.filter(resolved_at__isnull=True).order_by("id")[:NAMES_MAX]
    names = (name for wait in waits for name in (wait.names or [wait.name]))
    return list(dict.fromkeys(name for name in names if name))
