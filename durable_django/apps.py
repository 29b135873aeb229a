"""The app: finds every installed app's ``workflows`` module when Django is ready, nothing else."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class DurableDjangoConfig(AppConfig):
    """``INSTALLED_APPS += ["durable_django"]``."""

    name = "durable_django"
    verbose_name = _("Durable workflows")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the system checks
        from .definition import moments
        from .store import clock

        moments.now = clock.known
        autodiscover_modules("workflows")
