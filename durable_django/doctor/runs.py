"""Runs: those that would stay where they are for ever, and those that somebody should look at.

What is wrong with the first is told by ``store.ailing``, and put right by ``store.mending``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from ..conf import settings
from ..figures import Capped, all_runs, count_capped
from ..figures import counts as counting
from ..models import Execution, ExecutionStatus, WorkflowDefinition
from ..models.rare import rare_only
from ..store import ailing, mending
from .finding import ERROR, INFO, WARNING, Finding, Fix, places
from .ward import Ward
from .wording import many

RETRY: Final = "durable_django.retry_execution"
CANCEL: Final = "durable_django.cancel_execution"
# A fleet that was down for hours wakes what came due as fast as it can.
OVERDUE_AFTER: Final = timedelta(minutes=5)
FORGOTTEN_AFTER: Final = timedelta(days=7)
DEFINITIONS_MAX: Final = 1_000
KEPT_MANY: Final = 100_000


def examine(ward: Ward) -> Iterator[Finding]:
    """What cannot move by itself first."""
    parked = ailing.parked()
    yield from _await_nothing(parked)
    yield from _miscounted(parked)
    yield from _held_back(parked)
    yield from _wrongly_due(parked)
    yield from _overdue(ward)
    yield from _orphaned()
    yield from _without_code(ward)
    yield from _ended_badly()
    yield from _paused(ward)
    yield from _kept()


def _cure(cure: mending.Cure, ids: Sequence[UUID], text: str, permission: str = RETRY) -> Fix:
    def heals(by: Any) -> int:
        return mending.cure(cure, ids, by)

    return Fix(text, permission, heals)


def _await_nothing(parked: Sequence[UUID]) -> Iterator[Finding]:
    ids = ailing.among(parked, ailing.await_nothing)
    if ids:
        yield Finding(
            code="await_nothing",
            severity=ERROR,
            title=_("Executions wait for nothing: %(number)s") % _number(ids),
            what=_(
                "They are waiting, but no wait of theirs is open, none of their members lives and "
                "no time will come: whatever ended last has not made them ready."
            ),
            todo=_("Have them go on. If rows were deleted by hand, look at each of them then."),
            where=places("execution", ids),
            number=Capped(len(ids)),
            fix=_cure(
                mending.GO_ON, ids, _("They are made ready; a worker looks where they stand.")
            ),
        )


def _miscounted(parked: Sequence[UUID]) -> Iterator[Finding]:
    ids = ailing.among(parked, ailing.miscounted)
    if ids:
        yield Finding(
            code="miscounted",
            severity=ERROR,
            title=_("Joins do not add up: %(number)s") % _number(ids),
            what=_(
                "The number of members they wait for is not that of those that live: they would "
                "go on too early, or never."
            ),
            todo=_("Have them counted again."),
            where=places("execution", ids),
            number=Capped(len(ids)),
            fix=_cure(mending.COUNT, ids, _("Their members are counted again.")),
        )


def _held_back(parked: Sequence[UUID]) -> Iterator[Finding]:
    ids = ailing.among(parked, ailing.held_back_by_nobody)
    if ids:
        yield Finding(
            code="held_back",
            severity=ERROR,
            title=_("Members wait for a turn that never comes: %(number)s") % _number(ids),
            what=_(
                "All members that are left of these are held back by the concurrency of their "
                "block, and none of them runs whose end would let the next begin."
            ),
            todo=_("Have the next one begin."),
            where=places("execution", ids),
            number=Capped(len(ids)),
            fix=_cure(
                mending.BEGIN,
                ids,
                _("The next member of each begins; the others follow one after the other."),
            ),
        )


def _wrongly_due(parked: Sequence[UUID]) -> Iterator[Finding]:
    others = ailing.in_window(
        ExecutionStatus.SLEEPING, ExecutionStatus.PAUSED, ExecutionStatus.COMPENSATING
    )
    ids = ailing.among(list(dict.fromkeys([*parked, *others])), ailing.wrongly_due)
    if ids:
        yield Finding(
            code="wrongly_due",
            severity=ERROR,
            title=_("Executions would miss their time: %(number)s") % _number(ids),
            what=_("They are not looked for when they are to wake, or when their timeout is up."),
            todo=_("Have their times set again. What has passed meanwhile happens at once."),
            where=places("execution", ids),
            number=Capped(len(ids)),
            fix=_cure(mending.SET_DUE, ids, _("When they are due is set again.")),
        )


def _overdue(ward: Ward) -> Iterator[Finding]:
    late = ailing.overdue()
    idle = ailing.among(late, ailing.due_for_nothing)
    if idle:
        yield Finding(
            code="due_for_nothing",
            severity=ERROR,
            title=_("Executions are due, and nothing is to be done: %(number)s") % _number(idle),
            what=_("Workers find them at each look, again and again, and cannot wake them."),
            todo=_("Have their times set again."),
            where=places("execution", idle),
            number=Capped(len(idle)),
            fix=_cure(mending.FORGET_DUE, idle, _("When they are due is set again.")),
        )
    late = ailing.overdue(OVERDUE_AFTER) if ward.is_staffed else []
    late = [pk for pk in late if pk not in set(idle)]
    if late:
        number = Capped(len(late), len(late) >= ailing.CHUNK)
        yield Finding(
            code="overdue",
            severity=WARNING,
            title=_("Executions are overdue: %(number)s") % {"number": many(number)},
            what=_("Their time has come minutes ago, workers are alive, and none has woken them."),
            todo=_(
                "Look in the workers' logs for “is due, but cannot be woken”, and in the database "
                "for a transaction that holds their locks."
            ),
            where=places("execution", late),
            number=number,
        )


def _orphaned() -> Iterator[Finding]:
    ids = ailing.among(ailing.at_work(), ailing.orphaned)
    if ids:
        yield Finding(
            code="orphaned",
            severity=ERROR,
            title=_("Members outlive what they belong to: %(number)s") % _number(ids),
            what=_("Their run has ended, or is gone; what they do is for nobody."),
            todo=_("Have them cancelled."),
            where=places("execution", ids),
            number=Capped(len(ids)),
            fix=_cure(
                mending.CANCEL, ids, _("They are cancelled, and what is below them."), CANCEL
            ),
        )


def _without_code(ward: Ward) -> Iterator[Finding]:
    stored = WorkflowDefinition.objects.using(settings.DATABASE).order_by("name", "version")
    known = list(stored.values_list("name", "version")[:DEFINITIONS_MAX])
    lacking = ward.fleet.lacks(known)
    back = counting.put_back(all_runs(), lacking, ward.now)
    number = count_capped({"back": back})["back"]
    if number.number:
        codes = sorted(set(back.values_list("workflow_name", "version")[: ailing.CHUNK]))
        yield Finding(
            code="code_missing",
            severity=ERROR,
            title=_("Runs are of code that no worker has: %(number)s") % {"number": many(number)},
            what=_("They are put back, and looked at again every half a minute, in vain."),
            todo=_("Deploy workers that have these versions, or cancel the runs."),
            where=places("workflow", [f"{name} v{version}" for name, version in codes]),
            number=number,
        )


def _ended_badly() -> Iterator[Finding]:
    def of(status: str) -> Any:
        return rare_only(all_runs()).filter(status=status).order_by()

    failed, broken = ExecutionStatus.FAILED.value, ExecutionStatus.COMPENSATION_FAILED.value
    found = count_capped({status: of(status) for status in (failed, broken)})
    if found[broken].number:
        yield Finding(
            code="compensation_failed",
            severity=WARNING,
            title=_("Runs could not be undone completely: %(number)s")
            % {"number": many(found[broken])},
            what=_("Some of what they did stands, and some was undone."),
            todo=_("Look at each: its page says which compensation failed, and with what."),
            where=places("execution", _newest(of(broken))),
            number=found[broken],
        )
    if found[failed].number:
        yield Finding(
            code="failed",
            severity=INFO,
            title=_("Runs have failed: %(number)s") % {"number": many(found[failed])},
            what=_("They stand where they failed, until somebody retries them."),
            todo=_("Mend what made them fail, then: manage.py durable retry --status failed"),
            where=places("execution", _newest(of(failed))),
            number=found[failed],
        )


def _newest(rows: Any) -> list[UUID]:
    return list(rows.order_by("-status", "-id").values_list("id", flat=True)[:5])


def _paused(ward: Ward) -> Iterator[Finding]:
    ids = ailing.in_window(ExecutionStatus.PAUSED)
    since = ward.now - FORGOTTEN_AFTER
    rows = Execution.objects.using(settings.DATABASE).order_by()
    old = [
        pk
        for chunk in ailing.chunked(ids)
        for pk in rows.filter(
            id__any=chunk, status=ExecutionStatus.PAUSED, paused_at__lt=since
        ).values_list("id", flat=True)
    ]
    if old:
        yield Finding(
            code="paused",
            severity=INFO,
            title=_("Runs are paused for over a week: %(number)s") % _number(old),
            what=_("Nobody has resumed them; their timeouts go on."),
            todo=_("Resume them, or cancel them, if they were forgotten."),
            where=places("execution", old),
            number=Capped(len(old)),
        )


def _kept() -> Iterator[Finding]:
    if settings.RETENTION is not None:
        return
    rows = all_runs().order_by("workflow_name", "id")
    kept = count_capped({"all": counting.statuses(rows)["all"]}, KEPT_MANY)["all"]
    if kept.more:
        yield Finding(
            code="kept_for_ever",
            severity=INFO,
            title=_("Ended runs are kept for ever: %(number)s") % {"number": many(kept)},
            what=_("RETENTION is not set, and the tables grow with each run."),
            todo=_(
                'Set DURABLE["RETENTION"], like timedelta(days=30), or clean up by hand: '
                "manage.py durable prune --older-than 30d --dry-run"
            ),
            where=places("setting", ["RETENTION"]),
            number=kept,
        )


def _number(ids: Sequence[Any]) -> dict[str, str]:
    return {"number": many(Capped(len(ids)))}
