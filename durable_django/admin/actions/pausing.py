"""Pause and resume: a run stops before its next node, and goes on when it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Execution, ExecutionStatus
from .action import Action, Done, OptionalReasonForm
from .ending import NOT_CANCELLABLE


class Pause(Action):
    """Stops a run before its next node."""

    verb = "pause"
    permission = "durable_django.pause_execution"
    statuses = frozenset(
        set(ExecutionStatus.values) - set(NOT_CANCELLABLE) - {ExecutionStatus.PAUSED}
    )
    label = _("Pause …")
    title = _("Pause an execution")
    submit = _("Pause this run")
    done = _("%(run)s was paused.")
    not_done = _("%(run)s was not paused.")
    form_class = OptionalReasonForm

    def applies(self, run: Execution) -> bool:
        return super().applies(run) and run.paused_at is None

    def refusal(self, run: Execution) -> str:
        if run.paused_at is not None and not run.is_final:
            said = str(self.not_done) % {"run": run}
            return said + " " + gettext("It is paused already.")
        return super().refusal(run)

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext(
                "A node that is running ends and is recorded; no other begins. Events, answers and "
                "the ends of called runs are still taken in, and its timeout goes on."
            ),
            gettext("What comes due while it is paused happens after it is resumed."),
        ]

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_pausing

        after = api_pausing.pause(run.pk, data["reason"], by=request.user)
        if after.status != ExecutionStatus.PAUSED:
            said = gettext("%(run)s will be paused when the node that is running has ended.")
            return Done(said % {"run": run})
        return self.says_done(run)


class Resume(Action):
    """Lets a paused run go on."""

    verb = "resume"
    permission = "durable_django.pause_execution"
    label = _("Resume …")
    title = _("Resume an execution")
    submit = _("Resume this run")
    done = _("%(run)s was resumed.")
    not_done = _("%(run)s was not resumed.")
    form_class = OptionalReasonForm
    statuses = frozenset(set(ExecutionStatus.values) - set(NOT_CANCELLABLE))

    def applies(self, run: Execution) -> bool:
        return super().applies(run) and run.paused_at is not None

    def refusal(self, run: Execution) -> str:
        if run.paused_at is None and run.status in self.statuses:
            said = str(self.not_done) % {"run": run}
            return said + " " + gettext("It is not paused.")
        return super().refusal(run)

    def explains(self, run: Execution) -> list[str]:
        return [
            gettext("The run goes on where it stopped. What came due meanwhile happens at once.")
        ]

    def perform(self, request: HttpRequest, run: Execution, data: Mapping[str, Any]) -> Done:
        from ... import api_pausing

        api_pausing.resume(run.pk, data["reason"], by=request.user)
        return self.says_done(run)
