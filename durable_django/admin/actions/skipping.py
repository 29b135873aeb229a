"""Skip: the node that a run failed at is given a result by hand, and the run goes on after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Execution, ExecutionStatus
from ...showing.visible import visible
from .action import Action, Done, ReasonForm
from .json_field import ValueField


class SkipForm(ReasonForm):
    """Which node, and what it is taken to have given."""

    node = forms.ChoiceField(label=_("Node"))
    value = ValueField(
        label=_("What it gives"),
        path="value",
        required=False,
        rows=6,
        help_text=_(
            "JSON; null if it is empty. Later nodes see this as its output. Of a branch or a "
            "decision it is the way to go."
        ),
    )

    def __init__(self, data: Any = None, *, nodes: list[tuple[str, str]]) -> None:
        super().__init__(data)
        field: Any = self.fields["node"]
        field.choices = nodes
        self.order_fields(["node", "value", "reason"])


class Skip(Action):
    """Takes the node that failed as done."""

    verb = "skip"
    permission = "durable_django.skip_execution"
    statuses = frozenset({ExecutionStatus.FAILED.value})
    label = _("Skip the failed node …")
    title = _("Skip a failed node")
    submit = _("Skip this node")
    done = _("%(run)s goes on after the node that was skipped.")
    not_done = _("Nothing of %(run)s was skipped.")
    form_class = ReasonForm

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext(
                "The node is recorded as skipped, with the result that you give, and the run goes "
                "on after it. Its body does not run."
            )
        ]

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        return SkipForm(data, nodes=_nodes(run))

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_repair

        api_repair.skip(
            run.pk, data["value"], node=data["node"], reason=data["reason"], by=request.user
        )
        return self.says_done(run)


def _nodes(run: Execution) -> list[tuple[str, str]]:
    """What can be skipped: the nodes that failed, then the blocks around them."""
    from ... import api_repair

    return [(path, visible(path)) for path in api_repair.nodes_to_skip(run.pk)]
