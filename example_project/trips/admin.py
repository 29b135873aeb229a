"""The travel agency in the admin, to look at: trips with their reservations, and their runs."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from .models import Reservation, Trip


class ReservationInline(admin.TabularInline):
    model = Reservation
    fields = ["kind", "price", "is_cancelled", "calls"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Trip)
class TripAdmin(LookOnly):
    list_display = ["number", "flight", "origin", "destination", "departs", "status", "run_link"]
    list_filter = ["status", "origin", "flew"]
    search_fields = ["=flight", "=destination"]
    inlines = [ReservationInline]

    @admin.display(description="run")
    def run_link(self, trip: Trip) -> str:
        return link_to_run(trip.run)
