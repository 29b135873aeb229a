"""What a process does when Django is ready and ``EXECUTOR`` names another engine."""

from __future__ import annotations

import logging

from ..conf import settings
from .dispatches import install
from .executor import Dispatcher, executor_of

logger = logging.getLogger("durable_django.executors")


def install_configured() -> None:
    """The executor of the settings. One that cannot be loaded is told by the system checks, and by
    ``durable_worker``; until then runs are started, and wait."""
    try:
        executor = executor_of(settings.EXECUTOR)
    except Exception as error:
        logger.error("the executor cannot be loaded: %s", error)
        return
    if not isinstance(executor, Dispatcher):
        return
    install(executor)
    if executor.name == "django_q":
        from .django_q import announce_processes

        announce_processes()
