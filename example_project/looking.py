"""What the admins of all apps here share: rows to look at, and the way to their runs."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html


class LookOnly(admin.ModelAdmin):
    """Rows that only workflows change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def link_to_run(run: UUID | None) -> str:
    """A link to the page of a run; a dash for none."""
    if run is None:
        return "-"
    url = reverse("admin:durable_django_execution_change", args=[run])
    return format_html('<a href="{}">{}</a>', url, run)
