"""Pages that refresh themselves: what tells cheaply whether one has changed, and how it answers.

The script asks for the page again, with the tag of what it shows; where that is still true the
answer is 304 and nothing is drawn. A tag is also outdated by time, so that what no tag knows of (a
worker that died, a queue that was paused) is seen a little later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Aggregate, Count, Max, OuterRef, QuerySet, Subquery, Sum, Value
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language

from ..conf import settings
from ..models import AuditEntry, Event, Execution, StepRun, Wait
from ..models.execution import ExecutionKind

HEADER: Final = "durable-live"
POLL_SECONDS: Final = 2
# What has come to rest may still be touched by somebody, or be woken.
POLL_SECONDS_AT_REST: Final = 5
OUTDATED_SECONDS: Final = 20


@dataclass(frozen=True)
class Live:
    """What the template ``includes/live.html`` needs, as ``live``.

    ``seconds``  between two polls; 0 where nothing moves any more
    ``says``     what is said aloud when it changes: ``completed``
    ``now``      the database's time

    Example: ``{"live": Live(2, "running", clock.now())}`` in the context of a page of the admin,
    and ``data-durable-live="key"`` on each part of it that may change.
    """

    seconds: int
    says: str
    now: datetime


def tag_of(request: HttpRequest, now: datetime, *parts: object) -> str:
    """The ETag of a page: of what it shows, and of who sees it how."""
    period = int(now.timestamp()) // OUTDATED_SECONDS
    told = (*parts, request.get_full_path(), request.user.pk, get_language(), period)
    return f'W/"{hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()}"'


def answer(request: HttpRequest, tag: str, draw: Callable[[], HttpResponse]) -> HttpResponse:
    """304 to the script that shows just this already; else what ``draw`` gives, with its tag.

    Example::

        def changelist_view(self, request, extra_context=None):
            tag = live.tag_of(request, clock.now(), newest_change)
            draw = lambda: super().changelist_view(request, extra_context)
            return live.answer(request, tag, draw)
    """
    if HEADER in request.headers and request.headers.get("If-None-Match") == tag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = draw()
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response


def seconds_of(run: Execution) -> int:
    """How often the page of ``run`` looks; 0 for one that has ended, which only a retry moves."""
    if run.is_final:
        return 0
    at_rest = run.status in ("sleeping", "scheduled", "waiting", "paused") and not run.remaining
    return POLL_SECONDS_AT_REST if at_rest else POLL_SECONDS


def mark_of(run: Execution) -> tuple[Any, ...]:
    """What changes whenever something happens in ``run``, read in one query, two more while it has
    members that run."""
    state = (run.status, run.lease, run.paused_at, run.wake_at, run.due_at, run.snapshot_seq)
    if run.is_final:
        return (*state, run.finished_at)
    rows = Execution.objects.using(settings.DATABASE).filter(pk=run.pk)
    last = StepRun.objects.filter(execution=OuterRef("pk")).order_by("-seq")
    by_run = {"member" if run.kind == ExecutionKind.STRAND else "execution": OuterRef("pk")}
    waits = Wait.objects.filter(resolved_at__isnull=True, **by_run)
    inbox = Event.objects.filter(execution=OuterRef("pk"), ended_at__isnull=True)
    history = AuditEntry.objects.filter(execution=OuterRef("pk"))
    read = rows.values_list(
        Subquery(last.values("seq")[:1]),
        Subquery(last.values("status")[:1]),
        Subquery(last.values("progress")[:1]),
        Subquery(last.values("progress_message")[:1]),
        _over(waits, Count("id")),
        _over(waits, Max("id")),
        _over(waits, Max("answered_at")),
        _over(inbox, Max("id")),
        _over(inbox, Count("id")),
        _over(history, Max("id")),
    )
    strands = (run.remaining, run.failures, run.released_id)
    return (*state, *strands, read.first(), *(_members(run) if run.remaining else ()))


def _over(rows: QuerySet[Any], what: Aggregate) -> Subquery:
    """One number about ``rows``, as a part of another query."""
    return Subquery(rows.order_by().values(_one=Value(1)).annotate(found=what).values("found"))


def _members(run: Execution) -> tuple[Any, ...]:
    """The same for its members while they run: how many stand how, and what those do that a worker
    holds."""
    rows = Execution.objects.using(settings.DATABASE).filter(parent=run.pk).order_by()
    counts = rows.values_list("status", "held_back").annotate(n=Count("id"), leases=Sum("lease"))
    held = rows.filter(worker__isnull=False).values("pk")
    steps = StepRun.objects.using(settings.DATABASE).filter(execution__id__any=held).order_by()
    last = steps.values_list("execution_id").annotate(seq=Max("seq"), done=Max("progress"))
    return tuple(sorted(counts)), tuple(sorted(last))
