"""The workflows that runs have, whether code knows them or not, and those that workers tell of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import connections

from ..conf import settings
from .execution import Execution

_TABLE: Final = Execution._meta.db_table


def names_of_runs() -> list[str]:
    """Sorted, by one look into the index for each; DISTINCT would read all of it."""
    first = f"SELECT workflow_name FROM \"{_TABLE}\" WHERE kind = 'workflow'"
    last = "ORDER BY workflow_name LIMIT 1"
    sql = (
        f"WITH RECURSIVE known(name) AS (SELECT * FROM ({first} {last}) AS a UNION ALL "
        f"SELECT ({first} AND workflow_name > known.name {last}) FROM known "
        "WHERE known.name IS NOT NULL) SELECT name FROM known WHERE name IS NOT NULL"
    )
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()]


def names_told(told: Iterable[Iterable[str]]) -> frozenset[str]:
    """The names in what workers tell of their workflows, as it stands in ``Worker.workflows``.

    >>> sorted(names_told([["ship v1", "ship v2"], ["pack v1"]]))
    ['pack', 'ship']
    """
    return frozenset(str(each).rpartition(" v")[0] for workflows in told for each in workflows)
