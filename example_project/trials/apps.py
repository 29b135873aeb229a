"""The trials as a Django app; durable_django finds its workflows.py by itself."""

from django.apps import AppConfig


class TrialsConfig(AppConfig):
    name = "example_project.trials"
    default_auto_field = "django.db.models.BigAutoField"
