"""What fails most: the latest runs that failed, by workflow, error and node. One statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from ..engine import values
from ..models import Execution
from ..models.rare import rare_only
from .throughput import FAILED

# Of these, not of all that ever failed; their errors are read, up to some kilobytes each.
LOOKED_AT_MAX: Final = 200
LISTED_MAX: Final = 10


@dataclass(frozen=True)
class Failing:
    """``number`` of the latest failures are of this kind. ``run_id`` is the newest such run.
    ``error_type`` and ``node`` are what a run brought: text to be shown with care."""

    workflow_name: str
    error_type: str
    node: str
    number: int
    run_id: UUID
    last_at: datetime


class Failure(NamedTuple):
    """A run that failed."""

    workflow_name: str
    error_type: str
    node: str
    run_id: UUID
    finished_at: datetime


def what_fails(
    rows: QuerySet[Execution],
    now: datetime,
    within: timedelta = timedelta(days=1),
    most: int = LOOKED_AT_MAX,
) -> list[Failing]:
    """Groups those of the newest ``most`` failed runs among ``rows`` that failed lately, the most
    frequent first; no more than ``LISTED_MAX`` of them."""
    failed = rare_only(rows).filter(status__in=sorted(FAILED)).order_by("-id")
    columns = failed.values_list("workflow_name", "error_text", "id", "finished_at")
    lately = now - within
    return _grouped(
        Failure(name, *_error(text), pk, finished_at)
        for name, text, pk, finished_at in columns[:most]
        if finished_at is not None and finished_at >= lately
    )


def _error(text: str) -> tuple[str, str]:
    error = values.decode(text) if text else {}
    return str(error.get("type") or ""), str(error.get("node") or "")


def _grouped(failures: Iterable[Failure]) -> list[Failing]:
    groups: defaultdict[tuple[str, str, str], list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure[:3]].append(failure)
    found = []
    for kind, members in groups.items():
        last = max(members, key=lambda failure: failure.finished_at)
        found.append(Failing(*kind, len(members), last.run_id, last.finished_at))
    found.sort(key=lambda failing: (-failing.number, failing.workflow_name, failing.node))
    return found[:LISTED_MAX]
