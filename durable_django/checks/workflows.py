"""Checks of the registered workflows against the settings, which a class body must not know."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from ..definition import registry
from ..definition.spelling import did_you_mean
from .values import valid


def check_workflows(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E011: where ``QUEUES`` names queues, a workflow's queue is one of them or "default"."""
    queues = valid("QUEUES")
    if not queues:
        return []
    known = sorted({*queues, "default"})
    return [
        Error(
            f'Meta.queue is "{queue}", which DURABLE["QUEUES"] does not name'
            f"{did_you_mean(queue, known) or '.'}",
            hint=f"The queues are {', '.join(known)}.",
            obj=f"{cls.__module__}.{cls.__qualname__}",
            id="durable_django.E011",
        )
        for cls in registry.all()
        if (queue := cls.definition.options.queue) not in known
    ]
