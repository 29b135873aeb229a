"""Which runs somebody may see, as the admin of executions says: other pages ask it here."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import Execution


def visible_runs(site: AdminSite, request: HttpRequest) -> QuerySet[Execution] | None:
    """The runs that this person may see; None for none."""
    if not site.is_registered(Execution):
        return None
    executions = site.get_model_admin(Execution)
    if not executions.has_view_permission(request):
        return None
    return executions.get_queryset(request)
