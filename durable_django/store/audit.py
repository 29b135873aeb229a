"""Audit: who did what to a run, a queue or a schedule, in the transaction of what it tells of.

What code does all the time (starting, sending events) is told only where somebody is named: a row
for each would cost as much as the start itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..models import AuditEntry
from . import clock
from .hot import insert_rows

# A value of a context that may be nested as deep as any stands two levels down: {"set": {key: …}}.
AROUND_VALUES = 2
BY_LENGTH_MAX = 255
REASON_LENGTH_MAX = 10_000

_COLUMNS = (
    "execution_id",
    "queue",
    "schedule",
    "verb",
    "by",
    "reason",
    "detail_text",
    "created_at",
)


def who(by: Any) -> str:
    """The name to keep of who did something: a user's, or the text itself; "" for None.

    Raises TypeError for what is neither.
    """
    if by is None:
        return ""
    named = by.get_username() if hasattr(by, "get_username") else by
    if not isinstance(named, str):
        raise TypeError(f"by is a user, a string or None, not {by!r}")
    return values.visible(named, BY_LENGTH_MAX)


def encoded(detail: Mapping[str, Any]) -> str:
    """The detail of an entry, as it is stored."""
    return values.encode(dict(detail), "detail", around=AROUND_VALUES)


def checked(reason: Any, by: Any) -> str:
    """The reason somebody gives. TypeError for one that is no text, and for a ``by`` that is
    nobody: before anything is written."""
    if not isinstance(reason, str):
        raise TypeError(f"reason must be a string, not {reason!r:.80}")
    who(by)
    return reason


def record(
    verb: str,
    *,
    execution_id: UUID | None = None,
    queue: str = "",
    schedule: str = "",
    by: Any = None,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Writes one entry, of a run, a queue or a schedule, in the transaction that is open."""
    AuditEntry.objects.using(settings.DATABASE).create(
        execution_id=execution_id,
        queue=queue,
        schedule=schedule,
        verb=verb,
        by=who(by),
        reason=values.visible(reason, REASON_LENGTH_MAX),
        detail_text=encoded(detail or {}),
        created_at=clock.now(),
    )


def record_many(
    verb: str, execution_ids: Iterable[UUID], *, by: Any, detail: Mapping[str, Any] | None = None
) -> None:
    """The same entry for each of these runs, in one statement, in the transaction that is open."""
    said, text, now = who(by), encoded(detail or {}), clock.now()
    rows = [(pk, "", "", str(verb), said, "", text, now) for pk in execution_ids]
    if rows:
        insert_rows(AuditEntry, _COLUMNS, rows)
