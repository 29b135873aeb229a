"""The app: finds every installed app's ``workflows`` module when Django is ready, and sees to it
that the schedules they declare have their rows after each migrate. Nothing else."""

from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate
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
        _install_executor()
        post_migrate.connect(_synchronise, sender=self)


def _install_executor() -> None:
    """With another engine, each process hands over what it makes ready."""
    from .conf import settings

    # A dict that is none is told by the checks.
    with suppress(ImproperlyConfigured):
        if settings.EXECUTOR == "threads":
            return
        from .executors.installing import install_configured

        install_configured()


def _synchronise(*, using: str, apps: Any = None, **options: Any) -> None:
    """After migrate the rows of schedules are those of the code that was migrated for."""
    from .conf import settings
    from .store.synchronising import synchronise_or_log

    # Without apps it was flush: whoever empties the tables wants them empty. After migrating back
    # to where there were none, there is nothing to write to.
    if using != settings.DATABASE or "schedule" not in getattr(apps, "all_models", {}).get(
        "durable_django", ()
    ):
        return
    # A test says by itself which schedules there are: those of a database that was made yesterday
    # would all be due, and fire in tests that are about something else.
    if not hasattr(mail, "outbox"):
        synchronise_or_log()
