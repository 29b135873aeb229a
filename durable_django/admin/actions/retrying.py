"""Retry: a run that failed or was cancelled goes on at the node it stopped at, or at another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Execution, ExecutionStatus
from .action import Action, Done, OptionalReasonForm


class RetryForm(OptionalReasonForm):
    """Where it goes on. ``nodes`` are the names of those possible."""

    node = forms.ChoiceField(
        label=_("Go on at"),
        required=False,
        help_text=_("Another node is needed where the one it stopped at is gone from the code."),
    )
    forget_waits = forms.BooleanField(
        label=_("Forget what the step has waited for"),
        required=False,
        help_text=_(
            "For a step that failed since its waits are not those it was recorded with: its body "
            "runs afresh, and what it was given before is asked for again."
        ),
    )

    def __init__(self, data: Any = None, *, nodes: list[str] | None = None) -> None:
        super().__init__(data)
        if nodes is None:
            del self.fields["node"], self.fields["forget_waits"]
            return
        choices = [("", gettext("where it stopped")), *((name, name) for name in nodes)]
        field: Any = self.fields["node"]
        field.choices = choices
        self.order_fields(["node", "forget_waits", "reason"])


class Retry(Action):
    """Lets a run go on with fresh attempts."""

    verb = "retry"
    permission = "durable_django.retry_execution"
    statuses = frozenset({ExecutionStatus.FAILED.value, ExecutionStatus.CANCELLED.value})
    label = _("Retry …")
    title = _("Retry an execution")
    submit = _("Retry this run")
    done = _("%(run)s goes on.")
    not_done = _("%(run)s was not retried.")
    form_class = OptionalReasonForm

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext(
                "The run goes on with fresh attempts at the node it stopped at. What had completed "
                "is not run again. If its timeout has passed it gets the workflow's timeout anew."
            )
        ]

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        from ... import api_repair

        return RetryForm(data, nodes=list(api_repair.nodes_to_go_on_at(run.pk)))

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_repair

        options: dict[str, Any] = {}
        if data.get("node"):
            options["node"] = data["node"]
        if data.get("forget_waits"):
            options["forget_waits"] = True
        api_repair.retry(run.pk, reason=data["reason"], by=request.user, **options)
        return self.says_done(run)
