"""Pages of a list of runs by id: the newest first, each found where the one before it ended.

Nothing is counted and nothing is skipped over. Strands are neighbours of runs by id, a million of
them perhaps, so that the key itself would be a slow way: each workflow has its runs in order in an
index, as has each status but a few, and the first of each are merged. It only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from ..conf import settings
from ..models import Execution, ExecutionStatus
from ..models.lookups import adapt_id
from ..models.rare import rare_only, tagged_only

OLDER: Final = "before"
NEWER: Final = "after"
# A statement has so many parts at most (SQLite takes 500).
PARTS_MAX: Final = 100
_TABLE: Final = Execution._meta.db_table
# Literals: with parameters SQLite uses no partial index.
_IS_RUN: Final = f'"{_TABLE}"."kind" = \'workflow\''
_READY: Final = (
    f"\"{_TABLE}\".\"status\" IN ('pending', 'compensating') "
    f'AND "{_TABLE}"."worker_id" IS NULL AND "{_TABLE}"."wake_at" IS NULL'
)
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


class Bounds(NamedTuple):
    """The least and the greatest id to look at."""

    low: UUID = _FIRST
    high: UUID = _LAST


EVERYTHING: Final = Bounds()


class Way(NamedTuple):
    """How to find a part of the runs: a condition, and the column that is the same for all of them
    where an index has them in order of their ids behind it."""

    narrow: Callable[[QuerySet[Execution], Bounds], QuerySet[Execution]]
    column: str = ""


class Cursor(NamedTuple):
    """Where a page begins: behind an id, or before one; at the newest run if both are None."""

    older_than: UUID | None = None
    newer_than: UUID | None = None

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Cursor:
        """The one that an address asks for. ValueError for what is none."""
        older, newer = (UUID(str(query[k])) if query.get(k) else None for k in (OLDER, NEWER))
        return cls(older, None if older else newer)


class Page(NamedTuple):
    """The ids of a page, the newest first, and whether there are others on either side."""

    ids: list[UUID]
    has_newer: bool
    has_older: bool


def read_page(runs: QuerySet[Execution], ways: list[Way], cursor: Cursor, size: int) -> Page:
    """A page of ``runs``. Each of the ``ways`` finds a part of them, all together all of them."""
    backwards = cursor.newer_than is not None
    if cursor.older_than is not None:
        runs = runs.filter(id__lt=cursor.older_than)
    if backwards:
        runs = runs.filter(id__gt=cursor.newer_than)
    bounds = Bounds(cursor.newer_than or _FIRST, cursor.older_than or _LAST)
    parts = []
    for way in ways:
        # By an index that has them in order, or by one that has not and a sort: never by the key,
        # past all strands. No index knows this expression.
        order = [way.column, "id"] if way.column else [Coalesce("id", "id")]
        parts.append(_ordered(way.narrow(runs, bounds), order, backwards)[: size + 1])
    ids = sorted(_ids(parts), reverse=not backwards)
    more, ids = len(ids) > size, ids[:size]
    if backwards:
        return Page(ids[::-1], more, True)
    return Page(ids, cursor.older_than is not None, more)


def ways_by_status(statuses: Iterable[str]) -> list[Way]:
    """A way for each status that is not ``completed``: quick, however rare it is."""
    return [_by_status(status) for status in sorted(statuses)]


def _by_status(status: str) -> Way:
    if status == ExecutionStatus.RUNNING:
        return Way(lambda runs, _bounds: runs.filter(status=status, worker__isnull=False))
    if status == ExecutionStatus.PENDING:
        return Way(lambda runs, _bounds: runs.filter(_sql(_READY), status=status))
    return Way(
        lambda runs, bounds: rare_only(runs).filter(_between("status", status, bounds)), "status"
    )


def ways_by_workflow(names: Iterable[str], bounds: Bounds = EVERYTHING) -> list[Way]:
    """A way for each workflow; ``bounds`` are of the ids that are looked for at all."""
    return [_by_workflow(name, bounds) for name in names]


def _by_workflow(name: str, most: Bounds) -> Way:
    def narrow(runs: QuerySet[Execution], bounds: Bounds) -> QuerySet[Execution]:
        both = Bounds(max(bounds.low, most.low), min(bounds.high, most.high))
        return runs.filter(_sql(_IS_RUN), _between("workflow_name", name, both))

    return Way(narrow, "workflow_name")


def by_parent(parent: str) -> Way:
    """The way for the runs that a run has started. Nothing for what is no id."""
    try:
        key = adapt_id(UUID(parent), settings.DATABASE)
    except ValueError:
        return Way(lambda runs, _bounds: runs.none())
    return Way(lambda runs, bounds: runs.filter(_between("parent_id", key, bounds)), "parent_id")


def directly() -> list[Way]:
    """The way for runs that are few."""
    return [Way(lambda runs, _bounds: runs)]


def by_tag(matching: Q) -> Way:
    """The way for runs with tags that match."""
    return Way(lambda runs, _bounds: tagged_only(runs).filter(matching))


def _between(column: str, value: Any, bounds: Bounds) -> Any:
    """``column = value`` and an id between two, said as a range of pairs: that only the index over
    both has in order. As an equality PostgreSQL would rather walk the key, past all strands."""
    pair = f'("{_TABLE}"."{column}", "{_TABLE}"."id")'
    using = settings.DATABASE
    values = [value, adapt_id(bounds.low, using), value, adapt_id(bounds.high, using)]
    return _sql(f"{pair} >= (%s, %s) AND {pair} <= (%s, %s)", values)


def _ordered(runs: QuerySet[Execution], columns: list[Any], backwards: bool) -> QuerySet[Execution]:
    keys = [F(column) if isinstance(column, str) else column for column in columns]
    return runs.order_by(*(key.asc() if backwards else key.desc() for key in keys))


def _sql(condition: str, values: Iterable[Any] = ()) -> Any:
    return RawSQL(condition, tuple(values), output_field=BooleanField())


def _ids(parts: list[QuerySet[Execution]]) -> Iterable[UUID]:
    """The ids of all parts, in one statement for each hundred of them."""
    using = connections[settings.DATABASE]
    statements = []
    for part in parts:
        try:
            statements.append(part.values("id").query.get_compiler(connection=using).as_sql())
        except EmptyResultSet:  # a filter that nothing can pass
            continue
    found: set[UUID] = set()
    for begin in range(0, len(statements), PARTS_MAX):
        some = statements[begin : begin + PARTS_MAX]
        sql = " UNION ALL ".join(f"SELECT * FROM ({text}) AS part" for text, _ in some)
        with using.cursor() as cursor:
            cursor.execute(sql, [value for _, values in some for value in values])
            found.update(UUID(str(row[0])) for row in cursor.fetchall())
    return found
