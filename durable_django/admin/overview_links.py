"""Links from the overview to our other pages, where they may be opened. It reads no rows."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse

from ..models import Execution, PendingInput, Queue, Schedule, Worker, WorkflowDefinition

MODELS: Final[dict[str, Any]] = {
    "execution": Execution,
    "pendinginput": PendingInput,
    "queue": Queue,
    "schedule": Schedule,
    "worker": Worker,
    "workflowdefinition": WorkflowDefinition,
}


class Links:
    """Addresses of our pages in one admin site, for those that somebody may open."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._may = {
            name: site.is_registered(model)
            and site.get_model_admin(model).has_view_permission(request)
            for name, model in MODELS.items()
        }

    def may(self, model: str) -> bool:
        """Whether this person may open the pages of a model."""
        return self._may[model]

    def to(self, model: str, **query: str) -> str:
        """The list of a model, filtered; "" for who may not open it."""
        if not self.may(model):
            return ""
        address = reverse(f"admin:durable_django_{model}_changelist", current_app=self._site.name)
        return f"{address}?{urlencode(query)}" if query else address

    def page(self, model: str, pk: Any) -> str:
        """The page of a row; "" for who may not open it."""
        if not self.may(model):
            return ""
        name = f"admin:durable_django_{model}_change"
        return reverse(name, args=[quote(pk)], current_app=self._site.name)

    def waiting_in(self, queue: str) -> str:
        """The runs of a queue that have not ended."""
        return self.to("execution", queue=queue, status="active")
