"""The names of copies: ids of a run and its strands as they stand in columns and in stored values.

A value may name rows: the results of a foreach do, and an output that is kept in a row. Copied, it
names copies; results of another run, as a called one gives them, are replaced by what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from ..conf import settings
from ..engine import values
from ..engine.results import MemberFailure
from ..models import Execution
from ..models.ids import following, uuid7

# How the results of a fork stand in stored values. Within a string the quotes are escaped.
_RESULTS = re.compile(r'\{"\$":\["results","([0-9a-f-]{36})",([0-9]+),"([a-z]+)"\]\}')
# An output in a snapshot that stands in a row of another execution.
_REFERENCE = re.compile(r':"[0-9a-f]{32}:[0-9]+"')


class Names:
    """New ids by old ones, of the run ``old`` that is copied as ``new``."""

    def __init__(self, old: UUID, new: UUID) -> None:
        self.ids: dict[UUID, UUID] = {old: new}
        self._held: dict[UUID, str] = {}

    def name(self, ids: Iterable[UUID]) -> list[UUID]:
        """Gives each of these a new id; them. The members of a fork, whose ids follow one another,
        get such ids again."""
        named: list[UUID] = []
        for pk in ids:
            follows = named and pk.int == named[-1].int + 1
            self.ids[pk] = UUID(int=self.ids[named[-1]].int + 1) if follows else uuid7()
            named.append(pk)
        return named

    def text(self, text: str) -> str:
        """A stored value, naming copies."""
        return _RESULTS.sub(self._results, text) if '["results",' in text else text

    def _results(self, found: re.Match[str]) -> str:
        first, count, kind = UUID(found[1]), int(found[2]), found[3]
        if first in self.ids:
            return f'{{"$":["results","{self.ids[first]}",{count},"{kind}"]}}'
        if first not in self._held:
            self._held[first] = self._what_they_hold(first, count) or found[0]
        return self._held[first]

    def _what_they_hold(self, first: UUID, count: int) -> str:
        """The results themselves, as the text of a list; "" where their rows are gone."""
        ids = following(first, count)
        rows = Execution.objects.using(settings.DATABASE)
        rows = rows.filter(id__gte=ids[0], id__lte=ids[-1]).order_by("id")
        given = list(rows.values_list("status", "result_text", "error_text"))
        if len(given) != count:
            return ""
        return f"[{','.join(self._given(*row) for row in given)}]"

    def _given(self, status: str, result_text: str, error_text: str) -> str:
        if status == "completed" or not error_text:
            return self.text(result_text)
        error = values.decode(error_text)
        return values.encode(MemberFailure(error["type"], error["message"]), "failure")

    def snapshot(self, text: str) -> str:
        """A snapshot, naming copies: in its values, and where an output stands in another row."""
        text = self.text(text)
        if not _REFERENCE.search(text):
            return text
        parts = values.split_object(text)
        outputs = values.split_object(parts["outputs"])
        renamed = {name: self._reference(entry) for name, entry in outputs.items()}
        return values.join_object({**parts, "outputs": values.join_object(renamed)})

    def _reference(self, entry: str) -> str:
        if not entry.startswith('"'):
            return entry
        owner, _, seq = entry.strip('"').rpartition(":")
        known = UUID(owner)
        return values.quote(f"{self.ids.get(known, known).hex}:{seq}")
