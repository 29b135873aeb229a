"""Reading single values of a run that are not kept in memory."""

from __future__ import annotations

from uuid import UUID

from ..conf import settings
from ..models import StepRun


def output_text(execution_id: UUID, seq: int) -> str:
    """The encoded output of one step run."""
    rows = StepRun.objects.using(settings.DATABASE)
    return rows.values_list("output_text", flat=True).get(execution_id=execution_id, seq=seq)
