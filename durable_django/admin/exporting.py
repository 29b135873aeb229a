"""Export of runs as JSON lines: those ticked in the list, or all that its filters find.

Streamed a page at a time and bounded. What is masked on the pages is masked here; who may see a
run may export it, and nobody gets a run that ``get_queryset`` keeps from him.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse

from ..engine import values
from ..models import Execution
from ..store import clock
from .actions.masked_edits import dotted
from .keyset import Cursor, Page
from .masking import Mask, Masks
from .seeing import Sight
from .shown import learn_run, unreadable

RUNS_MAX: Final = 10_000
PAGE: Final = 100

Reader = Callable[[Cursor, int], Page]


def export(
    runs: QuerySet[Execution], read: Reader, sight: Sight, *, reveal: bool
) -> HttpResponseBase:
    """A file of runs, the newest first: those that ``read`` finds a page of ids at a time.

    One line a run; if there are more than ``RUNS_MAX``, a last line says where it ended.
    """
    response = StreamingHttpResponse(
        _lines(runs, read, sight, reveal), content_type="application/x-ndjson; charset=utf-8"
    )
    name = f"executions-{clock.now():%Y%m%d-%H%M%S}.jsonl"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _lines(runs: QuerySet[Execution], read: Reader, sight: Sight, reveal: bool) -> Iterator[str]:
    cursor, left = Cursor(), RUNS_MAX
    while left > 0:
        page = read(cursor, min(PAGE, left))
        rows = list(runs.filter(id__any=page.ids).order_by("-id")) if page.ids else []
        masks = Masks({(row.workflow_name, row.version) for row in rows}, reveal=reveal)
        sight.look_at(row.parent_id for row in rows)
        for row in rows:
            yield _line(row, masks.of(row.workflow_name, row.version), sight)
        if not page.has_older or not page.ids:
            return
        left -= len(page.ids)
        cursor = Cursor(older_than=page.ids[-1])
    yield values.encode({"more": True, "before": str(cursor.older_than)}, "line") + "\n"


def _line(run: Execution, mask: Mask, sight: Sight) -> str:
    learn_run(mask, run)
    parent = run.parent_id
    tags = run.tags if isinstance(run.tags, dict) else list(run.tags or ())
    told = {
        "id": str(run.pk),
        "workflow": run.workflow_name,
        "version": run.version,
        "status": run.status,
        "queue": run.queue,
        "priority": run.priority,
        "tags": dotted(mask.value(tags)),
        "idempotency_key": run.idempotency_key and mask.text(run.idempotency_key),
        "parent": str(parent) if parent and sight.sees(parent) else None,
        "reason": mask.text(run.reason),
        **{name: _moment(getattr(run, name)) for name in _MOMENTS},
        "input": _value(run.input_text, mask),
        "result": _value(run.result_text, mask) if run.status == "completed" else None,
        "error": _error(run.error_text, mask),
    }
    return values.encode(told, "line") + "\n"


_MOMENTS: Final = ("created_at", "scheduled_at", "started_at", "paused_at", "finished_at")


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _value(text: str, mask: Mask) -> Any:
    try:
        return dotted(mask.value(values.decode(text)))
    except ValueError:
        return unreadable()


def _error(text: str, mask: Mask) -> Any:
    if not text:
        return None
    try:
        found = values.decode(text)
    except ValueError:
        return unreadable()
    parts = ("type", "message", "node", "traceback")
    return {part: mask.text(str(found.get(part) or "")) for part in parts}
