"""The tabs of an execution's page: one module and one template each, of which one is drawn.

A tab's ``context(page)`` gives what its template sees as ``tab``; the template is
``admin/durable_django/tabs/<name>.html``. What is on every tab is in ``run_page``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from ..run_request import RunRequest
from . import context, events, graph, history, steps

TABS: Final[dict[str, Callable[[RunRequest], dict[str, Any]]]] = {
    "graph": graph.context,
    "steps": steps.context,
    "context": context.context,
    "events": events.context,
    "history": history.context,
}
LABELS: Final = {
    "graph": _("Graph"),
    "steps": _("Steps"),
    "context": _("Context"),
    "events": _("Events and inputs"),
    "history": _("History"),
}

__all__ = ["LABELS", "TABS", "RunRequest"]
