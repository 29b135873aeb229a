"""Definitions: the rows that keep each workflow's structure, for when its code is gone.

Written when a worker starts, not by ``start``: the caller's transaction would hold their locks.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..conf import settings
from ..definition.definition import Definition
from ..engine import values
from ..models import WorkflowDefinition
from . import clock


def record_definitions(definitions: Iterable[Definition]) -> int:
    """Writes the rows of definitions that are new or whose structure changed; how many."""
    rows = WorkflowDefinition.objects.using(settings.DATABASE)
    stored = {
        (name, version): (doc, structure)
        for name, version, doc, structure in rows.values_list(
            "name", "version", "doc", "structure_text"
        )
    }
    now = clock.now()
    changed = []
    for definition in definitions:
        doc = (definition.workflow.__doc__ or "").strip()
        text = values.encode(definition.structure(), "structure")
        if stored.get((definition.name, definition.version)) != (doc, text):
            changed.append(
                WorkflowDefinition(
                    name=definition.name,
                    version=definition.version,
                    doc=doc,
                    structure_text=text,
                    created_at=now,
                    updated_at=now,
                )
            )
    if changed:
        rows.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["name", "version"],
            update_fields=["doc", "structure_text", "updated_at"],
        )
    return len(changed)
