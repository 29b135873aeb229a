"""Schedules: those that fire no more, against what somebody believes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ..conf import settings
from ..definition import registry
from ..figures import Capped
from ..models import Schedule
from .finding import ERROR, INFO, WARNING, Finding, places
from .ward import Ward
from .wording import many, named, sentences

OVERDUE_AFTER: Final = timedelta(minutes=5)
SCHEDULES_MAX: Final = 1_000
ERROR_BYTES_MAX: Final = 300


def examine(ward: Ward) -> Iterator[Finding]:
    """There are few of them, so that all are read."""
    on = _rows().filter(enabled=True, retired_at__isnull=True)
    yield from _broken(list(on.exclude(error="")[:SCHEDULES_MAX]))
    yield from _without_code(list(on[:SCHEDULES_MAX]), ward)
    yield from _off(list(_rows().filter(enabled=False).exclude(disabled_reason="")[:SCHEDULES_MAX]))
    yield from _overdue(on, ward)
    yield from _retired(list(_rows().filter(retired_at__isnull=False)[:SCHEDULES_MAX]))


def _rows() -> QuerySet[Schedule]:
    return Schedule.objects.using(settings.DATABASE).order_by("workflow_name", "name")


def _finding(
    code: str, severity: str, found: Sequence[Schedule], title: str, what: str, todo: str
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
    )


def _broken(found: Sequence[Schedule]) -> Iterator[Finding]:
    if found:
        says = _("The first says: %(error)s") % {"error": named(found[0].error)}
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
    told = [each.workflows for each in ward.fleet.workers if not each.is_overdue]
    if told and all(told):
        known = {code.rpartition(" v")[0] for workflows in told for code in workflows}
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
            _("Deploy it, or switch the schedules off, or delete them."),
        )


def _off(found: Sequence[Schedule]) -> Iterator[Finding]:
    if found:
        why = _("The first says: %(error)s") % {"error": named(found[0].disabled_reason)}
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
