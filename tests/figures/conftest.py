"""A table in which it matters how rows are found."""

import pytest
from django.db import connection

from durable_django.models import Execution
from durable_django.models.ids import uuid7
from durable_django.store import clock
from tests.admin.rows import now

COMPLETED = 3_000


@pytest.fixture(autouse=True)
def _calibrated(db):
    """The clock asks the database once a minute; not while a test counts queries."""
    clock.now()


@pytest.fixture
def large_table(db):
    """Completed runs, so many that the planner of PostgreSQL reads no table or index as a whole
    where it does not have to."""
    at = now()
    ids = [uuid7() for _ in range(COMPLETED)]
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
    with connection.cursor() as cursor:
        cursor.execute(f'ANALYZE "{Execution._meta.db_table}"')
