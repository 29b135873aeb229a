"""The expenses as a Django app; durable_django finds its workflows.py by itself."""

from django.apps import AppConfig

from durable_django.signals import input_requested


class ExpensesConfig(AppConfig):
    name = "example_project.expenses"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .notices import tell_approvers

        input_requested.connect(tell_approvers)
