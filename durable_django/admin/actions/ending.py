"""Cancel: a run that has not ended ends here, with what it did undone or as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...conf import settings
from ...definition import registry
from ...exceptions import WorkflowNotFound
from ...models import FINAL, Execution, ExecutionStatus, WorkflowDefinition
from .action import Action, Done, ReasonForm

# A rollback cannot be cancelled, either.
NOT_CANCELLABLE: Final = (*FINAL, ExecutionStatus.COMPENSATING)
STOP, UNDO = "stop", "undo"


class CancelForm(ReasonForm):
    """Why, and whether what it did is undone."""

    how = forms.ChoiceField(
        label=_("What becomes of what it did"),
        choices=[
            (STOP, _("Stop only: what was done stays as it is")),
            (UNDO, _("Undo it first: the compensations run, newest first")),
        ],
        initial=STOP,
        required=False,
        widget=forms.RadioSelect,
    )


class Cancel(Action):
    """Ends a run as cancelled, or lets it be undone."""

    verb = "cancel"
    permission = "durable_django.cancel_execution"
    is_danger = True
    statuses = frozenset(set(ExecutionStatus.values) - set(NOT_CANCELLABLE))
    label = _("Cancel …")
    title = _("Cancel an execution")
    submit = _("Cancel this run")
    done = _("%(run)s was cancelled.")
    not_done = _("%(run)s was not cancelled.")
    form_class = CancelForm

    def explains(self, run: Execution) -> list[str]:
        said = [
            gettext(
                "The run ends at once: a step that is running is interrupted where possible, and "
                "its outcome is discarded. Runs that it has called are cancelled, too."
            )
        ]
        if names := compensations(run):
            told = gettext("Where it is undone, these compensations may run: %(names)s.")
            said.append(told % {"names": ", ".join(names)})
        return said

    def make_form(
        self, request: HttpRequest, run: Execution, data: Mapping[str, Any] | None
    ) -> Any:
        form = CancelForm(data)
        if not compensations(run):
            del form.fields["how"]
        return form

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api

        undo = data.get("how") == UNDO
        after = api.cancel(run.pk, data["reason"], undo, by=request.user)
        if after.status == ExecutionStatus.COMPENSATING:
            said = gettext("%(run)s was cancelled: what it did is being undone.")
            return Done(said % {"run": run})
        return self.says_done(run)


def compensations(run: Execution) -> list[str]:
    """The names of the compensations that the workflow of a run declares, as its code says, or else
    what is stored of it."""
    try:
        structure = registry.get(run.workflow_name, run.version).definition.structure()
    except WorkflowNotFound:
        rows = WorkflowDefinition.objects.using(settings.DATABASE)
        row = rows.filter(name=run.workflow_name, version=run.version).first()
        structure = row.structure if row is not None else {}
    return list(dict.fromkeys(_compensations(structure)))


def _compensations(structure: Any) -> Iterator[str]:
    for node in structure.get("nodes") or structure.get("children") or ():
        if found := node.get("compensation"):
            yield str(found.get("name") or node.get("name") or "")
        yield from _compensations(node)
