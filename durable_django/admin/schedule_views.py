"""What the pages of schedules show: how one stands, when it comes next, what became of its ticks.

It reads and words; runs that somebody may not see are not named. What a schedule brings (names,
errors, inputs) is text to be escaped and masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from ..conf import settings
from ..definition.zones import zone_named
from ..figures.schedules import ScheduleState, state_of
from ..models import AuditEntry, AuditVerb, Execution, Schedule, ScheduleTick, TickOutcome
from ..showing import schedules as said
from ..showing.masking import Mask
from ..showing.spoken import exact
from ..showing.visible import visible
from ..store.ticks import missed_until
from . import badges, moments
from .charts import grouped
from .facts import link
from .revealing import reveals
from .seeing import Sight
from .shown import Shown, ValueView

TICKS_MAX: Final = 50
HISTORY_MAX: Final = 50
DETAIL_LENGTH_MAX: Final = 2_000
INPUT_LENGTH_MAX: Final = 20_000

_STATES: Final = {
    ScheduleState.ON: "alive",
    ScheduleState.LATE: "overdue",
    ScheduleState.BROKEN: "overdue",
    ScheduleState.ENDED: "stopped",
    ScheduleState.OFF: "paused",
    ScheduleState.GAVE_UP: "failed",
    ScheduleState.RETIRED: "stopped",
}
_OUTCOMES: Final = {
    TickOutcome.STARTED: "alive",
    TickOutcome.QUEUED: "waiting",
    TickOutcome.SKIPPED: "skipped",
    TickOutcome.MISSED: "timed_out",
    TickOutcome.FAILED: "failed",
}


def state_label(state: ScheduleState) -> str:
    """How a schedule stands, in the reader's language."""
    return {
        ScheduleState.ON: _("on"),
        ScheduleState.LATE: _("late"),
        ScheduleState.BROKEN: _("cannot be fired"),
        ScheduleState.ENDED: _("nothing to come"),
        ScheduleState.OFF: _("off"),
        ScheduleState.GAVE_UP: _("off after failures"),
        ScheduleState.RETIRED: _("no longer declared"),
    }[state]


def state_badge(schedule: Schedule, now: datetime) -> str:
    """How a schedule stands."""
    state = state_of(schedule, now)
    return badges.badge(_STATES[state], state_label(state))


def outcome_badge(tick: ScheduleTick, *, is_brief: bool = False) -> str:
    """What became of a tick; ``is_brief``: in a word or two, for lists."""
    if tick.outcome not in TickOutcome.values:
        return badges.badge("", visible(tick.outcome))
    outcome = TickOutcome(tick.outcome)
    brief = {
        TickOutcome.QUEUED: pgettext("a tick", "waits"),
        TickOutcome.SKIPPED: pgettext("a tick", "left out"),
        TickOutcome.FAILED: pgettext("a tick", "not started"),
    }
    label = brief.get(outcome, outcome.label) if is_brief else outcome.label
    return badges.badge(_OUTCOMES[outcome], str(label))


def zone_of(name: str) -> Any:
    """That zone; the project's where this machine does not know it."""
    try:
        return zone_named(name)
    except ValueError:
        return timezone.get_default_timezone()


def when(schedule: Schedule) -> str:
    """When it comes: in words, and as it was written."""
    told, cron = said.words(schedule), visible(schedule.cron)
    if not cron or told == cron:
        return told
    return format_html('<bdi>{}</bdi> <code dir="ltr">{}</code>', told, cron)


@dataclass(frozen=True)
class Occurrence:
    """A time that is to come: in the schedule's zone, in the reader's if that differs, relative."""

    there: str
    here: str
    distance: str


def occurrences(ticks: Iterable[datetime], zone: str, now: datetime) -> list[Occurrence]:
    """Times that are to come, as a table shows them."""
    there, here = zone_of(zone), timezone.get_current_timezone()
    found = []
    for tick in ticks:
        is_same = tick.astimezone(there).utcoffset() == tick.astimezone(here).utcoffset()
        found.append(
            Occurrence(
                wall_time(tick, there),
                "" if is_same else wall_time(tick, here),
                moments.ago(tick, now) or "",
            )
        )
    return found


def wall_time(moment: datetime, zone: Any) -> str:
    """A moment as the clocks of a zone show it: ``Tue 2030-01-01 09:00:00 EST``."""
    local = moment.astimezone(zone)
    return format_html(
        '<time datetime="{}"><span class="durable-weekday">{}</span> '
        '<bdi dir="ltr">{}</bdi></time>',
        moment.isoformat(),
        date_format(local, "D"),
        f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or ''}".rstrip(),
    )


@dataclass(frozen=True)
class TickView:
    """A tick as a row of a table."""

    at: str
    kind: str
    outcome: str
    run: str
    run_badge: str
    detail: str


def tick_views(
    ticks: list[ScheduleTick], mask: Mask, sight: Sight, site: AdminSite, now: datetime
) -> list[TickView]:
    """Ticks as a page shows them; of their runs only those that this person may see."""
    ids = [tick.execution_id for tick in ticks if tick.execution_id is not None]
    sight.look_at(ids)
    runs = Execution.objects.using(settings.DATABASE).filter(pk__in=ids).order_by()
    statuses = dict(runs.values_list("pk", "status")) if ids else {}
    return [_tick_view(tick, statuses, mask, sight, site, now) for tick in ticks]


def _tick_view(
    tick: ScheduleTick,
    statuses: dict[Any, str],
    mask: Mask,
    sight: Sight,
    site: AdminSite,
    now: datetime,
) -> TickView:
    pk = tick.execution_id
    run, run_badge = "", ""
    if pk is not None and pk in statuses and sight.sees(pk):
        text = str(pk)
        run = link("execution", pk, f"{text[:8]}…{text[-6:]}", site.name)
        run_badge = badges.execution_badge(statuses[pk])
    elif pk is not None and pk not in statuses:
        run = _("no longer kept")
    return TickView(
        format_html(
            '{} <span class="quiet">({})</span>',
            wall_time(tick.at, timezone.get_current_timezone()),
            moments.ago(tick.at, now),
        ),
        str(tick.get_kind_display()),
        outcome_badge(tick),
        run,
        run_badge,
        _detail(mask.text(tick.detail)),
    )


def _detail(text: str) -> str:
    """What is told of a tick, with a time as the reader's clock shows it."""
    until = missed_until(text)
    if until is None:
        return visible(text)[:DETAIL_LENGTH_MAX]
    time = wall_time(until, timezone.get_current_timezone())
    return format_html(_("until %(time)s") % {"time": "{}"}, time)


def mask_of(request: HttpRequest, schedule: Schedule) -> Mask:
    """What must not be shown of its runs to this person, having seen its input."""
    return said.mask_of(schedule, reveal=reveals(request))


def shown_input(schedule: Schedule, mask: Mask) -> ValueView:
    """What its runs are started with, as it may be shown."""
    return Shown(mask, INPUT_LENGTH_MAX).value(schedule.input_text)


def _more(verb: str, detail: dict[str, Any]) -> str:
    """What exactly was decided; of an input only that it was changed: it may hold secrets."""
    if verb == AuditVerb.MOVE and isinstance(detail.get("to"), datetime):
        return exact(detail["to"])
    if verb == AuditVerb.BACKFILL and "count" in detail:
        told = ngettext("%(n)s run was started.", "%(n)s runs were started.", detail["count"])
        return told % {"n": grouped(detail["count"])}
    names = {field.name: field.verbose_name for field in Schedule._meta.concrete_fields}
    names["input"] = _("input")
    changed = detail.get("set", {}) if verb == AuditVerb.CHANGE else {}
    return ", ".join(visible(str(names.get(name, name))) for name in changed)


def history(schedule: Schedule, mask: Mask, now: datetime) -> list[dict[str, Any]]:
    """What was decided about it, the latest first."""
    rows = AuditEntry.objects.using(settings.DATABASE).filter(schedule=schedule.key)
    return [
        {
            "at": moments.ago(row.created_at, now),
            "by": visible(row.by),
            "verb": row.get_verb_display(),
            "more": _more(row.verb, row.detail),
            "reason": visible(mask.text(row.reason)),
        }
        for row in rows[:HISTORY_MAX]
    ]
