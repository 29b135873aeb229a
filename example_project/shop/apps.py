"""The shop as a Django app; durable_django finds its workflows.py by itself."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "example_project.shop"
    default_auto_field = "django.db.models.BigAutoField"
