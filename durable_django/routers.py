"""The router that keeps all of durable_django's tables in ``DURABLE["DATABASE"]``.

Needed only where that is not "default":
``DATABASE_ROUTERS = ["durable_django.routers.DurableRouter"]``.
"""

from __future__ import annotations

from typing import Any

from .conf import settings

LABEL = "durable_django"


class DurableRouter:
    """Sends durable_django's models to their database, and says nothing of others."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return settings.DATABASE if model._meta.app_label == LABEL else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return settings.DATABASE if model._meta.app_label == LABEL else None

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool | None:
        if first._meta.app_label == LABEL == second._meta.app_label:
            return True
        return None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == settings.DATABASE if app_label == LABEL else None
