"""The settings: one dict, ``DURABLE = {...}``, every key optional.

Read lazily, so that ``override_settings`` works and importing the app reads nothing. Unknown keys
and wrong values are told by the system checks (``checks``), not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

DEFAULTS: dict[str, Any] = {
    "DATABASE": "default",
    "EXECUTOR": "threads",
    "QUEUES": {},
    "THREADS": 8,
    "LEASE_SECONDS": 30,
    "HEARTBEAT_SECONDS": 5,
    "POLL_SECONDS": 1.0,
    "MAX_PAYLOAD_BYTES": 1_048_576,
    "MAX_RECOVERIES": 5,
    "LOG_LEVEL": "INFO",
    "LOG_MAX_BYTES": 65_536,
    "RETENTION": None,
    "SENSITIVE": (),
    "BASE_URL": None,
    "CALLBACK_MAX_AGE": timedelta(days=30),
    "METRICS_TOKEN": None,
}


class Settings:
    """Attribute access to ``DURABLE``: ``settings.THREADS``. AttributeError for unknown names."""

    DATABASE: str
    EXECUTOR: str
    QUEUES: dict[str, dict[str, Any]]
    THREADS: int
    LEASE_SECONDS: float
    HEARTBEAT_SECONDS: float
    POLL_SECONDS: float
    MAX_PAYLOAD_BYTES: int
    MAX_RECOVERIES: int
    LOG_LEVEL: str
    LOG_MAX_BYTES: int
    RETENTION: timedelta | None
    SENSITIVE: Iterable[str]
    BASE_URL: str | None
    CALLBACK_MAX_AGE: timedelta
    METRICS_TOKEN: str | None

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"DURABLE has no setting {name!r}")
        value = self.given().get(name, DEFAULTS[name])
        self.__dict__[name] = value
        return value

    def reload(self) -> None:
        """Forgets what was read, so that the next access reads ``DURABLE`` again."""
        self.__dict__.clear()

    def given(self) -> MappingProxyType[str, Any]:
        """The dict as the project wrote it. ImproperlyConfigured when it is no dict."""
        given = getattr(django_settings, "DURABLE", {})
        # Routers read settings while Django runs its own checks, which may be before ours.
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"DURABLE is a dict, not {type(given).__name__}")
        return MappingProxyType(given)


settings = Settings()


def _reload(*, setting: str, **kwargs: Any) -> None:
    if setting == "DURABLE":
        settings.reload()


setting_changed.connect(_reload, dispatch_uid="durable_django.conf")
