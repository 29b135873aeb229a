"""An action: what somebody with the permission can do to one run, after a page that asks.

It says whom it is for, to which runs it applies, and what it asks; the doing itself is the API's.
It writes no row and knows no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Execution, ExecutionStatus
from ...models.execution import ExecutionKind

REASON_LENGTH_MAX: Final = 1_000
# The hidden fields of a page that asks: what was seen, and that what follows from it was seen.
SEEN: Final = "seen"
CONFIRMED: Final = "confirmed"


class MovedOn(Exception):
    """The run is not what it was when it was looked at; the text says what to do."""


class Done(NamedTuple):
    """What to tell, and the run to show next; None: the one it was done to."""

    text: str
    run: Execution | None = None


class ReasonForm(forms.Form):
    """Why. Whoever looks at the run later reads it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH_MAX,
        widget=AdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
        help_text=_("Kept with the run, for those who will wonder."),
    )


class OptionalReasonForm(ReasonForm):
    """The same where one need not say why."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False


class Action:
    """One verb of the API as a page. A subclass says what it needs and calls the API in
    ``perform``, which runs in a transaction.

    ``label`` stands on the button in the list of a run's actions, ``submit`` on the one that does
    it. ``done`` and ``not_done`` are told of a run, with ``%(run)s`` in them.
    """

    verb: ClassVar[str]
    permission: ClassVar[str]
    is_danger: ClassVar[bool] = False
    # The first statement of its transaction is a write then, without which SQLite could refuse a
    # later one.
    locks: ClassVar[bool] = True
    statuses: ClassVar[frozenset[str]] = frozenset()

    label: ClassVar[Any]
    title: ClassVar[Any]
    submit: ClassVar[Any]
    done: ClassVar[Any]
    not_done: ClassVar[Any]
    form_class: ClassVar[type[forms.Form]] = ReasonForm
    review_template: ClassVar[str] = ""

    def may(self, request: HttpRequest) -> bool:
        """Whether this person has the permission."""
        user: Any = request.user
        return bool(user.has_perm(self.permission))

    def applies(self, run: Execution) -> bool:
        """Whether it can be done to this run, as far as its row tells."""
        return run.kind == ExecutionKind.WORKFLOW and run.status in self.statuses

    def refusal(self, run: Execution) -> str:
        """Why it cannot be done to this run."""
        return refused(self, run, run.status)

    def explains(self, run: Execution) -> list[str]:
        """What it will do, in a few sentences."""
        return []

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        """The form of its page, bound if there are data."""
        return self.form_class(data)

    def review(self, request: HttpRequest, run: Execution, form: Any) -> dict[str, Any] | None:
        """What a second page shows before it is done; None: there is none."""
        return None

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        """Does it. Raises what the API raises, and MovedOn."""
        raise NotImplementedError

    def says_done(self, run: Execution) -> Done:
        """That it was done."""
        return Done(str(self.done) % {"run": run})


def refused(
    action: Action, run: Execution, status: str | None, error: Exception | None = None
) -> str:
    """That it was not done, and why: which status does not allow it, or what the API said."""
    if run.kind != ExecutionKind.WORKFLOW:
        why = gettext("It is part of a run, and this is done to the run as a whole.")
        return f"{action.not_done % {'run': run.path}} {why}"
    not_done = str(action.not_done) % {"run": run}
    if status in ExecutionStatus.values and (error is None or status not in action.statuses):
        why = gettext("It is already %(status)s.") % {"status": ExecutionStatus(status).label}
    else:
        why = str(error or "")
    return f"{not_done} {why}".rstrip()
