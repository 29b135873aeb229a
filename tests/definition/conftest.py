"""Classes made in a test are forgotten after it."""

from collections.abc import Iterator

import pytest

from durable_django.definition import registry


@pytest.fixture(autouse=True)
def _isolated_registry() -> Iterator[None]:
    with registry.isolate():
        yield
