"""Making and changing a schedule: a form, the next ten times it means, then it is written.

Nothing is written before those times have been looked at, and not if they have changed since. One
that code declares is not changed here. It calls ``durable_django.schedules``.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import schedules
from ..conf import settings
from ..definition import registry
from ..definition.cron_text import ALIASES
from ..exceptions import DurableError
from ..models import Schedule, ScheduleSource
from ..showing.masking import Mask
from ..showing.schedules import NEXT_MAX
from ..showing.visible import visible
from ..store import clock
from ..store.transactions import repeating
from .actions.pages import Unseen
from .actions.starting import skeleton
from .schedule_actions import REFUSALS, ScheduleActions, refuse
from .schedule_forms import ARGUMENTS, PREVIEWED, ScheduleForm
from .schedule_views import mask_of, occurrences

FIELDSETS = (
    (None, ("workflow", "name")),
    (_("When"), ("cron", "timezone", "interval", "offset")),
    (_("What its runs are given"), ("input", "queue")),
    (
        _("If something goes wrong"),
        ("overlap", "catch_up", "catch_up_window", "jitter", "disable_after"),
    ),
    (None, ("reason",)),
)
PREVIEW = "preview"


class ScheduleEditing(ScheduleActions):
    """The pages ``add/`` and ``<id>/edit/``."""

    form_template = "admin/durable_django/schedule/form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_manage_permission(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.edit_view)
        own = path("<path:object_id>/edit/", view, name="durable_django_schedule_edit")
        return [own, *super().get_urls()]

    def schedulable(self, request: HttpRequest) -> list[str]:
        """The names of the workflows that this person may make schedules for: those known here, of
        which he may see the schedules."""
        seen = self.seen(request)
        known = sorted({cls.definition.name for cls in registry.all()})
        return known if seen is None else [name for name in known if name in seen]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Asks for a new schedule (GET), shows its times, makes it (POST)."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        names = self.schedulable(request)
        wanted = request.GET.get("workflow", "")
        initial = {"workflow": wanted}
        if wanted in names:
            initial["input"] = skeleton(registry.get(wanted))
        posted = request.POST if request.method == "POST" else None
        form = ScheduleForm(posted, names=names, schedule=None, mask=Mask(()), initial=initial)
        return self._edited(request, None, form)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same for a schedule that is there."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        schedule: Schedule | None = self.get_object(request, unquote(object_id))
        if schedule is None:
            raise Http404
        if schedule.source == ScheduleSource.CODE:
            said = gettext("code declares it: change it there.")
            return self.refused(request, schedule, said)
        posted = request.POST if request.method == "POST" else None
        mask = mask_of(request, schedule)
        try:
            form = ScheduleForm(posted, names=[], schedule=schedule, mask=mask)
        except ValueError:
            said = gettext("its input cannot be read on this machine.")
            return self.refused(request, schedule, said)
        return self._edited(request, schedule, form)

    def _edited(
        self, request: HttpRequest, schedule: Schedule | None, form: ScheduleForm
    ) -> HttpResponse:
        if request.method != "POST" or not form.is_valid():
            return self._form_page(request, schedule, form)
        if PREVIEW in request.POST or not form.is_previewed:
            return self._form_page(request, schedule, form, is_preview=True)
        try:
            kept = repeating(lambda: self._keep(request, schedule, form))
        except REFUSALS as error:
            refuse(form, error, ARGUMENTS)
        except DurableError as error:
            if schedule is not None:
                return self.refused(request, schedule, str(error))
            form.add_error(None, visible(str(error)))
        else:
            told = gettext("The schedule %(name)s was saved.") % {"name": visible(str(kept))}
            self.message_user(request, told, messages.SUCCESS)
            return HttpResponseRedirect(self.address("change", kept))
        return self._form_page(request, schedule, form)

    def _keep(
        self, request: HttpRequest, schedule: Schedule | None, form: ScheduleForm
    ) -> Schedule:
        """Makes or changes it and writes down who did, both or neither."""
        assert form.made is not None
        told: dict[str, Any] = {"reason": form.cleaned_data["reason"], "by": request.user}
        with transaction.atomic(using=settings.DATABASE):
            if schedule is None:
                kept = schedules.create_schedule(form.workflow_name, form.made, **told)
                if not self.get_queryset(request).filter(pk=kept.pk).exists():
                    raise Unseen(gettext("It was not made, since you could not see it."))
                self.log_addition(request, kept, gettext("Created"))
            else:
                kept = schedules.change_schedule(schedule.pk, form.made, **told)
                self.log_change(request, kept, gettext("Changed"))
        return kept

    def _form_page(
        self,
        request: HttpRequest,
        schedule: Schedule | None,
        form: Any,
        *,
        is_preview: bool = False,
    ) -> HttpResponse:
        preview = self._preview(form) if is_preview else None
        if preview is not None:
            form.data = {**form.data.dict(), PREVIEWED: form.times}
        name = visible(str(schedule)) if schedule is not None else ""
        title = gettext("Change %(name)s") % {"name": name} if name else gettext("Add a schedule")
        back = self._url("changelist") if schedule is None else self.address("change", schedule)
        fieldsets = [
            (label, {"fields": [each for each in fields if each in form.fields]})
            for label, fields in FIELDSETS
        ]
        context = {
            "template": self.form_template,
            "title": title,
            "original": schedule or title,
            "fieldsets": [each for each in fieldsets if each[1]["fields"]],
            "preview": preview,
            "submit": gettext("Save this schedule"),
            "back_url": back,
            "crons": ALIASES,
            "zones": sorted(available_timezones()),
            "project_zone": timezone.get_default_timezone_name(),
            "has_workflows": schedule is not None or bool(self.schedulable(request)),
        }
        return self.ask(request, form, context)

    def _preview(self, form: ScheduleForm) -> dict[str, Any] | None:
        """The times that it means, in words and as a table; None, with an error on the form, where
        there is none."""
        assert form.made is not None
        try:
            ticks = schedules.preview_ticks(form.made, NEXT_MAX)
            words = form.made.calendar().explain()
        except (ValueError, DurableError) as error:
            refuse(form, error, ARGUMENTS)
            return None
        if not ticks:
            form.add_error("cron", gettext("It never comes: no time fits this expression."))
            return None
        zone = form.cleaned_data["timezone"] or timezone.get_default_timezone_name()
        return {
            "words": visible(words),
            "zone": visible(zone),
            "occurrences": occurrences(ticks, zone, clock.now()),
        }
