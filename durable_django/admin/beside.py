"""Pages beside the overview that tell of all runs, the doctor's and that of the metrics.

Who sees only some runs sees none of them, and no link to them. It knows nothing of what is on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from .seeing import sees_all, visible_runs


class BesideOverview(ModelAdmin):
    """What such pages share; each has its view, a name, and a template that extends
    ``overview/beside.html``."""

    def url_beside(self, name: str, view: Callable[..., HttpResponse]) -> URLPattern:
        """The address of the page, below that of the overview."""
        full_name = f"durable_django_overview_{name}"
        return path(f"{name}/", self.admin_site.admin_view(view), name=full_name)

    def address_beside(self, request: HttpRequest, name: str) -> str:
        """Where the page is; "" for who may not see it."""
        if not sees_all(visible_runs(self.admin_site, request)):
            return ""
        full_name = f"admin:durable_django_overview_{name}"
        return reverse(full_name, current_app=self.admin_site.name)

    def drawn_beside(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """The page as its template draws it."""
        shared = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, shared | context)
