"""Makes the other workflows known beside the app's `workflows`, which are found by their name."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class KillingConfig(AppConfig):
    name = "tests.killing"

    def ready(self) -> None:
        autodiscover_modules("sagas", "waits", "carried")
