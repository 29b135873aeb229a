"""The travel agency as a Django app; durable_django finds its workflows.py by itself."""

from django.apps import AppConfig


class TripsConfig(AppConfig):
    name = "example_project.trips"
    default_auto_field = "django.db.models.BigAutoField"
