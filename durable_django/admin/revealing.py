"""Whether somebody may see what is masked for everybody else. It reads permissions only."""

from __future__ import annotations

from django.http import HttpRequest


def reveals(request: HttpRequest) -> bool:
    """Whether whoever sent ``request`` may see what is masked for everybody else.

    Example: ``Masks(workflows, reveal=reveals(request))``.
    """
    return request.user.has_perm("durable_django.view_sensitive")
