"""What people gave in a run, for its later steps. Reads when it is looked at, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.db.models import Q, QuerySet

from ..conf import settings
from ..definition.answers import Answer
from ..models import Wait, WaitStatus
from ..models.reading import off_loop


class Answers(Mapping[str, Answer]):
    """``self.answers``: by the node that asked, or the name a step asked under. What was asked in
    the same member comes before what the run asked, a later one before an earlier."""

    def __init__(self, run_id: UUID, member_id: UUID) -> None:
        self._run_id = run_id
        self._member_id = member_id

    def __getitem__(self, name: str) -> Answer:
        found = off_loop(lambda: list(self._rows().filter(Q(node=name, position=0) | Q(name=name))))
        if not found:
            raise KeyError(f"nobody was asked for {name!r}, or the answer is still awaited")
        nearest = [row for row in found if row.member_id == self._member_id]
        nearest = nearest or [row for row in found if row.member_id == self._run_id] or found
        return _answer(nearest[-1])

    def __iter__(self) -> Iterator[str]:
        rows = off_loop(lambda: list(self._rows().values_list("node", "name", "position")))
        return iter(dict.fromkeys(name if position else node for node, name, position in rows))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _rows(self) -> QuerySet[Wait]:
        rows = Wait.objects.using(settings.DATABASE).filter(execution_id=self._run_id, kind="input")
        given = Q(status=WaitStatus.COMPLETED)
        return rows.filter(given | Q(status=WaitStatus.TIMED_OUT)).order_by("id")


def _answer(row: Wait) -> Answer:
    if row.status == WaitStatus.TIMED_OUT:
        value = row.timeout_value if row.timeout_text else None
        return Answer(value, at=row.resolved_at, timed_out=True)
    return Answer(row.value, row.answered_by or None, row.comment, row.answered_at)
