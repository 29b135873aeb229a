"""The database and the settings: tables, indexes, PostgreSQL's own settings, and system checks.

Settings are asked for, none is changed: what to change stands in each finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.apps import apps
from django.core import checks
from django.core.checks.registry import registry
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from ..conf import settings
from ..figures import Capped
from .finding import ERROR, INFO, WARNING, Finding, Place, places
from .ward import Ward
from .wording import length, many, named

APP: Final = "durable_django"
OPEN_LONG_SECONDS: Final = 600
# Setting, values that hurt, how grave that is.
HURTS: Final = (
    ("fsync", ("off",), ERROR),
    ("full_page_writes", ("off",), ERROR),
    ("synchronous_commit", ("off",), WARNING),
    ("autovacuum", ("off",), WARNING),
    ("track_counts", ("off",), WARNING),
    ("default_transaction_isolation", ("repeatable read", "serializable"), WARNING),
)
# One that is not valid, since building it was broken off, is not used either.
_INDEXES: Final = {
    "postgresql": (
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE i.indisvalid AND pg_table_is_visible(i.indrelid)"
    ),
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
}


def examine_tables() -> Iterator[Finding]:
    """Whether the tables are there, as this version needs them."""
    executor = MigrationExecutor(connections[settings.DATABASE])
    ours = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    missing = [migration.name for migration, _back in executor.migration_plan(ours)]
    if missing:
        yield Finding(
            code="tables_missing",
            severity=ERROR,
            title=_("Migrations are not applied: %(number)s")
            % {"number": many(Capped(len(missing)))},
            what=_(
                "Tables or columns that this version needs are missing; nothing else was asked."
            ),
            todo=_("Run: manage.py migrate --database %(alias)s") % {"alias": settings.DATABASE},
            where=places("table", missing),
            number=Capped(len(missing)),
        )


def examine(ward: Ward) -> Iterator[Finding]:
    """Indexes, PostgreSQL, then what ``manage.py check`` says of us."""
    yield from _indexes()
    if connections[settings.DATABASE].vendor == "postgresql":
        yield from _settings()
        yield from _open_for_long()
    yield from _checks()


def _indexes() -> Iterator[Finding]:
    statement = _INDEXES.get(connections[settings.DATABASE].vendor)
    if statement is None:
        return
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(statement)
        there = {name for (name,) in cursor.fetchall()}
    models = [model for model in apps.get_app_config(APP).get_models() if not model._meta.proxy]
    wanted = {index.name for model in models for index in model._meta.indexes}
    missing = sorted(wanted - there)
    if missing:
        yield Finding(
            code="indexes_missing",
            severity=ERROR,
            title=_("Indexes are missing: %(number)s") % {"number": many(Capped(len(missing)))},
            what=_(
                "Somebody has dropped them, or building them has failed: what they are for reads "
                "whole tables instead."
            ),
            todo=_(
                "Make them again as manage.py sqlmigrate durable_django 0001 prints them; on "
                "PostgreSQL with CREATE INDEX CONCURRENTLY, while workers go on."
            ),
            where=places("index", missing),
            number=Capped(len(missing)),
        )


def _settings() -> Iterator[Finding]:
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
            [[name for name, _values, _severity in HURTS]],
        )
        found = dict(cursor.fetchall())
    why = _why_it_hurts()
    for name, values, severity in HURTS:
        if found.get(name) in values:
            yield Finding(
                code="postgresql_setting",
                subject=name,
                severity=severity,
                title=_("PostgreSQL runs with %(name)s = %(value)s")
                % {"name": name, "value": found[name]},
                what=why[name],
                todo=_("Set it back to its default, in postgresql.conf or for the role."),
                where=(Place("setting", name),),
            )


def _why_it_hurts() -> dict[str, str]:
    loses = _("A crash of the host may lose or break what was committed: runs, too.")
    grows = _("Rows that were changed are never cleared away: tables and indexes grow, and slow.")
    return {
        "fsync": loses,
        "full_page_writes": loses,
        "synchronous_commit": _(
            "A crash of the database may lose the last commits it acknowledged: steps that "
            "completed would be run again."
        ),
        "autovacuum": grows,
        "track_counts": grows,
        "default_transaction_isolation": _(
            "Transitions are made for read committed: under this one they fail and are repeated."
        ),
    }


def _open_for_long() -> Iterator[Finding]:
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start) "
            "FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
            "AND xact_start < clock_timestamp() - make_interval(secs => %s) ORDER BY xact_start",
            [OPEN_LONG_SECONDS],
        )
        found = cursor.fetchall()
    if found:
        pid, name, seconds = found[0]
        oldest = _("The oldest is open for %(time)s: process %(pid)d of the database, %(name)s.")
        yield Finding(
            code="open_for_long",
            severity=WARNING,
            title=_("Transactions are open for long: %(number)s")
            % {"number": many(Capped(len(found)))},
            what=oldest % {"time": length(float(seconds)), "pid": pid, "name": named(name or "?")}
            + " "
            + _("What it has locked is waited for, and no row that changed since is cleared away."),
            todo=_(
                "End it, if nobody needs it: SELECT pg_terminate_backend(%(pid)d). Set "
                "idle_in_transaction_session_timeout."
            )
            % {"pid": pid},
            where=places("process", [pid for pid, _name, _seconds in found]),
            number=Capped(len(found)),
        )


def _checks() -> Iterator[Finding]:
    """Our own system checks, the database's with them, but for those that are silenced."""
    for check in registry.get_checks():
        if not check.__module__.startswith(f"{APP}."):
            continue
        for message in check(app_configs=None, databases=[settings.DATABASE]):
            if not message.is_silenced():
                yield _of_check(message)


def _of_check(message: checks.CheckMessage) -> Finding:
    where = str(message.obj) if message.obj is not None else ""
    severity = INFO
    if message.level >= checks.WARNING:
        severity = ERROR if message.level >= checks.ERROR else WARNING
    return Finding(
        code="check",
        subject=f"{message.id} {where}".strip(),
        severity=severity,
        title=_("System check %(id)s") % {"id": message.id},
        what=str(message.msg),
        todo=str(message.hint or ""),
        where=(Place("workflow", where),) if where else (),
    )
