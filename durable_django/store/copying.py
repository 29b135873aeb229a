"""Copying the beginning of a run for another one: its step runs, strands, waits and their events.

Page by page, in bulk: a run may have ten thousand strands. What is copied names copies, so that
nothing in the new run points into the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..engine.rerunning import Start
from ..engine.results import Results
from ..models import AuditEntry, Event, EventStatus, Execution, StepRun, Wait
from ..models.execution import ExecutionKind
from . import audit
from .bulk import update_rows
from .hot import STEP_COLUMNS, insert_rows
from .rebuilding import EDITS
from .renaming import Names
from .starting import defaults

T = TypeVar("T")

PAGE = 500


class Copies:
    """The copies of what ``run`` has done, for the run ``new_id``, whose own row they leave to the
    caller."""

    def __init__(self, run: Execution, new_id: UUID, trace_context: str) -> None:
        self.run = run
        self.new_id = new_id
        self.trace_context = trace_context
        self.names = Names(run.pk, new_id)

    def write(self, start: Start, forks: Sequence[Results]) -> None:
        """Copies what stands before a rerun, and all below ``forks``, which that has made."""
        strands = self._name_strands(forks)
        for page in _pages(strands):
            self._copy_strands(page)
        for numbers in _pages(self._step_ids(start.seq, strands)):
            self._copy_steps(numbers)
        for numbers in _pages(self._wait_ids(start.seq)):
            self._copy_waits(numbers)
        self._copy_edits(start)

    # -- strands -----------------------------------------------------------------------------

    def _name_strands(self, forks: Sequence[Results]) -> list[UUID]:
        """The strands below these forks, which have got new names, level by level."""
        rows = Execution.objects.using(settings.DATABASE).filter(kind=ExecutionKind.STRAND)
        level: list[UUID] = []
        for fork in forks:
            members = rows.filter(
                parent_id=self.run.pk, id__gte=fork.first_id, id__lte=fork.last_id
            )
            level += self.names.name(members.order_by("id").values_list("id", flat=True))
        found: list[UUID] = []
        while level:
            found += level
            below: list[UUID] = []
            for page in _pages(level):
                members = rows.filter(parent__id__any=page).order_by("parent_id", "id")
                below += self.names.name(members.values_list("id", flat=True))
            level = below
        return found

    def _copy_strands(self, page: Sequence[UUID]) -> None:
        columns = list(defaults())
        rows = Execution.objects.using(settings.DATABASE).filter(id__any=list(page))
        copies = []
        for columns_of in rows.order_by("id").values_list(*columns):
            row: dict[str, Any] = dict(zip(columns, columns_of, strict=True))
            row |= {
                "id": self.names.ids[row["id"]],
                "parent_id": self.names.ids[row["parent_id"]],
                "root_id": self.new_id,
                "depth": row["depth"] - self.run.depth,
                "tags": "[]",
                "trace_context": self.trace_context,
                "snapshot": self.names.snapshot(row["snapshot"]),
                "result_text": self.names.text(row["result_text"]),
            }
            copies.append(tuple(row.values()))
        insert_rows(Execution, columns, copies)

    # -- step runs ---------------------------------------------------------------------------

    def _step_ids(self, seq: int, strands: Sequence[UUID]) -> list[int]:
        """In the order in which they were recorded, as the copies are: a rollback goes by it."""
        rows = StepRun.objects.using(settings.DATABASE)
        own = rows.filter(execution_id=self.run.pk, seq__lte=seq)
        found = list(own.values_list("id", flat=True))
        for page in _pages(strands):
            found += rows.filter(execution__id__any=page).values_list("id", flat=True)
        return sorted(found)

    def _copy_steps(self, numbers: Sequence[int]) -> None:
        rows = StepRun.objects.using(settings.DATABASE).filter(id__in=numbers).order_by("id")
        copies = []
        for columns_of in rows.values_list(*STEP_COLUMNS):
            row: dict[str, Any] = dict(zip(STEP_COLUMNS, columns_of, strict=True))
            row["execution_id"] = self.names.ids[row["execution_id"]]
            row["output_text"] = self.names.text(row["output_text"])
            copies.append(tuple(row.values()))
        insert_rows(StepRun, STEP_COLUMNS, copies)

    # -- waits, events, edits ----------------------------------------------------------------

    def _wait_ids(self, seq: int) -> list[int]:
        rows = Wait.objects.using(settings.DATABASE).filter(
            execution_id=self.run.pk, resolved_at__isnull=False
        )
        return [
            pk
            for pk, member_id, at in rows.order_by("id").values_list("id", "member_id", "seq")
            if (at <= seq if member_id == self.run.pk else member_id in self.names.ids)
        ]

    def _copy_waits(self, numbers: Sequence[int]) -> None:
        rows = Wait.objects.using(settings.DATABASE)
        old = list(rows.filter(id__in=numbers).order_by("id"))
        new = [self._copy_of(wait) for wait in old]
        rows.bulk_create(new)
        self._copy_events({wait.pk: copy for wait, copy in zip(old, new, strict=True)})

    def _copy_of(self, wait: Wait) -> Wait:
        columns = {field.attname: getattr(wait, field.attname) for field in wait._meta.fields}
        return Wait(
            **columns
            | {
                "id": None,
                "execution_id": self.new_id,
                "member_id": self.names.ids[wait.member_id],
                "value_text": self.names.text(wait.value_text),
            }
        )

    def _copy_events(self, waits: dict[int, Wait]) -> None:
        """What these waits, given by the ids of their originals, have consumed: so no event that is
        published for long, or sent twice under one key, comes to the new run again."""
        rows = Event.objects.using(settings.DATABASE)
        consumed = {pk: values.decode(wait.events_text) for pk, wait in waits.items()}
        wanted = [number for numbers in consumed.values() for number in numbers]
        new: dict[int, int] = {}
        for page in _pages(wanted):
            old = list(rows.filter(id__in=page, status=EventStatus.DELIVERED).order_by("id"))
            copies = [_event_for(event, self.new_id, waits) for event in old]
            rows.bulk_create(copies)
            new |= {event.pk: copy.pk for event, copy in zip(old, copies, strict=True)}
        update_rows(
            Wait,
            ("id", "events_text"),
            ("bigint", "text"),
            [
                (waits[pk].pk, values.encode([new[n] for n in numbers if n in new], "events"))
                for pk, numbers in consumed.items()
                if numbers
            ],
        )

    def _copy_edits(self, start: Start) -> None:
        """What people did to the context by then: a rerun of the new run needs to know."""
        rows = AuditEntry.objects.using(settings.DATABASE)
        kept = []
        for entry in rows.filter(execution_id=self.run.pk, verb__in=EDITS).order_by("id"):
            detail = entry.detail
            if detail.get("seq", start.until + 1) > start.until:
                continue
            detail["seq"] = min(detail["seq"], start.seq)
            entry.detail_text = audit.encoded(detail)
            entry.pk, entry.execution_id = None, self.new_id
            kept.append(entry)
        rows.bulk_create(kept)


def _event_for(event: Event, run_id: UUID, waits: dict[int, Wait]) -> Event:
    columns = {field.attname: getattr(event, field.attname) for field in event._meta.fields}
    wait = waits.get(event.wait_id or 0)
    changed = {"id": None, "execution_id": run_id, "wait_id": wait.pk if wait else None}
    return Event(**columns | changed)


def _pages(rows: Sequence[T]) -> Iterator[list[T]]:
    for begin in range(0, len(rows), PAGE):
        yield list(rows[begin : begin + PAGE])
