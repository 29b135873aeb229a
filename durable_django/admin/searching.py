"""Search in the list of executions: by id or its beginning, workflow, tag, idempotency key."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.text import smart_split, unescape_string_literal

from ..conf import settings
from ..definition import registry
from ..models import Execution, WorkflowDefinition

# 24 of the 48 bits of time in an id are four and a half hours; fewer digits would find everything.
ID_DIGITS_MIN = 6
_ID = re.compile(r"[0-9a-f]{1,32}\Z")


def search(rows: QuerySet[Execution], text: str) -> QuerySet[Execution]:
    """``rows`` that every word of ``text`` is found in; quotes keep words together."""
    words = [_unquoted(word) for word in smart_split(text)]
    if not words:
        return rows
    names = workflow_names()
    for word in words:
        rows = rows.filter(_matches(word, names))
    return rows


def workflow_names() -> list[str]:
    """The workflows known here or recorded by a worker; not read off the runs, which are many."""
    rows = WorkflowDefinition.objects.using(settings.DATABASE).order_by()
    stored = rows.values_list("name", flat=True)
    return sorted({*stored, *(cls.definition.name for cls in registry.all())})


def _unquoted(word: str) -> str:
    quoted = len(word) > 1 and word[0] in "\"'" and word[0] == word[-1]
    return str(unescape_string_literal(word)) if quoted else word


def _matches(word: str, names: list[str]) -> Q:
    folded = word.casefold()
    # As a list of names, not as LIKE: that can use the index.
    found = Q(workflow_name__in=[word, *(name for name in names if folded in name.casefold())])
    found |= Q(idempotency_key=word) | Q(tags__tagged=[word])
    for pair in _pairs(word):
        found |= Q(tags__tagged=pair)
    ids = id_range(word)
    return found if ids is None else found | Q(id__gte=ids[0], id__lte=ids[1])


def id_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id that begin like ``text``; None if it cannot be the beginning of one.

    >>> id_range("0199c1aa-7")[0]
    UUID('0199c1aa-7000-0000-0000-000000000000')
    """
    digits = text.replace("-", "").lower()
    if len(digits) < ID_DIGITS_MIN or not _ID.match(digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _pairs(word: str) -> list[dict[str, Any]]:
    """``customer=42`` as the tags it may mean: with the text "42" and with the number."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        return []
    pairs: list[dict[str, Any]] = [{name: text}]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return pairs
    if (
        value is None
        or isinstance(value, bool | int)
        or (isinstance(value, float) and value - value == 0)
    ):
        pairs.append({name: value})
    return pairs
