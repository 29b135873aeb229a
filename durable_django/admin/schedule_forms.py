"""The form of a schedule: when it comes, what its runs are given, and what holds if one is late.

It makes a ``Cron`` or an ``Every`` of what was written, with each error at its field. What is
masked in the input is shown as dots and kept as it is. It writes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib.admin import widgets
from django.db.models.fields import BLANK_CHOICE_DASH
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..definition import registry
from ..definition.occurrences import calendar_of
from ..definition.schedule import SCHEDULE_NAME_LENGTH_MAX, ZONE_LENGTH_MAX, Cron, Every
from ..definition.zones import zone_named
from ..models import CatchUp, Overlap, Schedule
from ..showing.durations import read_duration, written
from ..showing.masking import Mask, dotted
from ..showing.visible import visible
from .actions.json_field import ValueField, as_text, check
from .actions.masked_edits import DotsMoved, restored
from .schedule_actions import refuse
from .schedule_verbs import ReasonForm

# The name of the hidden field that tells which times have been looked at.
PREVIEWED: Final = "previewed"
YEAR_SECONDS: Final = 365 * 86_400
CRON_LENGTH_MAX: Final = 200
# Arguments of Cron and Every that the form calls otherwise.
ARGUMENTS: Final = {"expression": "cron"}


class DurationField(forms.CharField):
    """A duration as people write it: ``10m``, ``1h 30m``; cleaned it is in seconds."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", widgets.AdminTextInputWidget(attrs={"dir": "ltr"}))
        super().__init__(max_length=60, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return read_duration(text).total_seconds()
        except ValueError:
            said = gettext("A duration is written like 30s, 10m, 1h 30m or 7d.")
            raise forms.ValidationError(said) from None


class ScheduleForm(ReasonForm):
    """A schedule as people make it. ``schedule`` is the one that is changed, None for a new one;
    ``mask`` is what must not be shown of its input."""

    workflow = forms.ChoiceField(label=_("Workflow"))
    name = forms.CharField(
        label=_("Name"),
        max_length=SCHEDULE_NAME_LENGTH_MAX,
        initial="default",
        widget=widgets.AdminTextInputWidget,
        help_text=_("Tells the schedules of a workflow apart. Its runs are tagged with it."),
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        max_length=CRON_LENGTH_MAX,
        widget=widgets.AdminTextInputWidget(
            attrs={"dir": "ltr", "list": "durable-crons", "autocomplete": "off"}
        ),
        help_text=_(
            "Minute, hour, day of the month, month, day of the week: 0 9 * * 1-5 is 9:00 from "
            "Monday to Friday. Or @daily, @hourly and the like; with six fields seconds come first."
        ),
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        required=False,
        max_length=ZONE_LENGTH_MAX,
        widget=widgets.AdminTextInputWidget(
            attrs={"dir": "ltr", "list": "durable-zones", "autocomplete": "off"}
        ),
        help_text=_("The clock that a cron expression is read on. Empty: the project's."),
    )
    interval = DurationField(
        label=_("Or every"),
        required=False,
        help_text=_("Like 10m, 1h 30m or 7d, counted from 1970-01-01 00:00 UTC."),
    )
    offset = DurationField(
        label=_("Shifted by"),
        required=False,
        help_text=_("Every 1h shifted by 5m is five minutes past each hour."),
    )
    input = ValueField(label=_("Input"), path="input", required=False, empty={}, rows=8)
    queue = forms.CharField(
        label=_("Queue"),
        required=False,
        max_length=100,
        widget=widgets.AdminTextInputWidget,
        help_text=_("Empty: the workflow's own."),
    )
    overlap = forms.ChoiceField(
        label=_("If the run before has not ended"), choices=Overlap.choices, initial=Overlap.SKIP
    )
    catch_up = forms.ChoiceField(
        label=_("Ticks missed in a downtime are started:"),
        choices=CatchUp.choices,
        initial=CatchUp.ONE,
    )
    catch_up_window = DurationField(
        label=_("No older than"), required=False, help_text=_("Empty: a year.")
    )
    jitter = DurationField(
        label=_("Jitter"),
        required=False,
        help_text=_("Each run starts up to so much later, so that not all start at once."),
    )
    disable_after = forms.IntegerField(
        label=_("Off after failures"),
        required=False,
        min_value=1,
        max_value=2_147_483_647,
        widget=widgets.AdminIntegerFieldWidget,
        help_text=_("So many failed runs in a row switch it off. Empty: never."),
    )
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    field_order = ["workflow", "name"]

    def __init__(
        self, data: Any, *, names: list[str], schedule: Schedule | None, mask: Mask, **options: Any
    ) -> None:
        super().__init__(data, **options)
        self.schedule = schedule
        self.made: Cron | Every | None = None
        fields: Any = self.fields
        if schedule is None:
            offered = [(name, name) for name in names]
            fields["workflow"].choices = [*BLANK_CHOICE_DASH, *offered]
        else:
            del fields["workflow"], fields["name"]
        self.real = None if schedule is None else schedule.input
        self.shown = None if schedule is None else dotted(mask.value(self.real))
        if schedule is not None:
            self.initial = {**_initial(schedule), "input": as_text(self.shown)}

    @property
    def workflow_name(self) -> str:
        """The workflow that it is for."""
        if self.schedule is not None:
            return self.schedule.workflow_name
        return str(self.cleaned_data["workflow"])

    @property
    def times(self) -> str:
        """Tells one calendar from another; of a valid form."""
        names = ("cron", "timezone", "interval", "offset")
        return "|".join(str(self.cleaned_data.get(name) or "") for name in names)

    @property
    def is_previewed(self) -> bool:
        """Whether the times that it says now have been looked at."""
        return bool(self.cleaned_data.get(PREVIEWED) == self.times)

    def clean_input(self) -> Any:
        edited = self.cleaned_data["input"]
        if self.schedule is None:
            return edited
        try:
            meant = restored(edited, self.shown, self.real)
        except DotsMoved:
            said = gettext(
                "Dots stand for what is masked and can only be left where they were. Write the "
                "whole value, or leave it as it was."
            )
            raise forms.ValidationError(said) from None
        check(meant, "input")
        return meant

    def clean(self) -> None:
        """Makes the Cron or the Every, once each field is right by itself."""
        data = self.cleaned_data
        if data.get("cron") and data.get("interval") is not None:
            self.add_error("interval", gettext("Write a cron expression or an interval, not both."))
        elif not (
            data.get("cron") or data.get("interval") or {"cron", "interval"} & set(self.errors)
        ):
            self.add_error("cron", gettext("Write a cron expression, or an interval below."))
        self._judge_times()
        if not self.errors:
            self._judge_input()
        if self.errors:
            return
        try:
            self.made = self._make()
        except (TypeError, ValueError) as error:
            refuse(self, error, ARGUMENTS)

    def _judge_times(self) -> None:
        """Whether the zone is one, and the expression can be read."""
        data = self.cleaned_data
        if data.get("interval") is not None:
            if data.get("timezone"):
                said = gettext("An interval has no time zone: leave it empty.")
                self.add_error("timezone", said)
            return
        if data.get("offset"):
            self.add_error("offset", gettext("Only an interval can be shifted: leave it empty."))
        zone = data.get("timezone") or ""
        try:
            zone_named(zone)
        except ValueError as error:
            self.add_error("timezone", visible(str(error)))
            zone = ""
        if not data.get("cron"):
            return
        try:
            calendar_of(data["cron"], zone)
        except ValueError as error:
            self.add_error("cron", visible(str(error)))

    def _judge_input(self) -> None:
        """What the workflow itself says of the input."""
        if self.workflow_name not in {cls.definition.name for cls in registry.all()}:
            return  # another process has its code
        try:
            registry.get(self.workflow_name).clean_input(self.cleaned_data["input"])
        except forms.ValidationError as error:
            refuse(self, error)

    def _make(self) -> Cron | Every:
        data = self.cleaned_data
        window = data["catch_up_window"]
        options = {
            "name": data["name"] if self.schedule is None else self.schedule.name,
            "input": data["input"],
            "queue": data["queue"] or None,
            "overlap": data["overlap"],
            "catch_up": data["catch_up"],
            "catch_up_window": YEAR_SECONDS if window is None else window,
            "jitter": data["jitter"] or 0,
            "disable_after": data["disable_after"],
        }
        if data["interval"] is not None:
            return Every(data["interval"], offset=data["offset"] or 0, **options)
        return Cron(data["cron"], timezone=data["timezone"] or None, **options)


def _initial(schedule: Schedule) -> dict[str, Any]:
    """What the fields of a schedule hold."""
    interval = schedule.interval_seconds
    return {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "interval": "" if interval is None else written(interval),
        "offset": written(schedule.offset_seconds) if schedule.offset_seconds else "",
        "queue": schedule.queue,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "catch_up_window": written(schedule.catch_up_seconds),
        "jitter": written(schedule.jitter_seconds) if schedule.jitter_seconds else "",
        "disable_after": schedule.disable_after,
    }
