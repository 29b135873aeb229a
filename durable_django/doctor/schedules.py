"""Schedules: those that fire no more, against what somebody believes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from .. import schedules as api
from ..conf import settings
from ..definition import registry
from ..exceptions import InvalidState, ScheduleNotFound
from ..figures import Capped
from ..models import Schedule
from ..models.names import names_told
from ..showing.schedules import mask_of
from ..store import ticking
from .finding import ERROR, INFO, WARNING, Finding, Fix, places
from .ward import Ward
from .wording import many, named, sentences

MANAGE: Final = "durable_django.manage_schedule"
OVERDUE_AFTER: Final = timedelta(minutes=5)
SCHEDULES_MAX: Final = 1_000
ERROR_BYTES_MAX: Final = 300


def examine(ward: Ward) -> Iterator[Finding]:
    """There are few of them, so that all are read."""
    on = _rows().filter(enabled=True, retired_at__isnull=True)
    yield from _broken(list(on.exclude(error="")[:SCHEDULES_MAX]))
    yield from _without_code(list(on[:SCHEDULES_MAX]), ward)
    yield from _undeclared()
    yield from _asleep(list(on.filter(due_at__isnull=True)[:SCHEDULES_MAX]), ward.now)
    yield from _off(list(_rows().filter(enabled=False).exclude(disabled_reason="")[:SCHEDULES_MAX]))
    yield from _overdue(on, ward)
    yield from _retired(list(_rows().filter(retired_at__isnull=False)[:SCHEDULES_MAX]))


def _rows() -> QuerySet[Schedule]:
    return Schedule.objects.using(settings.DATABASE).order_by("workflow_name", "name")


def _finding(
    code: str,
    severity: str,
    found: Sequence[Schedule],
    title: str,
    what: str,
    todo: str,
    fix: Fix | None = None,
) -> Finding:
    number = Capped(len(found), len(found) >= SCHEDULES_MAX)
    return Finding(
        code=code,
        severity=severity,
        title=title % {"number": many(number)},
        what=what,
        todo=todo,
        where=places("schedule", [schedule.key for schedule in found]),
        number=number,
        fix=fix,
    )


def _masked(schedule: Schedule, text: str) -> str:
    """A text that an exception gave, without what is sensitive."""
    return mask_of(schedule, reveal=False).text(text)


def _broken(found: Sequence[Schedule]) -> Iterator[Finding]:
    if found:
        says = _("The first says: %(error)s") % {"error": named(_masked(found[0], found[0].error))}
        yield _finding(
            "schedule_broken",
            ERROR,
            found,
            _("Schedules cannot be fired: %(number)s"),
            sentences(_("When they were last tried there was an error."), says),
            _("Mend what they declare, or change them. They are tried again by themselves."),
        )


def _without_code(on: Sequence[Schedule], ward: Ward) -> Iterator[Finding]:
    known = {definition.definition.name for definition in registry.all()}
    told = [each.workflows for each in ward.fleet.workers if each.keeps and not each.is_overdue]
    if told and all(told):
        known = set(names_told(told))
    elif ward.is_staffed:
        return  # one does not say what it has
    found = [schedule for schedule in on if schedule.workflow_name not in known]
    if found:
        yield _finding(
            "schedule_without_code",
            ERROR,
            found,
            _("Schedules are of workflows that no worker has: %(number)s"),
            _("They are left alone until one comes that has the workflow."),
            _("Deploy it, or switch the schedules off; then they can be deleted, too."),
        )


def _undeclared() -> Iterator[Finding]:
    """Code declares them, and there is no row that would fire."""
    names = sorted({cls.definition.name for cls in registry.all()})
    declared = [
        f"{name}: {when.name}"
        for name in names
        for when in registry.get(name).definition.options.schedules
    ]
    if not declared:
        return
    known = {schedule.key for schedule in _rows().filter(retired_at__isnull=True)}
    missing = [key for key in declared if key not in known]
    if missing:
        yield Finding(
            code="schedule_missing",
            severity=WARNING,
            title=_("Declared schedules are not there: %(number)s")
            % {"number": many(Capped(len(missing)))},
            what=_("Code declares them; they were not synchronised, or somebody deleted them."),
            todo=_("Migrate, or start a worker that has this code: both synchronise them."),
            where=places("schedule", missing),
            number=Capped(len(missing)),
            fix=Fix(
                _("All schedules that code declares are synchronised."),
                MANAGE,
                lambda by: _synchronise(missing),
            ),
        )


def _synchronise(missing: Sequence[str]) -> int:
    api.sync_schedules()
    known = {schedule.key for schedule in _rows().filter(retired_at__isnull=True)}
    return sum(key in known for key in missing)


def _asleep(found: Sequence[Schedule], now: datetime) -> Iterator[Finding]:
    """On, and without a next time, though the calendar has one."""
    lost = [schedule for schedule in found if not schedule.error and _next(schedule, now)]
    if lost:
        yield _finding(
            "schedule_asleep",
            ERROR,
            lost,
            _("Schedules are on, and have no next time: %(number)s"),
            _("Their calendars have more times to come, and nobody would fire them."),
            _("Have their next times set."),
            Fix(
                _("Each has its next time by its calendar, from now on."),
                MANAGE,
                lambda by: sum(_aim(schedule, by) for schedule in lost),
            ),
        )


def _next(schedule: Schedule, now: datetime) -> datetime | None:
    try:
        return ticking.calendar(schedule).after(now)
    except ValueError:
        return None  # an expression or a zone that cannot be read here


def _aim(schedule: Schedule, by: Any) -> int:
    try:
        row = api.get_schedule(schedule.pk)
        if row.due_at is not None:
            return 0
        api.move_schedule(row.pk, None, by=by)
    except (InvalidState, ScheduleNotFound):
        return 0  # switched off, or deleted meanwhile
    return 1


def _off(found: Sequence[Schedule]) -> Iterator[Finding]:
    if found:
        why = _("The first says: %(error)s") % {
            "error": named(_masked(found[0], found[0].disabled_reason))
        }
        yield _finding(
            "schedule_off",
            WARNING,
            found,
            _("Schedules have switched themselves off: %(number)s"),
            sentences(_("Too many of their runs failed one after the other."), why),
            _("Mend what made them fail, then switch them on: manage.py durable schedules"),
        )


def _overdue(on: QuerySet[Schedule], ward: Ward) -> Iterator[Finding]:
    late = on.filter(due_at__lt=ward.now - OVERDUE_AFTER, error="")
    found = list(late.order_by("due_at")[:SCHEDULES_MAX]) if ward.is_staffed else []
    if found:
        yield _finding(
            "schedule_overdue",
            ERROR,
            found,
            _("Schedules are overdue: %(number)s"),
            _("Their time has come minutes ago, workers are alive, and none has fired them."),
            _("Look in the workers' logs for what the keeper says."),
        )


def _retired(found: Sequence[Schedule]) -> Iterator[Finding]:
    if found:
        yield _finding(
            "schedule_retired",
            INFO,
            found,
            _("Schedules are declared no longer: %(number)s"),
            _("Code has declared them once. They fire no more, and keep their history."),
            _("Delete them, if nobody needs that: manage.py durable schedules"),
        )
