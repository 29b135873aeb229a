"""Time is put back after each test; what only PostgreSQL can show stands in its own file."""

from collections.abc import Iterator

import pytest
from django.db import connection

from durable_django.store import clock

collect_ignore = [] if connection.vendor == "postgresql" else ["test_postgresql.py"]


@pytest.fixture(autouse=True)
def _time_as_before(db: None) -> Iterator[None]:
    yield
    clock.reset()
