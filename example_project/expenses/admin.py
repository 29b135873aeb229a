"""The claims in the admin: handed in by a form, and from then on only looked at.

Who has to approve them finds that under "Pending inputs", which durable_django brings along.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.forms import ModelForm
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from .models import Claim
from .workflows import submit


@admin.register(Claim)
class ClaimAdmin(LookOnly):
    list_display = ["title", "employee", "amount", "status", "decided_by", "reminders", "run_link"]
    list_filter = ["status", "employee"]
    list_select_related = ["employee"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("expenses.add_claim")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        handed_in = ["title", "amount", "spent_on"]
        return handed_in if obj is None else [*handed_in, "status", "decided_by", "reason"]

    def save_model(self, request: HttpRequest, obj: Claim, form: ModelForm, change: bool) -> None:
        # The run commits with the row: the admin saves in a transaction.
        obj.employee = get_user_model().objects.get(username=request.user.get_username())
        submit(obj)

    @admin.display(description="run")
    def run_link(self, claim: Claim) -> str:
        return link_to_run(claim.run)
