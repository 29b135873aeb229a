"""Actions: what people do to runs from the admin, each a POST behind its own permission.

They ask, and call the API, which decides what may be done and writes down who did it; nothing here
changes a row by itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse

from ...models import Execution
from .verbs import ACTIONS

__all__ = ["Button", "buttons"]


class Button(NamedTuple):
    """A link to the page of an action; its label is translated. ``is_danger``: it ends or changes
    what cannot be brought back."""

    label: str
    url: str
    is_danger: bool
    verb: str


def buttons(request: HttpRequest, run: Execution) -> list[Button]:
    """What this person can do to this run now; nothing for who may only look, and nothing for a
    strand, which is part of a run.

    Example: ``for button in buttons(request, run): ...`` in the context of a page of the admin.
    """
    match = request.resolver_match
    site: Any = match.namespace if match is not None else None
    return [
        Button(
            str(action.label),
            reverse(
                f"admin:durable_django_execution_{action.verb}",
                args=[quote(str(run.pk))],
                current_app=site,
            ),
            action.is_danger,
            action.verb,
        )
        for action in ACTIONS.values()
        if action.may(request) and action.applies(run)
    ]
