"""Re-run: a new run of the code as it is now, with what an ended one had done before a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import FINAL, Execution, ExecutionStatus
from ...showing.visible import visible
from .action import Action, Done, OptionalReasonForm
from .json_field import ValueField

KEEP: Final = object()


class RerunForm(OptionalReasonForm):
    """From which node, and with which input."""

    node = forms.ChoiceField(label=_("Run again from"))
    input = ValueField(
        label=_("Another input"),
        path="input",
        required=False,
        empty=KEEP,
        rows=4,
        help_text=_("JSON. Leave it empty to run with the input of this execution."),
    )
    context = ValueField(
        label=_("Changes to the context"),
        path="context",
        required=False,
        empty=None,
        rows=4,
        help_text=_('A JSON object of keys and their new values: {"total": 12}. None if empty.'),
    )

    def clean_context(self) -> Any:
        changes = self.cleaned_data["context"]
        if changes is not None and not isinstance(changes, dict):
            raise forms.ValidationError(gettext("The context is a JSON object: {…}."))
        return changes

    def __init__(self, data: Any = None, *, nodes: list[str], first: str = "") -> None:
        super().__init__(data, initial={"node": first})
        field: Any = self.fields["node"]
        field.choices = [(name, name) for name in nodes]
        field.widget.attrs["autofocus"] = True
        self.fields["reason"].widget.attrs.pop("autofocus", None)
        self.order_fields(["node", "input", "context", "reason"])


class Rerun(Action):
    """Starts a new run that goes on from a node; the old one stays as it is."""

    verb = "rerun"
    permission = "durable_django.rerun_execution"
    statuses = frozenset(status.value for status in FINAL)
    label = _("Re-run …")
    title = _("Run again from a node")
    submit = _("Start the new run")
    done = _("A new run was started from %(run)s.")
    not_done = _("%(run)s was not run again.")
    form_class = OptionalReasonForm
    review_template = "admin/durable_django/execution/review_rerun.html"

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext(
                "A new execution is made; this one stays as it is. What completed before the node "
                "is kept, the node and all after it run again, with the code as it is now."
            )
        ]

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        from ... import api_rerun

        nodes = list(api_rerun.nodes_to_rerun_from(run.pk))
        # A run that did not complete stood at the last of them.
        stood = nodes[-1:] if run.status != ExecutionStatus.COMPLETED else []
        return RerunForm(data, nodes=nodes, first="".join(stood))

    def review(self, request: HttpRequest, run: Execution, form: Any) -> dict[str, Any] | None:
        from ... import api_rerun

        preview = api_rerun.preview_rerun(run.pk, form.cleaned_data["node"])
        return {
            "asked": visible(preview.asked),
            "block": visible(preview.node) if preview.is_block else "",
            "kept": [visible(path) for path in preview.kept],
            "again": [visible(name) for name in preview.again],
        }

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_rerun

        options = {} if data["input"] is KEEP else {"input": data["input"]}
        if data["context"]:
            options["context"] = data["context"]
        made = api_rerun.rerun_from(
            run.pk, data["node"], reason=data["reason"], by=request.user, **options
        )
        return Done(str(self.done) % {"run": run}, made)
