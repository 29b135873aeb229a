"""What a run waits for, and what it waited for: a part of its page. It reads rows, in one query.

What a ``once`` remembers is a wait to the engine, but nothing that anybody waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from ..inputs.people import Person
from ..models import Execution, PendingInput, Wait, WaitKind
from ..showing.keys import gave, keys_of_wait
from ..showing.prompts import assigned_to, shown_prompt
from ..showing.visible import visible
from . import badges, moments
from .seeing import Sight
from .shown import ErrorView, Shown, ValueView

LISTED_MAX: Final = 50
LISTED_WHOLE_MAX: Final = 1_000
UNFOLDED_MAX: Final = 8
# How a status of a wait looks, where no execution or step run has the same.
LOOKS: Final = {"open": "waiting", "answered": "pending"}


class Waits(NamedTuple):
    """The waits of a run, or of a member: those that are open first, the oldest first, then what is
    over, the newest first; and whether there are more."""

    rows: Sequence[Wait] = ()
    more: bool = False


@dataclass(frozen=True)
class WaitView:
    """A wait, ready to be shown. ``otherwise`` is what it gives when its time is up, ``address``
    leads to the form of an input, ``child`` to the page of a called or started run."""

    anchor: str
    path: str
    kind: str
    what: str
    badge: str
    tone: str
    is_open: bool
    when: str | None
    since: str | None
    due: str | None
    answered: str | None
    resolved: str | None
    assigned: str
    prompt: str
    address: str
    may_answer: bool
    child: str
    child_id: str
    value: ValueView | None
    otherwise: ValueView | None
    by: str
    comment: str
    error: ErrorView | None
    is_unfolded: bool = False


class Doors:
    """Where the waits on a page lead to, for the person who looks at it."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self.site = site
        self.request = request
        self.person = Person(request.user)

    @cached_property
    def may_look(self) -> bool:
        """Whether requests for input have a page that this person may see."""
        if not self.site.is_registered(PendingInput):
            return False
        return self.site.get_model_admin(PendingInput).has_view_permission(self.request)

    def form_of(self, wait: Wait) -> str:
        """The address of the form of an input, "" for anything else."""
        if wait.kind != WaitKind.INPUT or not wait.is_open or not self.may_look:
            return ""
        return self.form_at(wait.pk)

    def form_at(self, pk: int) -> str:
        """The address of the form of the input with this id."""
        return self._url("pendinginput_change", pk)

    def inbox_of(self, run: Execution) -> str:
        """The address of all inputs that a run waits for."""
        if not self.may_look:
            return ""
        query = urlencode({"for": "all", "execution": str(run.pk)})
        return f"{self._url('pendinginput_changelist')}?{query}"

    def may_answer(self, wait: Wait) -> bool:
        """Whether this person may answer it."""
        may = self.request.user.has_perm("durable_django.answer_input")
        return may and self.person.may_answer(wait)

    @cached_property
    def sight(self) -> Sight:
        """Which other runs this person may see."""
        return Sight(self.site, self.request)

    def run(self, pk: UUID) -> str:
        """The address of another run; "" for one that this person may not see."""
        return self._url("execution_change", pk) if self.sight.sees(pk) else ""

    def _url(self, name: str, *args: object) -> str:
        return reverse(f"admin:durable_django_{name}", args=args, current_app=self.site.name)


def wait_views(waits: Waits, shown: Shown, now: datetime, doors: Doors) -> list[WaitView]:
    """All of them; a few that are open are unfolded."""
    doors.sight.look_at(wait.child_id for wait in waits.rows)
    unfolded = sum(wait.is_open for wait in waits.rows) <= UNFOLDED_MAX
    return [
        wait_view(wait, shown, now, doors, is_unfolded=unfolded and wait.is_open)
        for wait in waits.rows
    ]


def wait_view(
    wait: Wait,
    shown: Shown,
    now: datetime,
    doors: Doors | None = None,
    *,
    is_unfolded: bool = False,
) -> WaitView:
    """One wait; without ``doors`` it leads nowhere."""
    keys = keys_of_wait(wait)
    status = LOOKS.get(wait.status, wait.status)
    given = gave(wait)
    otherwise = wait.is_open and bool(wait.timeout_text)
    address = doors.form_of(wait) if doors else ""
    child = doors.run(wait.child_id) if doors and wait.child_id else ""
    return WaitView(
        anchor=f"wait-{wait.pk}",
        path=visible(wait.path),
        kind=str(wait.get_kind_display()),
        what=_what(wait, shown),
        badge=badges.badge(status, str(wait.get_status_display())),
        tone=badges.LOOKS[status].tone if status in badges.LOOKS else "calm",
        is_open=wait.is_open,
        when=moments.ago(_when(wait), now),
        since=moments.at(wait.created_at, now),
        due=moments.at(wait.due_at, now),
        answered=moments.at(wait.answered_at, now),
        resolved=moments.at(wait.resolved_at, now),
        assigned=assigned_to(wait) if wait.kind == WaitKind.INPUT else "",
        prompt=shown_prompt(wait, shown.mask) if wait.request_text else "",
        address=address,
        may_answer=bool(address) and doors is not None and doors.may_answer(wait),
        child=child,
        child_id=str(wait.child_id) if child else "",
        value=shown.value(given, *keys) if given else None,
        otherwise=shown.value(wait.timeout_text, *keys) if otherwise else None,
        by=visible(wait.answered_by),
        comment=shown.text(wait.comment),
        error=shown.error(wait.error_text),
        is_unfolded=is_unfolded,
    )


def _when(wait: Wait) -> datetime:
    """The moment to tell of it in brief: its time, while it is open, or its end."""
    if wait.is_open:
        return wait.due_at or wait.created_at
    return wait.resolved_at or wait.answered_at or wait.created_at


def _what(wait: Wait, shown: Shown) -> str:
    """The names it waits for, and the key."""
    names = ", ".join(wait.names) if wait.kind in (WaitKind.ANY, WaitKind.ALL) else wait.name
    said = visible(names) if names != wait.path else ""
    return f"{said} ({shown.text(wait.key)})".strip() if wait.key else said
