"""Every address of our part of the admin, and what somebody needs to open it.

The addresses are collected from the admin itself, so that a page added later is in the matrix, and
fails there until it is said here who may open it.
"""

from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import URLPattern, reverse

from durable_django.admin.actions.verbs import ACTIONS, BULK
from durable_django.admin.queue_actions import ACTIONS as QUEUE_ACTIONS
from durable_django.admin.schedule_verbs import ACTIONS as SCHEDULE_ACTIONS

APP = "durable_django"
NOBODY = None
VIEWS = {
    "execution": "view_execution",
    "overview": "view_execution",
    "pendinginput": "view_pendinginput",
    "queue": "view_queue",
    "schedule": "view_schedule",
    "worker": "view_worker",
    "workflowdefinition": "view_workflowdefinition",
}


class Page(NamedTuple):
    """An address; `model` is that of the row whose id stands in it, if one does."""

    name: str
    model: str
    route: str

    @property
    def has_id(self) -> bool:
        return "object_id" in self.route

    def address(self, pk: object = "") -> str:
        """The address, for the row with that id."""
        route = self.route.replace("<path:object_id>", str(pk))
        return reverse("admin:index") + f"{APP}/{self.model}/{route}"

    def __str__(self) -> str:
        return f"{self.model}/{self.route}"


def needs() -> dict[str, frozenset[str] | None]:
    """Of each address, by its name, the permissions that it takes; None: nobody may."""
    found: dict[str, frozenset[str] | None] = {}
    for model, view in VIEWS.items():
        for page in ("changelist", "change", "history"):
            found[f"{APP}_{model}_{page}"] = frozenset({view})
        for page in ("add", "delete"):
            found[f"{APP}_{model}_{page}"] = NOBODY
    for action in ACTIONS.values():
        needed = frozenset({"view_execution", action.permission.partition(".")[2]})
        found[f"{APP}_execution_{action.verb}"] = needed
        if action in BULK:
            found[f"{APP}_execution_{action.verb}_many"] = needed
    for page in ("doctor", "metrics"):
        found[f"{APP}_overview_{page}"] = frozenset({"view_execution"})
    for page in ("start", "start_many"):
        found[f"{APP}_execution_{page}"] = frozenset({"view_execution", "start_execution"})
    found[f"{APP}_execution_prune"] = frozenset({"view_execution", "prune_execution"})
    found[f"{APP}_execution_publish"] = frozenset({"view_execution", "send_event"})
    found[f"{APP}_execution_export"] = frozenset({"view_execution"})
    for verb in QUEUE_ACTIONS:
        found[f"{APP}_queue_{verb}"] = frozenset({"view_queue", "manage_queue"})
    managed = frozenset({"view_schedule", "view_execution", "manage_schedule"})
    for page in ("changelist", "change", "history"):
        found[f"{APP}_schedule_{page}"] = managed - {"manage_schedule"}
    for verb in ("add", "edit", *SCHEDULE_ACTIONS):
        found[f"{APP}_schedule_{verb}"] = managed
    return found


def pages() -> list[Page]:
    """All that the admin answers, but for Django's redirects from ``<id>/`` to ``<id>/change/``."""
    found = []
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label != APP:
            continue
        patterns: list[Any] = model_admin.get_urls()
        for pattern in patterns:
            assert isinstance(pattern, URLPattern)
            if pattern.name is not None:
                route = str(pattern.pattern)
                found.append(Page(pattern.name, str(model._meta.model_name), route))
    return found


def permissions() -> list[str]:
    """All that we declare, by codename."""
    ours = Permission.objects.filter(content_type__app_label=APP)
    return sorted(ours.values_list("codename", flat=True))
