"""Nothing but `sick` is registered, and time is put back after each test.

What only PostgreSQL can show stands in its own file.
"""

from collections.abc import Iterator

import pytest
from django.db import connection

from durable_django.store import clock

from .sick import nothing_else_registered

collect_ignore = [] if connection.vendor == "postgresql" else ["test_postgresql.py"]


@pytest.fixture(autouse=True)
def _alone_and_in_time(db: None) -> Iterator[None]:
    with nothing_else_registered():
        yield
    clock.reset()
