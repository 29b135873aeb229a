"""Rare: finding the few runs among millions that are neither waiting for a worker, nor in the hands
of one, nor completed; and those that carry tags. Conditions of indexes, and of queries that use
them.

A start, a claim and an end write none of these indexes. SQLite uses a partial index only where its
condition stands in the query word by word, so it is literal SQL here; PostgreSQL proves it.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Columns, Statement, Table
from django.db.models.expressions import RawSQL

from .status import ExecutionStatus

COMMON: Final = (
    ExecutionStatus.PENDING.value,
    ExecutionStatus.RUNNING.value,
    ExecutionStatus.COMPLETED.value,
)
RARE: Final = tuple(status for status in ExecutionStatus.values if status not in COMMON)

_TABLE: Final = '"durable_django_execution"'
_NAMES: Final = ", ".join(f"'{status}'" for status in RARE)
_RARE: Final = f"""{_TABLE}."kind" = 'workflow' AND {_TABLE}."status" IN ({_NAMES})"""
_TAGGED: Final = f"""{_TABLE}."tags" <> '[]'"""

Rows = TypeVar("Rows", bound="models.QuerySet[Any]")


def rare_only(rows: Rows) -> Rows:
    """Of executions only runs in one of the ``RARE`` statuses, by an index on (status, id)."""
    return rows.filter(RawSQL(_RARE, [], output_field=models.BooleanField()))


def tagged_only(rows: Rows) -> Rows:
    """Of executions only those that carry tags: by an index on tags, or on the id, of those."""
    return rows.filter(RawSQL(_TAGGED, [], output_field=models.BooleanField()))


class TagsIndex(models.Index):
    """Of those that carry tags: a GIN index on PostgreSQL, elsewhere one on their ids.

    Untagged runs write nothing to it.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        table, quote = model._meta.db_table, schema_editor.quote_name
        # References, not names: SQLite makes its tables anew under another name.
        return Statement(
            f"CREATE INDEX %(name)s ON %(table)s {'USING gin ' if is_postgresql else ''}"
            "(%(columns)s) WHERE %(tags)s <> '[]'",
            name=quote(self.name),
            table=Table(table, quote),
            columns=Columns(table, ["tags" if is_postgresql else "id"], quote),
            tags=Columns(table, ["tags"], quote),
        )
