"""However large the tables are, a visit reads them by index and up to limits."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import doctor
from durable_django.models import Event, Execution, Wait
from durable_django.models.ids import uuid7
from durable_django.store import clock

from .sick import later, staffed

ENDED = 4_000
TABLES = tuple(model._meta.db_table for model in (Execution, Wait, Event))


@pytest.fixture
def large_tables(db):
    """Runs that ended, their waits, and the events they got, of each so many that the planner of
    PostgreSQL reads none of them as a whole where it does not have to."""
    at = clock.now()
    ids = [uuid7() for _ in range(ENDED)]
    Execution.objects.bulk_create(
        Execution(
            id=pk,
            root_id=pk,
            workflow_name=f"tests.w{number % 7}",
            status="completed",
            created_at=at,
            ready_at=at,
            finished_at=at,
        )
        for number, pk in enumerate(ids)
    )
    over = {"status": "completed", "created_at": at, "resolved_at": at}
    Wait.objects.bulk_create(
        Wait(execution_id=pk, member_id=pk, path="a", node="a", kind=kind, **over)
        for pk, kind in zip(ids, ("event", "call", "input", "sleep") * ENDED, strict=False)
    )
    done = {"status": "delivered", "created_at": at, "examined_at": at, "ended_at": at}
    Event.objects.bulk_create(Event(execution_id=pk, name="a", **done) for pk in ids)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f'ANALYZE "{table}"')


def scanned(statement):
    """The tables that the statement would read as a whole."""
    with connection.cursor() as cursor:
        is_postgresql = connection.vendor == "postgresql"
        cursor.execute(f"EXPLAIN {'' if is_postgresql else 'QUERY PLAN '}{statement}")
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    if is_postgresql:
        return re.findall(rf"Seq Scan on ({'|'.join(TABLES)})\b", plan)
    # SQLite does not name the table but its alias, which is the table's name, U0 or a letter.
    whole = re.findall(r"SCAN (\S+)(?! .*USING (?:COVERING )?INDEX)", plan, re.MULTILINE)
    return [name for name in whole if name.strip('"') in (*TABLES, "U0", "V0", "e")]


def test_no_table_is_read_as_a_whole(large_tables, settings):
    staffed()
    # Without it so many are counted that this table is small.
    settings.DURABLE = {**settings.DURABLE, "RETENTION": timedelta(days=30)}
    waiting = [uuid7() for _ in range(3)]
    for pk in waiting:
        Execution.objects.create(
            id=pk,
            root_id=pk,
            workflow_name="tests.w1",
            status="waiting",
            created_at=later(),
            ready_at=later(),
        )
        Wait.objects.create(
            execution_id=pk,
            member_id=pk,
            path="a",
            node="a",
            kind="event",
            name="a",
            created_at=later(minutes=-9),
        )
    with CaptureQueriesContext(connection) as asked:
        found = doctor.examine()
    assert [each.code for each in found if each.code != "check"] == []
    ours = [
        query["sql"]
        for query in asked
        if any(table in query["sql"] for table in TABLES) and query["sql"].startswith(("S", "W"))
    ]
    assert len(ours) > 10
    assert scanned(f"SELECT id FROM {TABLES[0]} WHERE reason = 'x'")  # so that one is told
    assert {sql: tables for sql in ours if (tables := scanned(sql))} == {}


def test_of_many_that_wait_some_are_looked_at(db, monkeypatch):
    monkeypatch.setattr("durable_django.store.ailing.WINDOW", 2)
    staffed()
    for number in range(6):
        pk = uuid7()
        Execution.objects.create(
            id=pk,
            root_id=pk,
            workflow_name=f"tests.w{number}",
            status="waiting",
            created_at=later(),
            ready_at=later(),
        )
    (finding,) = [each for each in doctor.examine() if each.code == "await_nothing"]
    assert finding.number.number == 4  # the two oldest and the two newest
    assert str(finding.number) == "4"
    assert doctor.fix(finding) == 4
    (finding,) = [each for each in doctor.examine() if each.code == "await_nothing"]
    assert doctor.fix(finding) == 2
