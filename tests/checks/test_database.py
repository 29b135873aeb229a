"""The checks of the database: none opens it unless Django names it."""

import pytest
from django.db.backends.postgresql import psycopg_any
from django.db.utils import ConnectionHandler
from django.test import override_settings

from durable_django.checks import check_database, database
from tests.checks.telling import ids, told

POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
GOOD_OPTIONS = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}


@pytest.fixture
def use_databases(monkeypatch):
    """Makes the checks see other DATABASES; nothing else does."""

    def use(**configs):
        handler = ConnectionHandler(configs)
        monkeypatch.setattr(database, "connections", handler)
        return handler

    return use


@pytest.fixture
def sqlite(use_databases, tmp_path):
    """What the checks say of a SQLite file with these OPTIONS."""

    def check(databases=None, name=tmp_path / "a b.sqlite3", **options):
        config = {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}
        handler = use_databases(default=config)
        try:
            return check_database(databases=databases)
        finally:
            assert handler["default"].connection is None
            handler.close_all()

    return check


def test_a_database_that_is_missing_is_told_with_what_was_meant(use_databases):
    use_databases(default={}, durable=POSTGRESQL)
    (message,) = told(check_database, DATABASE="durabel")
    assert ids([message]) == ["E007"]
    assert 'did you mean "durable"?' in message.msg
    assert message.hint == "DATABASES has durable."


def test_no_database_at_all_is_told(use_databases):
    use_databases()
    assert ids(check_database()) == ["E007"]


def test_a_wrong_alias_is_told_once():
    assert told(check_database, DATABASE=None) == []


def test_another_database_without_a_router_is_told(use_databases):
    use_databases(default=POSTGRESQL, durable=POSTGRESQL)
    (message,) = told(check_database, DATABASE="durable")
    assert ids([message]) == ["E008"]
    assert '"default"' in message.msg
    assert '"durable_django.routers.DurableRouter" first' in message.hint


@override_settings(DATABASE_ROUTERS=["durable_django.routers.DurableRouter"])
def test_another_database_with_the_router_is_right(use_databases):
    use_databases(default=POSTGRESQL, durable=POSTGRESQL)
    assert told(check_database, DATABASE="durable") == []
    assert told(check_database) == []


class Elsewhere:
    """A project's router that keeps everything in one other database."""

    def db_for_write(self, model, **hints):
        return "legacy"


class NoTables:
    """A project's router that lets nobody make tables."""

    def allow_migrate(self, db, app_label, **hints):
        return False


@override_settings(DATABASE_ROUTERS=["tests.checks.test_database.Elsewhere"])
def test_a_router_that_takes_the_tables_elsewhere_is_told(use_databases):
    use_databases(default=POSTGRESQL)
    (message,) = check_database()
    assert ids([message]) == ["E008"]
    assert '"legacy"' in message.msg


@override_settings(
    DATABASE_ROUTERS=[
        "tests.checks.test_database.Elsewhere",
        "durable_django.routers.DurableRouter",
    ]
)
def test_a_router_before_ours_is_told(use_databases):
    use_databases(default=POSTGRESQL)
    assert ids(check_database()) == ["E008"]


@override_settings(DATABASE_ROUTERS=["tests.checks.test_database.NoTables"])
def test_a_router_that_makes_no_tables_is_told(use_databases):
    use_databases(default=POSTGRESQL)
    (message,) = check_database()
    assert ids([message]) == ["E008"]
    assert "migrate" in message.msg


def test_postgresql_is_right_without_being_opened(use_databases):
    handler = use_databases(default=POSTGRESQL)
    assert check_database(databases=["default"]) == []
    assert handler["default"].connection is None


def test_psycopg2_is_told(use_databases, monkeypatch):
    use_databases(default=POSTGRESQL)
    monkeypatch.setattr(psycopg_any, "is_psycopg3", False)
    assert ids(check_database()) == ["E009"]


def test_requests_in_transactions_are_right(use_databases):
    use_databases(default={**POSTGRESQL, "ATOMIC_REQUESTS": True})
    assert check_database() == []


def test_a_database_without_autocommit_is_told(use_databases):
    use_databases(default={**POSTGRESQL, "AUTOCOMMIT": False})
    assert ids(check_database()) == ["E010"]


def test_a_database_that_nobody_tested_is_warned_of(use_databases, monkeypatch):
    connection = use_databases(default=POSTGRESQL)["default"]
    monkeypatch.setattr(connection, "vendor", "oracle")
    monkeypatch.setattr(connection, "display_name", "Oracle")
    (message,) = check_database()
    assert ids([message]) == ["W002"]
    assert "Oracle" in message.msg


# SQLite


def test_sqlite_as_a_new_project_has_it_is_warned_of(sqlite):
    assert ids(sqlite()) == ["W003", "W004"]


@pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
@pytest.mark.parametrize(
    "command",
    [
        "PRAGMA journal_mode=WAL",
        "PRAGMA foreign_keys=ON; pragma journal_mode = 'wal';",
        "PRAGMA journal_mode(WAL)",
        "PRAGMA main.journal_mode=wal",
    ],
)
def test_sqlite_with_both_modes_is_right_without_being_opened(sqlite, tmp_path, mode, command):
    assert sqlite(transaction_mode=mode, init_command=command) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [None, "DEFERRED", "deferred"])
def test_transactions_that_are_not_immediate_are_warned_of(sqlite, mode):
    assert ids(sqlite(**{**GOOD_OPTIONS, "transaction_mode": mode})) == ["W003"]


@pytest.mark.parametrize("command", ["", "PRAGMA journal_mode=DELETE", "PRAGMA synchronous=FULL"])
def test_a_journal_that_is_not_wal_is_warned_of(sqlite, command):
    (message,) = sqlite(**{**GOOD_OPTIONS, "init_command": command})
    assert ids([message]) == ["W004"]
    assert "journal_mode=WAL" in message.hint


@pytest.mark.django_db
def test_the_journals_mode_is_asked_when_django_names_the_database(sqlite, tmp_path):
    mode = "IMMEDIATE"
    (message,) = sqlite(databases=["default"], transaction_mode=mode)
    assert ids([message]) == ["W004"]
    assert "DELETE" in message.msg
    assert sqlite(databases=["default"], **GOOD_OPTIONS) == []
    # The file remembers.
    assert sqlite(databases=["default"], transaction_mode=mode) == []
    assert ids(sqlite(databases=["other"], transaction_mode=mode)) == ["W004"]


@pytest.mark.django_db
def test_a_database_that_cannot_be_opened_is_left_to_others_to_tell(sqlite, tmp_path):
    missing = tmp_path / "no such directory" / "db.sqlite3"
    assert sqlite(databases=["default"], name=missing, **GOOD_OPTIONS) == []


@pytest.mark.parametrize("name", [":memory:", "file:shop?mode=memory&cache=shared"])
def test_a_database_in_memory_is_warned_of(sqlite, name):
    assert ids(sqlite(name=name)) == ["W005"]


def test_a_test_database_in_memory_is_right(sqlite):
    name = "file:memorydb_default?mode=memory&cache=shared"
    assert sqlite(name=name) == sqlite(name=name, databases=["default"]) == []
