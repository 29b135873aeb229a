"""From what people type to the run they mean: a whole id, or a prefix that only one run has.

A prefix is a range of the primary key, so that it costs the same whatever there is.
"""

from __future__ import annotations

import string
from typing import Final
from uuid import UUID

from ..conf import settings
from ..models import Execution
from ..models.execution import ExecutionKind
from ..showing.spoken import relative
from ..showing.visible import visible
from ..store import clock
from .command import AMBIGUOUS, NOT_FOUND, Refused

LISTED_MAX: Final = 5
_DIGITS: Final = 32


def find_execution(text: str) -> Execution:
    """The run with this id, or with an id that begins so; hyphens and case do not matter.

    Refused: NOT_FOUND where there is none, AMBIGUOUS, listing a few, where there are several.

    >>> find_execution("0199a3")  # doctest: +SKIP
    <Execution: process_order 0199a3c2-...>
    """
    first, last = range_of(text)
    rows = Execution.objects.using(settings.DATABASE).filter(pk__gte=first, pk__lte=last)
    found = list(rows.filter(kind=ExecutionKind.WORKFLOW).order_by("-pk")[: LISTED_MAX + 1])
    if not found:
        raise Refused(_missing(text, rows.order_by("pk").first()), NOT_FOUND)
    if len(found) > 1:
        raise Refused(_several(text, found), AMBIGUOUS)
    return found[0]


def range_of(text: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin so. Refused for what no id begins with.

    >>> [str(each)[:13] for each in range_of("0199-a")]
    ['0199a000-0000', '0199afff-ffff']
    """
    digits = text.strip().replace("-", "").lower()
    if not digits or len(digits) > _DIGITS or set(digits) - set(string.hexdigits):
        raise Refused(
            f"{visible(text)[:80]!r} is not the id of a run, nor its beginning", NOT_FOUND
        )
    return UUID(hex=digits.ljust(_DIGITS, "0")), UUID(hex=digits.ljust(_DIGITS, "f"))


def _missing(text: str, strand: Execution | None) -> str:
    if strand is None:
        return f"no run has an id that begins with {text}"
    return f"{strand.pk} is not a run but a member of one: {strand.root_id}"


def _several(text: str, found: list[Execution]) -> str:
    now = clock.now()
    listed = [
        f"  {run.pk}  {visible(run.workflow_name)}, {run.status}, "
        f"created {relative(run.created_at, now)}"
        for run in found[:LISTED_MAX]
    ]
    more = ["  …"] if len(found) > LISTED_MAX else []
    return "\n".join([f"more than one run has an id that begins with {text}:", *listed, *more])
