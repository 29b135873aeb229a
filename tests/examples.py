"""How many examples a property of stored runs is tried with, and which.

They are the same in every run of the tests, and others on each database: what goes wrong for a
workflow is hardly ever one database's doing, so that twice as many are tried in the time.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import connection
from hypothesis import seed, settings

Test = TypeVar("Test", bound=Callable[..., None])


def examples(count: int) -> Callable[[Test], Test]:
    """`count` examples on each database. On SQLite the test's own source is the seed."""

    def mark(test: Test) -> Test:
        tried = settings(max_examples=count)(test)
        return seed(1)(tried) if connection.vendor == "postgresql" else tried

    return mark
