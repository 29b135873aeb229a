"""Time is put back after each test; what only PostgreSQL can show stands in its own file."""

from collections.abc import Iterator

import pytest
from django.db import connection

from durable_django.store import clock

ON_POSTGRESQL = [
    "test_postgresql.py",
    "test_postgresql_pausing.py",
    "test_postgresql_queues.py",
    "test_postgresql_repairing.py",
    "test_postgresql_strands.py",
    "test_postgresql_waits.py",
]
collect_ignore = [] if connection.vendor == "postgresql" else ON_POSTGRESQL


@pytest.fixture(autouse=True)
def _time_as_before() -> Iterator[None]:
    yield
    clock.reset()
