"""Overview: the executions as the admin sums them up; a page, not a table."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .execution import Execution


class Overview(Execution):
    """A proxy without rows of its own, so that the overview has a place in the admin's lists."""

    class Meta:
        proxy = True
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        default_permissions = ()
