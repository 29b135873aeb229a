"""What was sent, and does not arrive: events, answers, and the ends of children."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from django.utils.translation import gettext as _

from ..conf import settings
from ..figures import Capped
from ..models import Wait
from ..store import ailing_waits, mending
from .finding import ERROR, WARNING, Finding, Fix, Place, places
from .ward import Ward
from .wording import ago, many

SEND: Final = "durable_django.send_event"
RETRY: Final = "durable_django.retry_execution"
CANCEL: Final = "durable_django.cancel_execution"
UNDELIVERED_AFTER: Final = timedelta(minutes=5)


def examine(ward: Ward) -> Iterator[Finding]:
    """Children first: who called them waits without a time."""
    yield from _children()
    yield from _events()
    yield from _of_the_ended()
    yield from _undelivered(ward)


def _children() -> Iterator[Finding]:
    ids = ailing_waits.among(ailing_waits.in_window("call"), ailing_waits.child_untold)
    if ids:
        yield Finding(
            code="child_untold",
            severity=ERROR,
            title=_("Runs wait for children that have ended: %(number)s") % _number(ids),
            what=_("What they have called has ended, or is gone, and no word of it is on its way."),
            todo=_("Have them told. Of a child that is gone they hear that it failed."),
            where=_runs(ids),
            number=Capped(len(ids)),
            fix=_fix(mending.tell_of_children, ids, _("They are told how it ended."), RETRY),
        )


def _events() -> Iterator[Finding]:
    ids = ailing_waits.among(ailing_waits.in_window("event", "callback"), ailing_waits.event_missed)
    if ids:
        yield Finding(
            code="event_missed",
            severity=ERROR,
            title=_("Runs wait for events that they have: %(number)s") % _number(ids),
            what=_("The event was kept in their inbox before or while they parked, and is there."),
            todo=_("Have them delivered again."),
            where=_runs(ids),
            number=Capped(len(ids)),
            fix=_fix(mending.deliver_again, ids, _("Workers deliver these events again."), SEND),
        )


def _of_the_ended() -> Iterator[Finding]:
    window = ailing_waits.in_window(*ailing_waits.OPEN_KINDS)
    ids = ailing_waits.among(window, ailing_waits.of_the_ended)
    if ids:
        yield Finding(
            code="wait_of_the_ended",
            severity=WARNING,
            title=_("Waits are open of what has ended: %(number)s") % _number(ids),
            what=_("Nobody waits any longer; people are asked, and events taken, for nothing."),
            todo=_("Have them closed."),
            where=_runs(ids),
            number=Capped(len(ids)),
            fix=_fix(mending.close_waits, ids, _("They are closed as cancelled."), CANCEL),
        )


def _undelivered(ward: Ward) -> Iterator[Finding]:
    sent_at = ailing_waits.undelivered_since() if ward.is_staffed else None
    if sent_at is None or ward.now - sent_at < UNDELIVERED_AFTER:
        return
    yield Finding(
        code="undelivered",
        severity=WARNING,
        title=_("Events are not delivered"),
        what=_("The oldest was sent %(time)s ago, and no worker has looked at it.")
        % {"time": ago(sent_at, ward.now)},
        todo=_(
            "Workers deliver what is not locked: look in the database for transactions that stay "
            "open, and in the workers' logs for what the keeper says."
        ),
        where=(Place("table", "durable_django_event"),),
    )


def _fix(
    heals: Callable[[Sequence[int], Any], int], ids: Sequence[int], text: str, permission: str
) -> Fix:
    return Fix(text, permission, lambda by: heals(ids, by))


def _runs(ids: Sequence[int]) -> tuple[Place, ...]:
    waits = Wait.objects.using(settings.DATABASE).filter(id__in=list(ids)[:100]).order_by("id")
    return places("execution", dict.fromkeys(waits.values_list("execution_id", flat=True)))


def _number(ids: Sequence[Any]) -> dict[str, str]:
    return {"number": many(Capped(len(ids)))}
