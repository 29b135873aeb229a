"""The shape of a run for programs: what an export and ``--json`` give, masked. It reads rows only.

What is in it passes the gate; names and their order are stable.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ..engine import values
from ..models import Execution
from .learning import learn_run, unreadable
from .masking import Mask, dotted


def run_shape(
    run: Execution, mask: Mask, *, sees: Callable[[UUID], bool] = lambda pk: True
) -> dict[str, Any]:
    """A run as an export and the terminal give it, under a fresh mask of its own, which learns what
    is secret in it. ``sees`` says whether another run may be named."""
    learn_run(mask, run)
    parent = run.parent_id
    tags = run.tags if isinstance(run.tags, dict) else list(run.tags or ())
    return {
        "id": str(run.pk),
        "workflow": run.workflow_name,
        "version": run.version,
        "status": run.status,
        "queue": run.queue,
        "priority": run.priority,
        "tags": dotted(mask.value(tags)),
        "idempotency_key": run.idempotency_key and mask.text(run.idempotency_key),
        "parent": str(parent) if parent and sees(parent) else None,
        "reason": mask.text(run.reason),
        **{name: _moment(getattr(run, name)) for name in _MOMENTS},
        "input": value_shape(run.input_text, mask),
        "result": value_shape(run.result_text, mask) if run.status == "completed" else None,
        "error": error_shape(run.error_text, mask),
    }


_MOMENTS: Final = ("created_at", "scheduled_at", "started_at", "paused_at", "finished_at")


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def value_shape(text: str, mask: Mask) -> Any:
    """A stored value under a mask."""
    try:
        return dotted(mask.value(values.decode(text)))
    except ValueError:
        return unreadable()


def error_shape(text: str, mask: Mask) -> Any:
    """A stored error under a mask, None where there is none."""
    if not text:
        return None
    try:
        found = values.decode(text)
    except ValueError:
        return unreadable()
    parts = ("type", "message", "node", "traceback")
    return {part: mask.text(str(found.get(part) or "")) for part in parts}
