"""The reports as a Django app; durable_django finds its workflows.py by itself."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "example_project.reports"
    default_auto_field = "django.db.models.BigAutoField"
