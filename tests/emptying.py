"""Empties the tables after a test on real transactions, in place of Django's `flush`.

That one asks 24 transactions to make permissions and content types again, which no test takes away,
and deletes from every table there is. This one looks which tables have rows, in one statement, and
deletes those rows in one transaction. It may not leave a row that migrating a new database does not
make, and leaves the sequences as they stand, as Django does.
"""

from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.test import TransactionTestCase

# What post_migrate makes: kept, and made again only when a test has changed how much there is.
KEPT = ("django_content_type", "auth_permission")


class Emptying:
    """Stands in for `TransactionTestCase._fixture_teardown`; made once for a database."""

    def __init__(self) -> None:
        tables = connection.introspection.django_table_names(only_existing=True)
        self._tables = sorted({*tables} - {*KEPT})
        self._kept = self._count()
        self._query = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})"
            for table in self._tables
        )

    def __call__(self, case: TransactionTestCase) -> None:
        if case.available_apps is not None or case.serialized_rollback:
            raise NotImplementedError("Only a plain test on transactions is cleaned up after.")
        filled = self._rows(self._query)
        with transaction.atomic(), connection.cursor() as cursor:
            for (table,) in filled:
                cursor.execute(f"DELETE FROM {quoted(table)}")
        if self._count() != self._kept:
            call_command("flush", verbosity=0, interactive=False, database=DEFAULT_DB_ALIAS)

    def _count(self) -> list[tuple[Any, ...]]:
        return self._rows(
            "SELECT " + ", ".join(f"(SELECT COUNT(*) FROM {quoted(table)})" for table in KEPT)
        )

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())


def quoted(table: str) -> str:
    return connection.ops.quote_name(table)
