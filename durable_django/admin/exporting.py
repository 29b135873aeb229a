"""Export of runs as JSON lines: those ticked in the list, or all that its filters find.

Streamed a page at a time and bounded. What is masked on the pages is masked here; who may see a
run may export it, and nobody gets a run that ``get_queryset`` keeps from him.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse

from ..engine import values
from ..models import Execution
from ..showing.keyset import Cursor, Page
from ..showing.masking import Masks
from ..showing.shapes import run_shape
from ..store import clock
from .seeing import Sight

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
            told = run_shape(row, masks.of(row.workflow_name, row.version), sees=sight.sees)
            yield values.encode(told, "line") + "\n"
        if not page.has_older or not page.ids:
            return
        left -= len(page.ids)
        cursor = Cursor(older_than=page.ids[-1])
    yield values.encode({"more": True, "before": str(cursor.older_than)}, "line") + "\n"
