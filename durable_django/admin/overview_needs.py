"""What needs somebody now: failures, people asked, what is stuck, workers that are missing.

It words figures and asks no database. The gravest comes first; where all is well there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..figures import Capped, Fleet
from ..showing.visible import visible
from . import badges
from .charts import grouped
from .overview_links import Links
from .overview_parts import oldest, shown

QUEUES_NAMED_MAX: Final = 5


@dataclass(frozen=True)
class Need:
    """Something that somebody should do something about: "12 runs failed …", with a link."""

    badge: str
    number: str
    text: str
    url: str
    note: str = ""
    command: str = ""


def needs(found: Mapping[str, Capped], fleet: Fleet, now: datetime, links: Links) -> list[Need]:
    """What needs somebody, the gravest first; nothing where all is well."""
    return [
        *_of_the_fleet(found, fleet, links),
        *_of_runs(found, links),
        *_of_schedules(found, links),
        *_of_queues(fleet, now, links),
        *_of_people(found, links),
    ]


def says(needed: list[Need]) -> str:
    """How much of it there is; said aloud when that changes."""
    number = len(needed)
    if not number:
        return _("Nothing needs you now.")
    said = ngettext("%(n)s thing needs you now.", "%(n)s things need you now.", number)
    return said % {"n": grouped(number)}


def _of_the_fleet(found: Mapping[str, Capped], fleet: Fleet, links: Links) -> list[Need]:
    needs = []
    if not fleet.alive and found["all"].number:
        needs.append(
            Need(
                badges.badge("dead", _("no worker")),
                "",
                _("No worker is running: nothing moves until one is started."),
                links.to("worker"),
                command="python manage.py durable_worker",
            )
        )
    elif fleet.alive and not fleet.is_kept:
        needs.append(
            Need(
                badges.badge("dead", _("no durable_worker")),
                "",
                _("Only processes of clusters are running: nothing that comes due is woken."),
                links.to("worker"),
                command="python manage.py durable_worker",
            )
        )
    late = [worker for worker in fleet.workers if worker.is_overdue]
    if late:
        held = sum(worker.held for worker in late)
        text = ngettext(
            "worker has stopped saying that it is alive",
            "workers have stopped saying that they are alive",
            len(late),
        )
        note = ngettext("It holds %(n)s run.", "They hold %(n)s runs.", held)
        badge = badges.badge("overdue", _("overdue"))
        note = note % {"n": grouped(held)} if held else ""
        needs.append(Need(badge, grouped(len(late)), text, links.to("worker"), note))
    return needs


def _of_runs(found: Mapping[str, Capped], links: Links) -> list[Need]:
    needs = []
    broken = found["compensation_failed"]
    if broken.number:
        text = ngettext(
            "run could not be undone completely",
            "runs could not be undone completely",
            broken.number,
        )
        badge = badges.execution_badge("compensation_failed")
        url = links.to("execution", status="compensation_failed")
        needs.append(Need(badge, shown(broken), text, url))
    failed = found["failed"]
    if failed.number:
        text = ngettext(
            "run failed and can be retried", "runs failed and can be retried", failed.number
        )
        url = links.to("execution", status="failed")
        needs.append(Need(badges.execution_badge("failed"), shown(failed), text, url))
    late = found["overdue"]
    if late.number:
        text = ngettext(
            "run should have gone on over a minute ago",
            "runs should have gone on over a minute ago",
            late.number,
        )
        badge = badges.badge("overdue", _("stuck"))
        needs.append(Need(badge, shown(late), text, links.to("execution", status="active")))
    stranded = found["put_back"]
    if stranded.number:
        text = ngettext(
            "run is of a workflow or a version that no worker has",
            "runs are of workflows or versions that no worker has",
            stranded.number,
        )
        badge = badges.badge("overdue", _("no code"))
        url = links.to("workflowdefinition")
        needs.append(Need(badge, shown(stranded), text, url))
    paused = found["paused"]
    if paused.number:
        text = ngettext("run is paused", "runs are paused", paused.number)
        url = links.to("execution", status="paused")
        needs.append(Need(badges.execution_badge("paused"), shown(paused), text, url))
    return needs


def _of_schedules(found: Mapping[str, Capped], links: Links) -> list[Need]:
    url = links.to("schedule", state="attention")
    needs = []
    gave_up = found.get("schedules_gave_up")
    if gave_up and gave_up.number:
        text = ngettext(
            "schedule has switched itself off after failures",
            "schedules have switched themselves off after failures",
            gave_up.number,
        )
        needs.append(Need(badges.badge("failed", _("off")), shown(gave_up), text, url))
    broken = found.get("schedules_broken")
    if broken and broken.number:
        text = ngettext("schedule cannot be fired", "schedules cannot be fired", broken.number)
        needs.append(Need(badges.badge("overdue", _("error")), shown(broken), text, url))
    late = found.get("schedules_late")
    if late and late.number:
        text = ngettext(
            "schedule should have started a run over a minute ago",
            "schedules should have started runs over a minute ago",
            late.number,
        )
        needs.append(Need(badges.badge("overdue", _("late")), shown(late), text, url))
    return needs


def _of_queues(fleet: Fleet, now: datetime, links: Links) -> list[Need]:
    needs = []
    for queue in fleet.queues:
        if queue.paused_at is not None and queue.waiting.number:
            badge = badges.execution_badge("paused")
            text = ngettext(
                "waits in the paused queue %(queue)s",
                "wait in the paused queue %(queue)s",
                queue.waiting.number,
            )
        elif queue.is_unserved and fleet.alive:
            badge = badges.badge("overdue", _("not served"))
            text = ngettext(
                "waits in the queue %(queue)s, which no worker serves",
                "wait in the queue %(queue)s, which no worker serves",
                queue.waiting.number,
            )
        else:
            continue
        text %= {"queue": visible(queue.name)}
        note = oldest(queue.oldest_at, now)
        needs.append(Need(badge, shown(queue.waiting), text, links.waiting_in(queue.name), note))
    return needs[:QUEUES_NAMED_MAX]


def _of_people(found: Mapping[str, Capped], links: Links) -> list[Need]:
    asked, mine = found.get("asked"), found.get("asked_me")
    if not asked or not mine or not asked.number:
        return []
    badge = badges.execution_badge("waiting")
    if mine.number:
        text = ngettext(
            "request for input waits for you", "requests for input wait for you", mine.number
        )
        url, number = links.to("pendinginput"), shown(mine)
        others = _("%(number)s for everybody") % {"number": shown(asked)}
        return [Need(badge, number, text, url, others if asked != mine else "")]
    text = ngettext(
        "request for input waits for others", "requests for input wait for others", asked.number
    )
    return [Need(badge, shown(asked), text, links.to("pendinginput", **{"for": "all"}))]
