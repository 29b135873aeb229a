"""Search in the list of executions: by id or its beginning, workflow, tag, idempotency key."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.text import smart_split, unescape_string_literal

from ..conf import settings
from ..definition import registry
from ..models import Execution, WorkflowDefinition
from ..models.names import names_of_runs
from ..showing.keyset import (
    Bounds,
    Cursor,
    Way,
    by_tag,
    directly,
    read_page,
    ways_by_workflow,
)
from ..showing.tagging import tag_matches

# 24 of the 48 bits of time in an id are four and a half hours; fewer digits would find everything.
ID_DIGITS_MIN = 6
WORDS_MAX = 5
_ID = re.compile(r"[0-9a-f]{1,32}\Z")


class Meaning(NamedTuple):
    """What a word may mean, and the ways to find that quickly."""

    condition: Q
    ways: list[Way]


def search(
    rows: QuerySet[Execution], text: str, request: Any = None
) -> tuple[QuerySet[Execution], list[Way]]:
    """``rows`` that every word of ``text`` is found in, and the ways to find them; quotes keep
    words together. One that begins the id of a run, or is its idempotency key, means that run."""
    words = [_unquoted(word) for word in smart_split(text)][:WORDS_MAX]
    names = workflow_names(request) if words else []
    meanings = [_meaning(rows, word, names) for word in words]
    for meaning in meanings:
        rows = rows.filter(meaning.condition)
    return rows, min((meaning.ways for meaning in meanings), key=len, default=[])


def workflow_names(request: Any = None) -> list[str]:
    """The workflows known here, recorded by a worker, or of which there are runs; read once for a
    request."""
    kept: list[str] | None = getattr(request, "durable_workflow_names", None)
    if kept is not None:
        return kept
    rows = WorkflowDefinition.objects.using(settings.DATABASE).order_by()
    stored = rows.values_list("name", flat=True)
    known = (cls.definition.name for cls in registry.all())
    names = sorted({*stored, *known, *names_of_runs()})
    if request is not None:
        request.durable_workflow_names = names
    return names


def _unquoted(word: str) -> str:
    quoted = len(word) > 1 and word[0] in "\"'" and word[0] == word[-1]
    return str(unescape_string_literal(word)) if quoted else word


def _meaning(rows: QuerySet[Execution], word: str, names: list[str]) -> Meaning:
    """Ids and keys have an index, and are looked for first."""
    ids = id_range(word)
    if ids is not None:
        begins = Q(id__gte=ids[0], id__lte=ids[1])
        ways = ways_by_workflow(names, Bounds(*ids))
        if read_page(rows.filter(begins), ways, Cursor(), 1).ids:
            return Meaning(begins, ways)
    has_key = Q(workflow_name__in=names, idempotency_key=word)
    if "\0" not in word and rows.filter(has_key).exists():
        return Meaning(has_key, directly())
    if word in names:
        return Meaning(Q(workflow_name=word), ways_by_workflow([word]))
    folded = word.casefold()
    # As a list of names, not as LIKE: that can use the index.
    found = [name for name in names if folded in name.casefold()]
    tagged = tag_matches(word)
    ways = [*ways_by_workflow(found), by_tag(tagged)]
    return Meaning(Q(workflow_name__in=found) | tagged, ways)


def id_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id that begin like ``text``; None if it cannot be the beginning of one.

    >>> id_range("0199c1aa-7")[0]
    UUID('0199c1aa-7000-0000-0000-000000000000')
    """
    digits = text.replace("-", "").lower()
    if len(digits) < ID_DIGITS_MIN or not _ID.match(digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
