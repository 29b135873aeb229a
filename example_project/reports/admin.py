"""The dashboards in the admin, to look at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from .models import Dashboard, Figure


class FigureInline(admin.TabularInline):
    model = Figure
    fields = ["name", "value", "is_missing"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Dashboard)
class DashboardAdmin(LookOnly):
    list_display = ["__str__", "run_link"]
    inlines = [FigureInline]

    @admin.display(description="run")
    def run_link(self, dashboard: Dashboard) -> str:
        return link_to_run(dashboard.run)
