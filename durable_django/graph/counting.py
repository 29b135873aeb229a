"""Counting in the database: the expressions and statements with which a run's rows become counts.

Paths are taken apart there, with what either database has for it. Statements only; who runs them is
`reading`.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Func, TextField

from ..models import Execution
from ..models.members import strands_below

_TABLE: Final = f'"{Execution._meta.db_table}"'


class NodeName(Func):
    """The node a path leads to, as `engine.paths.node_name` has it: ``route#2/polling[3]`` ->
    ``polling``. SQLite finds the last slash by trimming all other letters off the end."""

    output_field = TextField()
    arity = 1

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        path, params = compiler.compile(self.source_expressions[0])
        text = name_of(path, connection.vendor)
        return text, tuple(params) * text.count(path)


def name_of(path: str, vendor: str) -> str:
    """The SQL for the node that the column ``path`` leads to."""
    if vendor == "postgresql":
        return f"split_part(split_part(split_part({path}, '/', -1), '[', 1), '#', 1)"
    last = f"substr({path}, length(rtrim({path}, replace({path}, '/', ''))) + 1)"
    for sign in "[#":
        last = f"substr({last}, 1, instr({last} || '{sign}', '{sign}') - 1)"
    return last


def members(vendor: str, *, nested: bool) -> str:
    """The ids of the strands of a row: parameters are its id and how many at the most. ``nested``:
    those of its strands, too. The limit stands behind the recursion, which ends with it."""
    return f"{_strands('id', vendor, nested)}SELECT id FROM member LIMIT %s"


def member_counts(vendor: str, *, nested: bool) -> str:
    """How many strands of a row have each status: (node, whether it is an item of a foreach,
    status, whether it is held back, number)."""
    columns = "id, path, status, held_back"
    return (
        f"{_strands(columns, vendor, nested)}"
        f"SELECT {name_of('path', vendor)} AS name, path LIKE '%%]' AS item, status, held_back, "
        f"count(*) FROM (SELECT {columns} FROM member LIMIT %s) AS counted GROUP BY 1, 2, 3, 4"
    )


def _strands(columns: str, vendor: str, nested: bool) -> str:
    own = f"SELECT {columns} FROM {_TABLE} WHERE parent_id = %s AND kind = 'strand'"
    if not nested:
        return f"WITH member AS ({own}) "
    return (
        f"WITH RECURSIVE member({columns}) AS ({own} UNION ALL {strands_below(columns, vendor)}) "
    )
