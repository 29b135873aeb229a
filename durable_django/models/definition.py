"""WorkflowDefinition: one row per workflow name and version that ever ran here.

It keeps the structure (the graph as JSON), so that runs can be drawn when their code is gone.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..engine import values


class WorkflowDefinition(models.Model):
    """A workflow as the code declared it. Written when a process first starts or claims it."""

    name = models.CharField(_("name"), max_length=200)
    version = models.PositiveIntegerField(_("version"), default=1)
    doc = models.TextField(_("description"), blank=True, default="")
    structure_text = models.TextField(_("structure"), default="{}")
    created_at = models.DateTimeField(_("first seen"))
    updated_at = models.DateTimeField(_("last changed"))

    class Meta:
        verbose_name = _("workflow definition")
        verbose_name_plural = _("workflow definitions")
        default_permissions = ("view",)
        ordering = ("name", "-version")
        constraints = [
            models.UniqueConstraint(fields=("name", "version"), name="durable_definition_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def structure(self) -> Any:
        """The nodes and their nesting, as ``Definition.structure()`` gave them."""
        return values.decode(self.structure_text)
