"""The trials in the admin: to begin one for a customer, and to let customers join."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from .models import Trial
from .workflows import begin, join


@admin.register(Trial)
class TrialAdmin(LookOnly):
    list_display = ["customer", "status", "was_reminded", "run_link"]
    list_filter = ["status", "was_reminded"]
    list_select_related = ["customer"]
    autocomplete_fields = ["customer"]
    actions = ["join"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trials.add_trial")

    def get_fields(self, request: HttpRequest, obj: Trial | None = None) -> Any:
        return ["customer"] if obj is None else ["customer", "status", "was_reminded"]

    def save_model(self, request: HttpRequest, obj: Trial, form: ModelForm, change: bool) -> None:
        # The run commits with the row: the admin saves in a transaction.
        begin(obj)

    @admin.action(description="The selected customers join", permissions=["join"])
    def join(self, request: HttpRequest, trials: QuerySet[Trial]) -> None:
        for trial in trials:
            join(trial)
        self.message_user(request, "Their runs see it when they wake up.", messages.SUCCESS)

    def has_join_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trials.change_trial")

    @admin.display(description="run")
    def run_link(self, trial: Trial) -> str:
        return link_to_run(trial.run)
