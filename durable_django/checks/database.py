"""Checks of the database ``DURABLE["DATABASE"]`` names: alias, routers, driver, SQLite's modes.

Django runs them with ``databases`` where it is about to use these (``migrate``, ``check
--database``); only then is one opened. Otherwise they judge ``DATABASES`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ..definition.spelling import did_you_mean
from .values import valid

ROUTER = "durable_django.routers.DurableRouter"
DUMMY = "django.db.backends.dummy"

WAL_COMMAND = re.compile(r"\bjournal_mode\s*(?:=|\()\s*['\"]?wal\b", re.IGNORECASE)
# What Django calls a test database in memory; the test drives its workflows in its own threads.
TEST_DATABASE = "file:memorydb_"


def check_database(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E007 to E010 and W002 to W005: the database where all tables of durable_django live."""
    alias = valid("DATABASE")
    if alias is None:
        return []
    if alias not in connections or connections.settings[alias]["ENGINE"] == DUMMY:
        return [_no_such_alias(alias)]
    connection = connections[alias]
    return [
        *_check_routers(alias),
        *_check_autocommit(connection),
        *_check_vendor(connection),
        *_check_sqlite(connection, may_open=alias in (databases or ())),
    ]


def _no_such_alias(alias: str) -> CheckMessage:
    known = [name for name in connections if connections.settings[name]["ENGINE"] != DUMMY]
    return Error(
        f'DURABLE["DATABASE"] is "{alias}", and DATABASES has no such database'
        f"{did_you_mean(alias, known) or '.'}",
        hint=f"DATABASES has {', '.join(known) or 'none'}.",
        id="durable_django.E007",
    )


def _check_routers(alias: str) -> Iterator[CheckMessage]:
    """Asks the routers themselves, so that a project's own router is as good as ours."""
    models = list(apps.get_app_config("durable_django").get_models())
    written = sorted({router.db_for_write(model) for model in models} - {alias})
    refused = [model for model in models if not router.allow_migrate_model(alias, model)]
    if written:
        fault = f'but the database routers send them to "{written[0]}"'
    elif refused:
        fault = f"but a database router does not let migrate create {refused[0]._meta.label} there"
    else:
        return
    yield Error(
        f'All tables of durable_django live in "{alias}" (DURABLE["DATABASE"]), {fault}.',
        hint=f'Put "{ROUTER}" first in DATABASE_ROUTERS.',
        id="durable_django.E008",
    )


def _check_autocommit(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    if connection.settings_dict["AUTOCOMMIT"]:
        return
    yield Error(
        f'DATABASES["{connection.alias}"] has AUTOCOMMIT turned off: each step would leave a '
        "transaction open, and fail for it.",
        hint='Leave "AUTOCOMMIT" out; transaction.atomic() makes transactions where wanted.',
        id="durable_django.E010",
    )


def _check_vendor(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql import psycopg_any

        if not psycopg_any.is_psycopg3:
            yield Error(
                f'DATABASES["{connection.alias}"] is used through psycopg2; durable_django needs '
                "psycopg 3.",
                hint="Install psycopg[binary]; Django prefers it as soon as it can be imported.",
                id="durable_django.E009",
            )
    elif connection.vendor != "sqlite":
        yield Warning(
            f"durable_django is tested on PostgreSQL and SQLite, not on {connection.display_name}.",
            hint='Give its tables a PostgreSQL database of their own with DURABLE["DATABASE"].',
            id="durable_django.W002",
        )


def _check_sqlite(connection: Any, may_open: bool) -> Iterator[CheckMessage]:
    if connection.vendor != "sqlite":
        return
    if connection.is_in_memory_db():
        yield from _check_memory(connection)
        return
    where = f'DATABASES["{connection.alias}"]["OPTIONS"]'
    options = connection.settings_dict["OPTIONS"]
    if str(options.get("transaction_mode")).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield Warning(
            f"{where} does not begin SQLite's transactions with IMMEDIATE: one that first reads, "
            'then writes, fails with "database is locked" while a worker writes, whatever its '
            "timeout.",
            hint=f'{where}["transaction_mode"] = "IMMEDIATE"',
            id="durable_django.W003",
        )
    fault = _journal_fault(connection, may_open)
    if fault:
        yield Warning(
            f"{fault}: readers and writers of SQLite wait for each other, and commits wait for the "
            "disk more often.",
            hint=f'{where}["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"',
            id="durable_django.W004",
        )


def _check_memory(connection: Any) -> Iterator[CheckMessage]:
    if str(connection.settings_dict["NAME"]).startswith(TEST_DATABASE):
        return
    yield Warning(
        f'DATABASES["{connection.alias}"] is in memory: durable_worker, another process, cannot '
        "see what is started there.",
        hint="Use a file, or PostgreSQL.",
        id="durable_django.W005",
    )


def _journal_fault(connection: BaseDatabaseWrapper, may_open: bool) -> str | None:
    """What is wrong with the journal, or None.

    The mode is a property of the file, but a file can be new tomorrow: OPTIONS should say it. The
    file's header would tell without opening the database, and must not be read: closing a second
    descriptor of a file takes away the locks that SQLite holds on it in this process.
    """
    if may_open:
        try:
            mode = _journal_mode(connection)
        except DatabaseError:
            return None  # it cannot be opened, which whoever needs it will tell
        return None if mode == "wal" else f"The journal's mode is {mode.upper()}, not WAL"
    if WAL_COMMAND.search(str(connection.settings_dict["OPTIONS"].get("init_command", ""))):
        return None
    return f'DATABASES["{connection.alias}"]["OPTIONS"] does not set the journal\'s mode to WAL'


def _journal_mode(connection: BaseDatabaseWrapper) -> str:
    was_closed = connection.connection is None
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            return str(cursor.fetchone()[0]).lower()
    finally:
        if was_closed:
            connection.close()
