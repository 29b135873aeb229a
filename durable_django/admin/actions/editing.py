"""Edit the context: the whole of it as JSON, then what is different, then it is changed.

What is masked is shown as dots and kept as it is. Only keys that were changed are sent, and only if
the context is still the one that was shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...engine import values
from ...models import Execution
from ...showing.learning import learn, unreadable
from ...showing.masking import Mask, Masks, dotted
from ...showing.visible import visible
from ...store.transactions import lock_execution
from ..pretty import pretty
from ..revealing import reveals
from .action import SEEN, Action, Done, MovedOn, ReasonForm, refused
from .json_field import ValueField, as_text, check
from .masked_edits import DotsMoved, restored, same

ABSENT = object()


class Changes(NamedTuple):
    """What is set and what is removed."""

    set: dict[str, Any]
    removed: list[str]


class ContextForm(ReasonForm):
    """The whole context. ``real`` is what it is, ``shown`` what this person saw of it."""

    context = ValueField(label=_("Context"), path="context", rows=18)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any, *, real: dict[str, Any], mask: Mask, state: str) -> None:
        self.real = real
        self.shown = {key: dotted(mask.under(key, value)) for key, value in real.items()}
        super().__init__(data, initial={"context": as_text(self.shown), SEEN: state})
        self.fields["reason"].widget.attrs.pop("autofocus", None)
        self.order_fields(["context", "reason", SEEN])

    def clean_context(self) -> Changes:
        edited = self.cleaned_data["context"]
        if not isinstance(edited, dict):
            raise forms.ValidationError(gettext("The context is a JSON object: {…}."))
        found = Changes({}, [key for key in self.real if key not in edited])
        for key, value in edited.items():
            meant = self._meant(key, value)
            check(meant, f'context["{key}"]')
            # Compared with what was shown: whoever guesses what is masked is not told that he did.
            if key not in self.real or not same(value, self.shown[key]):
                found.set[key] = meant
        if not found.set and not found.removed:
            raise forms.ValidationError(gettext("Nothing was changed."))
        return found

    def _meant(self, key: str, value: Any) -> Any:
        shown, real = self.shown.get(key), self.real.get(key)
        try:
            return restored(value, shown, real) if key in self.real else restored(value, 0, 0)
        except DotsMoved:
            said = gettext(
                "%(key)s: dots stand for what is masked and can only be left where they were. "
                "Write the whole value, or leave it as it was."
            )
            raise forms.ValidationError(said % {"key": key}) from None


class EditContext(Action):
    """Changes the context of a run that no worker drives."""

    verb = "edit_context"
    permission = "durable_django.edit_context"
    statuses = frozenset(
        {"paused", "sleeping", "waiting", "scheduled", "pending", "failed", "cancelled"}
    )
    label = _("Change the context …")
    title = _("Change the context of an execution")
    submit = _("Change the context")
    done = _("The context of %(run)s was changed.")
    not_done = _("The context of %(run)s was not changed.")
    form_class = ReasonForm
    review_template = "admin/durable_django/execution/review_context.html"

    def applies(self, run: Execution) -> bool:
        return super().applies(run) and run.worker_id is None

    def refusal(self, run: Execution) -> str:
        if run.status in self.statuses and run.worker_id is not None:
            said = str(self.not_done) % {"run": run}
            return said + " " + gettext("A worker drives it. Pause it first.")
        return refused(self, run, run.status)

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext(
                "The nodes that are still to run see the context as you leave it. What has run "
                "does not run again because of it."
            )
        ]

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        try:
            real = run.context
        except ValueError:
            raise MovedOn(unreadable()) from None
        return ContextForm(data, real=real, mask=_mask(request, run), state=fingerprint(run))

    def review(self, request: HttpRequest, run: Execution, form: Any) -> dict[str, Any] | None:
        changes: Changes = form.cleaned_data["context"]
        mask = _mask(request, run)
        for key, value in changes.set.items():
            learn(mask, values.encode(value, key), (key,))
        rows = []
        for key in [*changes.set, *changes.removed]:
            before = form.real.get(key, ABSENT)
            after = changes.set.get(key, ABSENT)
            rows.append(
                {
                    "key": visible(key),
                    "before": _shown(mask, key, before),
                    "after": _shown(mask, key, after),
                    "hidden": _hides_both(mask, key, before, after),
                }
            )
        return {"rows": rows}

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_repair

        # Locked, so that what was compared is what is changed.
        if fingerprint(lock_execution(run.pk)) != data[SEEN]:
            raise MovedOn(
                gettext(
                    "The context of %(run)s was not changed: the run has moved on since you looked "
                    "at it. Look at it again."
                )
                % {"run": run}
            )
        changes: Changes = data["context"]
        api_repair.edit_context(
            run.pk,
            changes.set,
            remove=changes.removed,
            reason=data["reason"],
            by=request.user,
        )
        return self.says_done(run)


def fingerprint(run: Execution) -> str:
    """Tells one state of a run from another: where it stands, and what its context is."""
    state = run.state
    told = values.encode([run.status, run.lease, dict(sorted(state.context.items()))], "state")
    return hashlib.sha256(told.encode()).hexdigest()


def _mask(request: HttpRequest, run: Execution) -> Mask:
    masks = Masks([(run.workflow_name, run.version)], reveal=reveals(request))
    mask = masks.of(run.workflow_name, run.version)
    if not mask.is_empty:
        learn(mask, run.input_text)
        for key, text in run.state.context.items():
            learn(mask, text, (key,))
    return mask


def _shown(mask: Mask, key: str, value: Any) -> str:
    return "" if value is ABSENT else pretty(mask.under(key, value)).html


def _hides_both(mask: Mask, key: str, before: Any, after: Any) -> bool:
    """Whether the two look alike only since they are masked."""
    if before is ABSENT or after is ABSENT:
        return False
    return _shown(mask, key, before) == _shown(mask, key, after)
