"""What one can do about a schedule: the verbs of the API, each with its words and its form.

They do nothing by themselves: ``schedule_actions`` asks, checks who may, and calls ``perform``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import schedules
from ..models import Schedule
from ..showing.spoken import exact
from ..showing.visible import visible
from ..store.declaring import why_kept
from ..store.options import UNSET
from .actions.json_field import ValueField
from .charts import grouped
from .inputs_page import NamedSplitDateTime

REASON_LENGTH_MAX: Final = 1_000


class ReasonForm(forms.Form):
    """Why; whoever wonders later reads it."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=REASON_LENGTH_MAX,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Kept with the schedule, for those who will wonder."),
    )


class TriggerForm(ReasonForm):
    """With which input, and why."""

    input = ValueField(label=_("Another input"), path="input", required=False, empty=UNSET, rows=8)
    field_order = ["input", "reason"]


class MoveForm(ReasonForm):
    """To when, and why."""

    to = forms.SplitDateTimeField(
        label=_("Next tick"),
        required=False,
        widget=NamedSplitDateTime,
        help_text=_("Empty: the next one by the calendar from now on."),
    )
    field_order = ["to", "reason"]


class BackfillForm(ReasonForm):
    """From when until when, and why."""

    start = forms.SplitDateTimeField(label=_("From"), widget=NamedSplitDateTime)
    end = forms.SplitDateTimeField(
        label=_("Until"),
        widget=NamedSplitDateTime,
        help_text=_("Not included: a tick at this very time is left out."),
    )
    field_order = ["start", "end", "reason"]


class ScheduleAction(NamedTuple):
    """A verb of the API as a page. ``perform(schedule, data, by)`` does it and returns what the API
    returned; ``done(schedule, result)`` says that it was done; ``preview`` is what to look at
    first: the times that would be started."""

    verb: str
    label: Any
    title: Any
    explains: Any
    submit: Any
    applies: Callable[[Schedule], bool]
    perform: Callable[[Schedule, Mapping[str, Any], Any], Any]
    done: Callable[[Schedule, Any], str]
    form_class: type[forms.Form] = ReasonForm
    is_danger: bool = False
    preview: Callable[[Schedule, Mapping[str, Any]], Any] | None = None
    asks_times: bool = False


def _called(function: str, *names: str) -> Callable[[Schedule, Mapping[str, Any], Any], Any]:
    """Calls a function of the API with the fields ``names`` of the form."""

    def perform(schedule: Schedule, data: Mapping[str, Any], by: Any) -> Any:
        given = {name: data[name] for name in names if data[name] is not UNSET}
        return getattr(schedules, function)(schedule.pk, **given, reason=data["reason"], by=by)

    return perform


def _says(text: Any) -> Callable[[Schedule, Any], str]:
    return lambda schedule, _result: str(text) % {"name": visible(str(schedule))}


def _moved(schedule: Schedule, changed: Schedule) -> str:
    if changed.next_at is None:
        return gettext("The schedule %(name)s has no tick left.") % {"name": visible(str(schedule))}
    told = {"name": visible(str(schedule)), "time": exact(changed.next_at)}
    return gettext("The next tick of %(name)s is at %(time)s now.") % told


def _filled(schedule: Schedule, started: list[Any]) -> str:
    if not started:
        return gettext("Nothing was started: every tick of this time has been there already.")
    said = ngettext("%(n)s run was started.", "%(n)s runs were started.", len(started))
    return said % {"n": grouped(len(started))}


def _to_fill(schedule: Schedule, data: Mapping[str, Any]) -> Any:
    return schedules.preview_backfill(schedule.pk, data["start"], data["end"])


def _is_here(schedule: Schedule) -> bool:
    return schedule.retired_at is None


ACTIONS: Final = {
    action.verb: action
    for action in (
        ScheduleAction(
            "trigger",
            _("Trigger now …"),
            _("Trigger %(name)s now"),
            _(
                "One run is started at once, whether the schedule is on or off, and whatever else "
                "of it runs. Its next tick stays where it is. Without an input here it is the "
                "schedule's own."
            ),
            _("Start a run now"),
            _is_here,
            _called("trigger_schedule", "input"),
            lambda _schedule, run: gettext("%(run)s was started.") % {"run": visible(str(run))},
            TriggerForm,
        ),
        ScheduleAction(
            "disable",
            _("Switch off …"),
            _("Switch %(name)s off"),
            _(
                "Nothing more is started by it until it is switched on again. Runs that it has "
                "started go on. Ticks that come meanwhile are not made up for."
            ),
            _("Switch it off"),
            lambda schedule: _is_here(schedule) and schedule.enabled,
            _called("disable_schedule"),
            _says(_("The schedule %(name)s is off.")),
        ),
        ScheduleAction(
            "enable",
            _("Switch on …"),
            _("Switch %(name)s on"),
            _(
                "It goes on with the next time of its calendar; those that came while it was off "
                "are not made up for. Failures are counted anew."
            ),
            _("Switch it on"),
            lambda schedule: _is_here(schedule) and not schedule.enabled,
            _called("enable_schedule"),
            _says(_("The schedule %(name)s is on.")),
        ),
        ScheduleAction(
            "backfill",
            _("Back-fill …"),
            _("Back-fill %(name)s"),
            _(
                "Every tick of the calendar between two times is started now that has not been "
                "started, each with its own time. To repeat it starts nothing twice."
            ),
            _("Look at the times"),
            _is_here,
            _called("backfill_schedule", "start", "end"),
            _filled,
            BackfillForm,
            preview=_to_fill,
            asks_times=True,
        ),
        ScheduleAction(
            "move",
            _("Move the next tick …"),
            _("Move the next tick of %(name)s"),
            _(
                "Only the next tick moves; those after it come by the calendar. What lies between "
                "is left out. A time that has passed means now."
            ),
            _("Move it"),
            lambda schedule: _is_here(schedule) and schedule.enabled,
            _called("move_schedule", "to"),
            _moved,
            MoveForm,
            asks_times=True,
        ),
        ScheduleAction(
            "delete",
            _("Delete …"),
            _("Delete %(name)s"),
            _(
                "The schedule goes, with the record of its ticks. Runs that it has started stay, "
                "and go on."
            ),
            _("Delete this schedule"),
            lambda schedule: not why_kept(schedule),
            _called("delete_schedule"),
            _says(_("The schedule %(name)s was deleted.")),
            is_danger=True,
        ),
    )
}
