"""What the page of a workflow definition shows of its schedules: when they come next. Read-only."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from ..models import Schedule
from ..store import clock
from . import overview_parts
from .overview_links import Links

SHOWN_MAX: Final = 50


def schedules_of(site: AdminSite, request: HttpRequest, workflow: str) -> dict[str, Any]:
    """The schedules of a workflow that this person may see, and where one adds another."""
    links = Links(site, request)
    if not links.may("schedule"):
        return {"schedules": None}
    schedules: Any = site.get_model_admin(Schedule)
    rows = schedules.get_queryset(request).filter(workflow_name=workflow)
    adds = schedules.has_add_permission(request) and workflow in schedules.schedulable(request)
    add = reverse("admin:durable_django_schedule_add", current_app=site.name)
    return {
        "schedules": overview_parts.schedules(rows[:SHOWN_MAX], clock.now(), links),
        "schedules_url": links.to("schedule", workflow=workflow),
        "add_schedule_url": f"{add}?{urlencode({'workflow': workflow})}" if adds else "",
    }
